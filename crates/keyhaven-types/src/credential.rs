use std::fmt;
use std::str::FromStr;

use crate::base64url;

/// Names one public key credential. 1 to 1023 bytes, chosen by the authenticator.
///
/// Source: WebAuthn L3 §4 "Credential ID" (upper bound). Refusing the empty id is our own rule.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CredentialId(Box<[u8]>);

/// A credential id of no bytes, or of more than [`CredentialId::MAX_LEN`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a credential id has 1 to 1023 bytes, not {len}")]
pub struct InvalidCredentialId {
    /// The number of bytes received.
    pub len: usize,
}

impl CredentialId {
    /// The most bytes an id may have.
    pub const MAX_LEN: usize = 1023;

    /// The id's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for CredentialId {
    type Error = InvalidCredentialId;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        match bytes.len() {
            1..=Self::MAX_LEN => Ok(Self(bytes.into())),
            len => Err(InvalidCredentialId { len }),
        }
    }
}

/// base64url without padding, the form of `PublicKeyCredential.id`.
impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

base64url::serde_base64url!(CredentialId);

/// An authenticator model's identifier: 16 bytes, all zero when not told. Text form: a lower-case UUID.
///
/// This value alone proves nothing: unless an attestation path was anchored it is only what the device says of itself.
/// Source: WebAuthn L3 §6.5.1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Aaguid([u8; 16]);

/// The text is no UUID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an AAGUID is written as a UUID")]
pub struct InvalidAaguid;

impl Aaguid {
    /// Sixteen zero bytes: the authenticator does not tell its model.
    pub const ZERO: Self = Self([0; 16]);

    /// Takes the 16 bytes in network order, as they stand in authenticator data.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in network order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&index) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Aaguid {
    type Err = InvalidAaguid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let groups = text.split('-');
        let digits: String = groups.clone().collect();
        if !groups.map(str::len).eq([8, 4, 4, 4, 12])
            || !digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        {
            return Err(InvalidAaguid);
        }
        u128::from_str_radix(&digits, 16)
            .map(|number| Self(number.to_be_bytes()))
            .map_err(|_| InvalidAaguid)
    }
}

impl serde::Serialize for Aaguid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Aaguid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How often a credential has signed, as the authenticator counts: unsigned 32 bits, 0 where it does not count.
///
/// Source: WebAuthn L3 §6.1.1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct SignCount(pub u32);

impl fmt::Display for SignCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a client can reach an authenticator. Values this crate does not know are kept as they came.
///
/// Source: WebAuthn L3 §5.8.4: unknown values are stored and sent back unchanged.
#[derive(Clone, Debug, Eq, Hash, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(from = "String", into = "String")]
pub enum AuthenticatorTransport {
    /// Bluetooth Low Energy.
    Ble,
    /// Another device near by, for example a phone.
    Hybrid,
    /// Built into this device.
    Internal,
    /// Near field communication.
    Nfc,
    /// A smart card with contacts.
    SmartCard,
    /// USB.
    Usb,
    /// A value of a later specification.
    Other(String),
}

impl AuthenticatorTransport {
    /// The value as the specification spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ble => "ble",
            Self::Hybrid => "hybrid",
            Self::Internal => "internal",
            Self::Nfc => "nfc",
            Self::SmartCard => "smart-card",
            Self::Usb => "usb",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for AuthenticatorTransport {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for AuthenticatorTransport {
    fn from(text: &str) -> Self {
        match text {
            "ble" => Self::Ble,
            "hybrid" => Self::Hybrid,
            "internal" => Self::Internal,
            "nfc" => Self::Nfc,
            "smart-card" => Self::SmartCard,
            "usb" => Self::Usb,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl From<AuthenticatorTransport> for String {
    fn from(transport: AuthenticatorTransport) -> Self {
        match transport {
            AuthenticatorTransport::Other(text) => text,
            known @ (AuthenticatorTransport::Ble
            | AuthenticatorTransport::Hybrid
            | AuthenticatorTransport::Internal
            | AuthenticatorTransport::Nfc
            | AuthenticatorTransport::SmartCard
            | AuthenticatorTransport::Usb) => known.as_str().to_owned(),
        }
    }
}

/// Whether the authenticator is part of the client device.
///
/// Source: WebAuthn L3 §5.4.5.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticatorAttachment {
    /// A roaming authenticator: a security key, or a phone near by.
    CrossPlatform,
    /// Built into the device that runs the browser.
    Platform,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_ids_have_1_to_1023_bytes() {
        assert_eq!(
            CredentialId::try_from(&[][..]),
            Err(InvalidCredentialId { len: 0 })
        );
        assert!(CredentialId::try_from(&[7; 1][..]).is_ok());
        assert!(CredentialId::try_from(&[7; 1023][..]).is_ok());
        assert_eq!(
            CredentialId::try_from(&[7; 1024][..]),
            Err(InvalidCredentialId { len: 1024 })
        );
    }

    #[test]
    fn an_aaguid_reads_back_from_its_text() {
        let aaguid = Aaguid::new(*b"0123456789abcdef");
        assert_eq!(aaguid.to_string(), "30313233-3435-3637-3839-616263646566");
        assert_eq!(aaguid.to_string().parse(), Ok(aaguid));
        assert_eq!(
            "30313233-3435-3637-3839-61626364656F".parse(),
            Ok(Aaguid::new(*b"0123456789abcdeo"))
        );
        for text in [
            "",
            "no",
            "30313233343536373839616263646566",
            "3031323-33435-3637-3839-616263646566",
            "30313233-3435-3637-3839-61626364656",
            "30313233-3435-3637-3839-6162636465666",
            "30313233-3435-3637-3839-61626364656g",
            "+0313233-3435-3637-3839-616263646566",
            "{30313233-3435-3637-3839-616263646566}",
        ] {
            assert_eq!(text.parse::<Aaguid>(), Err(InvalidAaguid), "{text}");
        }
        let json = "\"30313233-3435-3637-3839-616263646566\"";
        assert_eq!(serde_json::to_string(&aaguid).unwrap(), json);
        assert_eq!(serde_json::from_str::<Aaguid>(json).unwrap(), aaguid);
        assert!(serde_json::from_str::<Aaguid>("\"no\"").is_err());
    }

    #[test]
    fn an_unknown_transport_survives() {
        let text = r#"["usb","smart-card","carrier-pigeon"]"#;
        let transports: Vec<AuthenticatorTransport> = serde_json::from_str(text).unwrap();
        assert_eq!(
            transports[2],
            AuthenticatorTransport::Other("carrier-pigeon".into())
        );
        assert_eq!(serde_json::to_string(&transports).unwrap(), text);
    }
}
