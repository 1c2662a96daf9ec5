use std::borrow::Cow;

use crate::json::{JsonError, Object};

/// What the browser says of a ceremony, signed along with it: `CollectedClientData` (WebAuthn L3 §5.8.1).
///
/// Read from at most [`CollectedClientData::MAX_LEN`] bytes of strict JSON. Members this type does not know are
/// ignored, `tokenBinding` among them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollectedClientData<'a> {
    kind: Cow<'a, str>,
    challenge: Cow<'a, str>,
    origin: Cow<'a, str>,
    cross_origin: Option<bool>,
    top_origin: Option<Cow<'a, str>>,
}

/// Why bytes are not client data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClientDataError {
    /// Not a JSON object with the members of the specification.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// More than [`CollectedClientData::MAX_LEN`] bytes.
    #[error("{len} bytes, more than 65536")]
    TooLong {
        /// The number of bytes received.
        len: usize,
    },
}

impl<'a> CollectedClientData<'a> {
    /// The most bytes that are read.
    pub const MAX_LEN: usize = 65_536;

    /// Decodes clientDataJSON: UTF-8 with an optional byte order mark, then JSON.
    ///
    /// # Errors
    /// The first fault, in that order. Invalid UTF-8 is never repaired.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ClientDataError> {
        Self::from_text(Self::decode(bytes)?)
    }

    /// The first half: UTF-8 without its byte order mark.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<&'a str, ClientDataError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ClientDataError::NotUtf8)?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// The second half: JSON.
    pub(crate) fn from_text(text: &'a str) -> Result<Self, ClientDataError> {
        if text.len() > Self::MAX_LEN {
            return Err(ClientDataError::TooLong { len: text.len() });
        }
        let mut object = Object::parse(text)?;
        Ok(Self {
            kind: object.text("type")?,
            challenge: object.text("challenge")?,
            origin: object.text("origin")?,
            cross_origin: object.optional_bool("crossOrigin")?,
            top_origin: object.optional_text("topOrigin")?,
        })
    }

    /// `type`: which ceremony this is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `challenge`: base64url text as received, to be compared as text.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// `origin`: the serialised origin of the calling page or app.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `crossOrigin`: whether the page was embedded in one of another origin. Absent means no.
    #[must_use]
    pub const fn cross_origin(&self) -> Option<bool> {
        self.cross_origin
    }

    /// `topOrigin`: the serialised origin of the embedding page.
    #[must_use]
    pub fn top_origin(&self) -> Option<&str> {
        self.top_origin.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped_once() {
        let json = r#"{"type":"t","challenge":"c","origin":"o"}"#;
        assert!(CollectedClientData::parse(json.as_bytes()).is_ok());
        assert!(CollectedClientData::parse(format!("\u{feff}{json}").as_bytes()).is_ok());
        assert_eq!(
            CollectedClientData::parse(format!("\u{feff}\u{feff}{json}").as_bytes()),
            Err(ClientDataError::Json(JsonError::Syntax))
        );
    }

    #[test]
    fn invalid_utf_8_is_refused_wherever_it_stands() {
        let bytes = b"{\"type\":\"t\",\"challenge\":\"c\",\"origin\":\"o\",\"x\":\"\xff\"}";
        assert_eq!(CollectedClientData::parse(bytes), Err(ClientDataError::NotUtf8));
    }

    #[test]
    fn length_is_bounded() {
        let padded = |len: usize| {
            let json = r#"{"type":"t","challenge":"c","origin":"o"}"#;
            format!("{json}{}", " ".repeat(len - json.len()))
        };
        assert!(CollectedClientData::parse(padded(65_536).as_bytes()).is_ok());
        assert_eq!(
            CollectedClientData::parse(padded(65_537).as_bytes()),
            Err(ClientDataError::TooLong { len: 65_537 })
        );
    }

    #[test]
    fn escapes_in_known_members_are_resolved() {
        let data = CollectedClientData::parse(
            br#"{"t\u0079pe":"a\/b","challenge":"c","origin":"o","crossOrigin":true}"#,
        )
        .unwrap();
        assert_eq!(data.kind(), "a/b");
        assert_eq!(data.cross_origin(), Some(true));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = CollectedClientData::parse(&bytes);
        }
    }
}
