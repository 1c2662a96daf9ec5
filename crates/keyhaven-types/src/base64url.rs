//! base64url without padding (RFC 4648 §5), the only byte encoding of WebAuthn's JSON shapes.
//!
//! Decoding is strict: no padding, no white space, no characters of the standard alphabet, and the unused low bits of
//! the last character must be zero, so that one byte string has exactly one text.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use subtle::Choice;
use zeroize::Zeroize as _;

use crate::constant_time;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// The text is not base64url without padding.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct InvalidBase64Url;

/// Encodes bytes as base64url without padding: four characters for three bytes, rounded up.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Decodes base64url without padding.
///
/// # Errors
/// [`InvalidBase64Url`] for any other text; nothing is skipped or repaired.
pub fn decode(text: &str) -> Result<Vec<u8>, InvalidBase64Url> {
    ENGINE.decode(text).map_err(|_| InvalidBase64Url)
}

/// Decodes base64url without padding onto the end of `bytes`.
///
/// # Errors
/// As [`decode`]; what is in `bytes` then after its former end means nothing.
pub fn decode_onto(text: &str, bytes: &mut Vec<u8>) -> Result<(), InvalidBase64Url> {
    ENGINE.decode_vec(text, bytes).map_err(|_| InvalidBase64Url)
}

/// Whether `text` is exactly `bytes` in base64url without padding, compared in time that depends on the lengths only,
/// and without a copy of it all.
pub(crate) fn ct_eq(bytes: &[u8], text: &str) -> bool {
    const BYTES: usize = 48;
    let mut expected = [0; BYTES / 3 * 4];
    let mut text = text.as_bytes();
    let mut equal = Choice::from(1);
    for chunk in bytes.chunks(BYTES) {
        // The buffer holds the text of a whole chunk.
        let len = ENGINE.encode_slice(chunk, &mut expected).unwrap_or_default();
        let Some((received, rest)) = text.split_at_checked(len) else {
            return false;
        };
        let expected = expected.get(..len).unwrap_or_default();
        equal &= constant_time::eq(received, expected);
        text = rest;
    }
    expected.zeroize();
    text.is_empty() && equal.into()
}

/// Serde adapter: `#[serde(with = "keyhaven_types::base64url::serde_bytes")]` on a `Vec<u8>`.
pub mod serde_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes the bytes as a base64url string.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(bytes))
    }

    /// Reads a base64url string.
    ///
    /// # Errors
    /// When the value is no string or no strict base64url.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        super::decode(&text).map_err(D::Error::custom)
    }
}

/// Implements `Serialize` and `Deserialize` as a base64url string for a newtype over bytes.
macro_rules! serde_base64url {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::base64url::encode(self.as_bytes()))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = $crate::base64url::serde_bytes::deserialize(deserializer)?;
                Self::try_from(bytes.as_slice()).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_base64url;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_equals_the_bytes_it_encodes_and_no_others() {
        for len in [0, 1, 2, 3, 16, 32, 47, 48, 49, 96, 97, 500] {
            let bytes: Vec<u8> = (0..len).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
            let text = encode(&bytes);
            assert!(ct_eq(&bytes, &text), "{len}");
            assert!(!ct_eq(&bytes, &format!("{text}A")), "{len}");
            assert!(!ct_eq(&bytes, &format!("{text}=")), "{len}");
            for at in 0..text.len() {
                let mut other = text.clone().into_bytes();
                other[at] = if other[at] == b'A' { b'B' } else { b'A' };
                assert!(!ct_eq(&bytes, std::str::from_utf8(&other).unwrap()), "{len} {at}");
                assert!(!ct_eq(&bytes, &text[..at]), "{len} {at}");
            }
        }
        assert!(!ct_eq(&[1, 2], "é"));
    }

    #[test]
    fn decoding_onto_appends() {
        let mut bytes = vec![9];
        decode_onto("AQI", &mut bytes).unwrap();
        assert_eq!(bytes, [9, 1, 2]);
        assert_eq!(decode_onto("AQJ", &mut bytes), Err(InvalidBase64Url));
    }

    #[test]
    fn decoding_accepts_one_text_per_byte_string() {
        assert_eq!(decode("AQI").unwrap(), [1, 2]);
        for text in ["AQI=", "AQJ", "A QI", "+/8", "A", "AQI\n"] {
            assert_eq!(decode(text), Err(InvalidBase64Url), "{text:?}");
        }
    }
}
