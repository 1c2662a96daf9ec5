//! The little DER that is written: public keys. (Certificates are read by x509-cert.)

/// A tag, a length in its shortest form, a value. Values here are shorter than 64 KiB.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + value.len());
    out.push(tag);
    let [.., high, low] = value.len().to_be_bytes();
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(value);
    out
}

pub(crate) fn oid(encoded: &[u8]) -> Vec<u8> {
    element(0x06, encoded)
}

pub(crate) fn null() -> Vec<u8> {
    element(0x05, &[])
}

pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

/// `[tag] EXPLICIT`, `tag` below 31.
pub(crate) fn explicit(tag: u8, value: &[u8]) -> Vec<u8> {
    element(0xa0 | tag, value)
}

/// A positive INTEGER from big-endian bytes without leading zeros.
pub(crate) fn positive_integer(big_endian: &[u8]) -> Vec<u8> {
    match big_endian.first() {
        Some(first) if first & 0x80 != 0 => element(0x02, &[&[0], big_endian].concat()),
        _ => element(0x02, big_endian),
    }
}

/// SubjectPublicKeyInfo: the elements of its algorithm, and the key as a bit string.
pub(crate) fn spki(algorithm: &[Vec<u8>], key: &[u8]) -> Vec<u8> {
    sequence(&[sequence(algorithm), element(0x03, &[&[0], key].concat())])
}

/// RFC 7468: base64 between two lines, 64 characters a line.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
