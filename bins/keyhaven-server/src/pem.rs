//! Certificates and revocation lists out of files.

use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use keyhaven_core::{RevocationLists, TrustAnchor};

/// The certificates of a PEM file (RFC 7468); text around them is not looked at.
pub(crate) fn certificates(file: &Path) -> anyhow::Result<Vec<TrustAnchor>> {
    let label = file.display().to_string();
    blocks(file, "CERTIFICATE")?
        .iter()
        .map(|der| TrustAnchor::from_der(&label, der).with_context(|| label.clone()))
        .collect()
}

/// The certificate revocation lists of a PEM file.
pub(crate) fn revocation_lists(file: &Path) -> anyhow::Result<RevocationLists> {
    let lists = blocks(file, "X509 CRL")?;
    RevocationLists::from_der(lists.iter().map(Vec::as_slice)).with_context(|| file.display().to_string())
}

/// What stands between these labels in a file, at least once.
fn blocks(file: &Path, kind: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let label = file.display().to_string();
    let text = String::from_utf8(read(file)?)
        .with_context(|| format!("{label}: not PEM; openssl makes it of DER with -inform der"))?;
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let mut blocks = Vec::new();
    for block in text.split(&begin).skip(1) {
        let (body, _) = block
            .split_once(&end)
            .with_context(|| format!("{label}: a {kind} has no end"))?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(body)
            .with_context(|| format!("{label}: not base64"))?;
        blocks.push(der);
    }
    if blocks.is_empty() {
        bail!("{label}: no {kind} in PEM");
    }
    Ok(blocks)
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
