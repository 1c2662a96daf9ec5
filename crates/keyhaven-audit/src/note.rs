//! Signed notes (C2SP signed-note): a text, an empty line, and a line with a signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyhaven_storage::AuditKey;

/// What a line with a signature begins with: an em dash and a space.
pub(crate) const SIGNATURE: &str = "\u{2014} ";

/// The four bytes that tell keys apart: the beginning of `SHA-256(name || "\n" || 0x01 || public key)`.
pub(crate) fn key_hash(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = crate::sha256(&[name.as_bytes(), b"\n\x01", public]);
    [a, b, c, d]
}

/// The id of a key: its four bytes in hexadecimal digits.
pub(crate) fn key_id([a, b, c, d]: [u8; 4]) -> String {
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}

fn hash_of_id(id: &str) -> Option<[u8; 4]> {
    if id.len() != 8 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    u32::from_str_radix(id, 16).ok().map(u32::to_be_bytes)
}

/// The line with a signature, with its end of line. An id that is none is written as zeros, which no key has.
pub(crate) fn signature_line(name: &str, key_id: &str, signature: &[u8; 64]) -> String {
    let hash = hash_of_id(key_id).unwrap_or_default();
    let line = STANDARD.encode([&hash[..], signature].concat());
    format!("{SIGNATURE}{name} {line}\n")
}

/// Reads a line with a signature: name, key id, signature.
pub(crate) fn read_signature_line(line: &str) -> Option<(&str, String, [u8; 64])> {
    let (name, text) = line.strip_prefix(SIGNATURE)?.rsplit_once(' ')?;
    let bytes = STANDARD.decode(text).ok()?;
    let (hash, signature) = bytes.split_first_chunk::<4>()?;
    Some((name, key_id(*hash), signature.try_into().ok()?))
}

/// What the key before signs to vouch for a key.
pub(crate) fn endorsement_text(key: &AuditKey) -> String {
    format!("keyhaven audit key 1\n{}\n", key.verifier_key)
}
