//! Certificates out of files.

use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use keyhaven_core::TrustAnchor;

/// The certificates of a PEM file (RFC 7468); text around them is not looked at.
pub(crate) fn certificates(file: &Path) -> anyhow::Result<Vec<TrustAnchor>> {
    let label = file.display().to_string();
    let text = String::from_utf8(read(file)?).with_context(|| format!("{label}: not text"))?;
    let mut anchors = Vec::new();
    for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let (body, _) = block
            .split_once("-----END CERTIFICATE-----")
            .with_context(|| format!("{label}: a certificate has no end"))?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(body)
            .with_context(|| format!("{label}: not base64"))?;
        anchors.push(TrustAnchor::from_der(&label, &der).with_context(|| label.clone())?);
    }
    if anchors.is_empty() {
        bail!("{label}: no certificate in PEM");
    }
    Ok(anchors)
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
