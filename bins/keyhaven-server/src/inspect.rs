//! `keyhaven inspect`: every field of a response, an attestation object or authenticator data, decoded and not judged.

use std::io::{Read, Write};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use keyhaven_core::cbor::{Key, Map, Value};
use keyhaven_core::{
    AttestationObject, AttestedCredentialData, AuthenticationResponse, AuthenticatorData, CanonicalCbor,
    ClientExtensionResults, CollectedClientData, CoseKey, CoseParameters, Flags, PublicKey,
    RegistrationResponse, base64url,
};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// The longest input that is read, in bytes.
const MAX_INPUT: u64 = 1 << 20;

/// Decodes the one thing that `input` is, and prints it: as text, or with `json` as JSON.
///
/// # Errors
/// When reading or writing fails, or the input is none of the things that can be decoded. A part that is malformed inside
/// a thing that is not is printed as its fault, and makes the exit status 1.
pub(crate) fn run(json: bool, input: impl Read, mut output: impl Write) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > MAX_INPUT) {
        bail!("the input has more than {MAX_INPUT} bytes");
    }
    let text = String::from_utf8(text).context("the input is not UTF-8 text")?;
    let item = decode(text.trim())?;
    if json {
        serde_json::to_writer_pretty(&mut output, &item)?;
        output.write_all(b"\n")?;
    } else {
        item.print(&mut output, 0)?;
    }
    output.flush()?;
    Ok(if item.has_fault() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn decode(text: &str) -> anyhow::Result<Item> {
    if text.starts_with('{') {
        return response(text.as_bytes());
    }
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let mut faults = Vec::new();
    // Hex may also be read as base64url: whichever makes sense.
    for bytes in [hex(&compact), base64url::decode(&compact).ok()]
        .into_iter()
        .flatten()
    {
        match AttestationObject::parse(&bytes, CanonicalCbor::AnyKeyOrder) {
            Ok(object) => return Ok(Item::object([("attestationObject", attestation_object(&object))])),
            Err(fault) => faults.push(format!("as an attestation object: {fault}")),
        }
        match AuthenticatorData::parse(&bytes, CanonicalCbor::AnyKeyOrder) {
            Ok(data) => return Ok(Item::object([("authenticatorData", authenticator_data(&data))])),
            Err(fault) => faults.push(format!("as authenticator data: {fault}")),
        }
    }
    if faults.is_empty() {
        bail!("the input is neither JSON nor base64url without padding nor hex");
    }
    bail!("the input cannot be decoded: {}", faults.join("; "))
}

fn response(json: &[u8]) -> anyhow::Result<Item> {
    let no_registration = match RegistrationResponse::from_json(json) {
        Ok(response) => return Ok(registration(&response)),
        Err(error) => error,
    };
    match AuthenticationResponse::from_json(json) {
        Ok(response) => Ok(authentication(&response)),
        Err(no_authentication) => bail!(
            "the input is no response: as a registration: {no_registration}; as an authentication: {no_authentication}"
        ),
    }
}

fn registration(response: &RegistrationResponse) -> Item {
    let object = AttestationObject::parse(response.attestation_object(), CanonicalCbor::AnyKeyOrder);
    let transports = response
        .transports()
        .iter()
        .map(|transport| Item::text(transport.as_str()))
        .collect();
    Item::object([
        ("kind", Item::text("registration")),
        ("credentialId", Item::bytes(response.credential_id())),
        ("transports", Item::List(transports)),
        (
            "authenticatorAttachment",
            Item::debug(response.authenticator_attachment()),
        ),
        (
            "clientExtensionResults",
            extension_results(response.client_extension_results()),
        ),
        ("clientData", client_data(response.client_data_json())),
        (
            "attestationObject",
            object.map_or_else(Item::fault, |object| attestation_object(&object)),
        ),
    ])
}

fn authentication(response: &AuthenticationResponse) -> Item {
    let data = AuthenticatorData::parse(response.authenticator_data(), CanonicalCbor::AnyKeyOrder);
    Item::object([
        ("kind", Item::text("authentication")),
        ("credentialId", Item::bytes(response.credential_id())),
        (
            "userHandle",
            response.user_handle().map_or(Item::Null, Item::bytes),
        ),
        (
            "authenticatorAttachment",
            Item::debug(response.authenticator_attachment()),
        ),
        (
            "clientExtensionResults",
            extension_results(response.client_extension_results()),
        ),
        ("clientData", client_data(response.client_data_json())),
        (
            "authenticatorData",
            data.map_or_else(Item::fault, |data| authenticator_data(&data)),
        ),
        ("signature", Item::bytes(response.signature())),
    ])
}

fn extension_results(results: &ClientExtensionResults) -> Item {
    let bool = |value: Option<bool>| value.map_or(Item::Null, Item::Bool);
    Item::object([
        ("appid", bool(results.appid())),
        ("appidExclude", bool(results.appid_exclude())),
        ("credProps.rk", bool(results.cred_props_rk())),
        (
            "largeBlob.supported",
            bool(results.large_blob().and_then(|blob| blob.supported)),
        ),
        (
            "largeBlob.written",
            bool(results.large_blob().and_then(|blob| blob.written)),
        ),
        ("prf.enabled", bool(results.prf().and_then(|prf| prf.enabled))),
        ("remoteClientDataJSON", bool(results.remote_client_data_json())),
        ("all", Item::text(&results.names().collect::<Vec<_>>().join(", "))),
    ])
}

fn client_data(json: &[u8]) -> Item {
    match CollectedClientData::parse(json) {
        Ok(data) => Item::object([
            ("type", Item::text(data.kind())),
            ("challenge", Item::text(data.challenge())),
            ("origin", Item::text(data.origin())),
            ("crossOrigin", data.cross_origin().map_or(Item::Null, Item::Bool)),
            ("topOrigin", data.top_origin().map_or(Item::Null, Item::text)),
            ("json", Item::text(&String::from_utf8_lossy(json))),
        ]),
        Err(fault) => Item::fault(fault),
    }
}

fn attestation_object(object: &AttestationObject<'_>) -> Item {
    Item::object([
        ("fmt", Item::text(object.format())),
        ("attStmt", cbor(object.statement())),
        ("authData", authenticator_data(object.authenticator_data())),
    ])
}

fn authenticator_data(data: &AuthenticatorData<'_>) -> Item {
    let mut item = Item::object([
        ("rpIdHash", Item::text(&to_hex(data.rp_id_hash()))),
        ("flags", flags(data.flags())),
        ("signCount", Item::Number(i128::from(data.sign_count().0))),
    ]);
    if let Some(attested) = data.attested_credential_data() {
        item.push("attestedCredentialData", attested_credential_data(attested));
    }
    if let Some(extensions) = data.extensions() {
        item.push("extensions", cbor_map(extensions));
    }
    item
}

fn flags(flags: Flags) -> Item {
    Item::object([
        ("byte", Item::text(&format!("0x{:02x}", flags.0))),
        ("up", Item::Bool(flags.user_present())),
        ("uv", Item::Bool(flags.user_verified())),
        ("be", Item::Bool(flags.backup_eligible())),
        ("bs", Item::Bool(flags.backup_state())),
        ("at", Item::Bool(flags.attested_credential_data())),
        ("ed", Item::Bool(flags.extension_data())),
    ])
}

fn attested_credential_data(attested: &AttestedCredentialData<'_>) -> Item {
    Item::object([
        ("aaguid", Item::text(&attested.aaguid().to_string())),
        ("credentialId", Item::bytes(attested.credential_id())),
        ("credentialPublicKey", public_key(attested.public_key())),
    ])
}

fn public_key(key: &CoseKey<'_>) -> Item {
    let number = |value: i64| Item::Number(i128::from(value));
    let (kty, parameters) = match key.parameters() {
        CoseParameters::Akp { public } => (7, vec![("pub", Item::bytes(public))]),
        CoseParameters::Ec2 { crv, x, y } => (
            2,
            vec![
                ("crv", number(crv)),
                ("x", Item::bytes(x)),
                ("y", y.map_or_else(|| Item::text("compressed"), Item::bytes)),
            ],
        ),
        CoseParameters::Okp { crv, x } => (1, vec![("crv", number(crv)), ("x", Item::bytes(x))]),
        CoseParameters::Other { kty } => (kty, Vec::new()),
        CoseParameters::Rsa { n, e } => (3, vec![("n", Item::bytes(n)), ("e", Item::bytes(e))]),
    };
    let mut item = Item::object([
        ("kty", number(kty)),
        ("alg", number(key.algorithm().identifier())),
    ]);
    for (name, value) in parameters {
        item.push(name, value);
    }
    item.push("cose", Item::bytes(key.as_bytes()));
    // Whether it can be used is told, not judged: keys of other algorithms are no fault of the data.
    match PublicKey::import(key) {
        Ok(key) => item.push("pem", Item::text(&key.to_pem())),
        Err(error) => item.push("unusable", Item::text(&error.to_string())),
    }
    item
}

fn cbor(value: &Value<'_>) -> Item {
    match value {
        Value::Array(array) => Item::List(array.items().map(|item| cbor(&item)).collect()),
        Value::Bool(value) => Item::Bool(*value),
        Value::Bytes(bytes) | Value::Float(bytes) => Item::bytes(bytes),
        Value::Integer(value) => Item::Number(*value),
        Value::Map(map) => cbor_map(map),
        Value::Null => Item::Null,
        Value::Text(text) => Item::text(text),
    }
}

fn cbor_map(map: &Map<'_>) -> Item {
    let name = |key: Key<'_>| match key {
        Key::Integer(key) => key.to_string(),
        Key::Text(key) => key.to_owned(),
    };
    Item::Object(
        map.entries()
            .map(|(key, value)| (name(key), cbor(&value)))
            .collect(),
    )
}

/// Something decoded, its members in the order they are to be read.
enum Item {
    Bool(bool),
    Bytes { text: String, len: usize },
    Fault(String),
    List(Vec<Self>),
    Null,
    Number(i128),
    Object(Vec<(String, Self)>),
    Text(String),
}

impl Item {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Bytes, as base64url.
    fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes {
            text: base64url::encode(bytes),
            len: bytes.len(),
        }
    }

    fn debug<T: Serialize>(value: Option<T>) -> Self {
        match value.map(|value| serde_json::to_value(value)) {
            Some(Ok(serde_json::Value::String(text))) => Self::Text(text),
            Some(_) | None => Self::Null,
        }
    }

    fn fault(fault: impl std::fmt::Display) -> Self {
        Self::Fault(fault.to_string())
    }

    fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    fn push(&mut self, name: &str, value: Self) {
        if let Self::Object(members) = self {
            members.push((name.to_owned(), value));
        }
    }

    fn has_fault(&self) -> bool {
        match self {
            Self::Fault(_) => true,
            Self::List(items) => items.iter().any(Self::has_fault),
            Self::Object(members) => members.iter().any(|(_, item)| item.has_fault()),
            Self::Bool(_) | Self::Bytes { .. } | Self::Null | Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// Prints the item and a line break. Text of several lines, and what has parts, starts on a line of its own.
    fn print(&self, output: &mut impl Write, indent: usize) -> std::io::Result<()> {
        match self {
            Self::Bool(value) => writeln!(output, " {value}"),
            Self::Bytes { text, len } => writeln!(output, " {text} ({len} bytes)"),
            Self::Fault(fault) => writeln!(output, " MALFORMED: {fault}"),
            Self::List(items) if items.is_empty() => writeln!(output, " none"),
            Self::List(items) => {
                line_break(output, indent)?;
                for item in items {
                    write!(output, "{:indent$}-", "")?;
                    item.print(output, indent + 2)?;
                }
                Ok(())
            }
            Self::Null => writeln!(output, " absent"),
            Self::Number(value) => writeln!(output, " {value}"),
            Self::Object(members) if members.is_empty() => writeln!(output, " none"),
            Self::Object(members) => {
                line_break(output, indent)?;
                for (name, item) in members {
                    write!(output, "{:indent$}{}:", "", printable(name))?;
                    item.print(output, indent + 2)?;
                }
                Ok(())
            }
            Self::Text(text) if text.trim_end().contains('\n') => {
                writeln!(output)?;
                for line in text.lines() {
                    writeln!(output, "{:indent$}{}", "", printable(line))?;
                }
                Ok(())
            }
            Self::Text(text) => writeln!(output, " {}", printable(text)),
        }
    }
}

/// The outermost item needs no line of its own.
fn line_break(output: &mut impl Write, indent: usize) -> std::io::Result<()> {
    if indent == 0 { Ok(()) } else { writeln!(output) }
}

/// Text from outside, unable to steer a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Bytes { text, .. } | Self::Text(text) => serializer.serialize_str(text),
            Self::Fault(fault) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("malformed", fault)?;
                map.end()
            }
            Self::List(items) => serializer.collect_seq(items),
            Self::Null => serializer.serialize_none(),
            Self::Number(value) => serializer.serialize_i128(*value),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(name, item)| (name, item))),
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal text, if that is what it is.
fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool, input: &str) -> (String, ExitCode) {
        let mut output = Vec::new();
        let code = run(json, input.as_bytes(), &mut output).unwrap();
        (String::from_utf8(output).unwrap(), code)
    }

    /// RP ID hash, UP and UV, sign count 258.
    const DATA: &str = "00000000000000000000000000000000000000000000000000000000000000000500000102";

    #[test]
    fn authenticator_data_are_read_as_hex_and_base64url() {
        let (text, code) = printed(false, DATA);
        assert!(
            text.contains("uv: true") && text.contains("signCount: 258"),
            "{text}"
        );
        assert_eq!(code, ExitCode::SUCCESS);
        let base64url = base64url::encode(&hex(DATA).unwrap());
        assert_eq!(printed(false, &base64url).0, text);
        let (json, _) = printed(true, &format!(" {DATA}\n"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["authenticatorData"]["flags"]["uv"], true);
        assert_eq!(json["authenticatorData"]["signCount"], 258);
    }

    #[test]
    fn what_is_nothing_of_the_kind_is_an_error() {
        for input in ["", "xyz!", "00", "{}", "[]", "{\"id\":1}"] {
            assert!(run(false, input.as_bytes(), Vec::new()).is_err(), "{input:?}");
        }
        assert!(run(false, &vec![b' '; 2 << 20][..], Vec::new()).is_err());
        assert!(run(false, &b"\xff"[..], Vec::new()).is_err());
    }

    #[test]
    fn a_malformed_part_is_named_and_the_rest_printed() {
        let response = serde_json::json!({
            "id": "AQI", "rawId": "AQI", "type": "public-key", "clientExtensionResults": {},
            "response": {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AQ"}
        });
        let (text, code) = printed(false, &response.to_string());
        assert!(text.contains("clientData: MALFORMED: type is missing"), "{text}");
        assert!(
            text.contains("authenticatorData: MALFORMED: 1 bytes are too few"),
            "{text}"
        );
        assert!(text.contains("signature: AQ (1 bytes)"), "{text}");
        assert_eq!(code, ExitCode::FAILURE);
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
    }
}
