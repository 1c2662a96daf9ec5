//! Certification paths: what leads to an anchor, and what that says of the certificates.

use std::sync::LazyLock;

use keyhaven_core::{PathError, PathPolicy, Sha1, TrustAnchor, UnixTime, validate_path};
use keyhaven_testkit::authenticator::{CertificateDraft, SigningKey, tlv};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::BasicConstraints;

/// The most certificates of an input.
const MOST: usize = 6;

/// The keys of the certificates that are signed here, by their place in the input.
pub static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    (0..MOST)
        .map(|number| SigningKey::new(-7, format!("path {number}").as_bytes()).unwrap())
        .collect()
});

/// A certificate that nothing in an input has to do with.
static STRANGER: LazyLock<TrustAnchor> = LazyLock::new(|| {
    let key = SigningKey::new(-7, b"stranger").unwrap();
    let mut draft = CertificateDraft::attestation(&key, [9; 16]);
    draft.issuer.clone_from(&draft.subject);
    draft.extensions[0].value = tlv(0x30, &tlv(0x01, &[0xff]));
    TrustAnchor::from_der("stranger", &draft.sign(&key)).unwrap()
});

/// A mode, four bytes for the moment in seconds, how many of the certificates are anchors; then certificates, each after
/// two bytes of its length: the leaf, intermediates, anchors.
///
/// Mode 0: as they stand. Mode 1: each is the part that is signed, and is signed by the key of the next one, the last by
/// its own, so that what is judged is more than signatures.
pub fn trust_path(data: &[u8]) {
    let Some((&[mode, a, b, c, d, anchors], rest)) = data.split_first_chunk::<6>() else {
        return;
    };
    let at = UnixTime::from_millis(i64::from(u32::from_be_bytes([a, b, c, d])) * 1000);
    let mut certificates = pieces(rest);
    if mode % 2 == 1 {
        certificates = signed(&certificates);
    }
    let anchors = certificates.split_off(certificates.len().saturating_sub(usize::from(anchors % 4)));
    let anchors: Vec<TrustAnchor> = anchors
        .iter()
        .filter_map(|der| TrustAnchor::from_der("an anchor", der).ok())
        .collect();
    let anchors: Vec<&TrustAnchor> = anchors.iter().collect();
    let path: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    judge(&path, &anchors, at);
}

fn judge(path: &[&[u8]], anchors: &[&TrustAnchor], at: UnixTime) {
    let by = |sha1| PathPolicy {
        at,
        sha1,
        revoked: None,
    };
    let verdict = validate_path(path, anchors, &by(Sha1::Refuse)).map(|found| found.anchor());
    // Without anchors nothing is trusted, and whom nobody named changes nothing.
    assert!(validate_path(path, &[], &by(Sha1::Refuse)).is_err());
    let with_stranger: Vec<&TrustAnchor> = [&*STRANGER].into_iter().chain(anchors.iter().copied()).collect();
    let again = validate_path(path, &with_stranger, &by(Sha1::Refuse)).map(|found| found.anchor());
    assert_eq!(verdict.is_ok(), again.is_ok());
    // What SHA-1 adds is signatures.
    if verdict.is_ok() {
        assert!(validate_path(path, anchors, &by(Sha1::Allow)).is_ok());
    }
    let Ok(anchor) = verdict else {
        assert_ne!(verdict, Err(PathError::TooComplex), "of six certificates");
        return;
    };
    assert!(anchors.contains(&anchor));
    let leaf = path[0];
    if anchors.iter().any(|anchor| anchor.as_der() == leaf) {
        return;
    }
    // The leaf is one by another reader's account: valid now, no CA, and its issuer's name stands in somebody else here, of
    // whom less need be readable: neither dates nor signature of an anchor count.
    // Where it cannot read the leaf, that is for its key or the like, which no path depends on: whoever uses the key reads it.
    let Some(leaf) = certificate(leaf) else {
        return;
    };
    let validity = leaf.tbs_certificate().validity();
    let seconds = u64::try_from(at.as_seconds()).unwrap();
    assert!(validity.not_before.to_unix_duration().as_secs() <= seconds);
    assert!(seconds <= validity.not_after.to_unix_duration().as_secs());
    if let Ok(Some((_, constraints))) = leaf.tbs_certificate().get_extension::<BasicConstraints>() {
        assert!(!constraints.ca);
    }
    let issuer = leaf.tbs_certificate().issuer().to_der().unwrap();
    let others = path.iter().skip(1).copied();
    assert!(
        others
            .chain(anchors.iter().map(|anchor| anchor.as_der()))
            .any(|der| der.windows(issuer.len()).any(|window| window == issuer))
    );
}

fn certificate(der: &[u8]) -> Option<x509_cert::Certificate> {
    x509_cert::Certificate::from_der(der).ok()
}

/// What stands behind two bytes of length each.
fn pieces(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < MOST
        && let Some((&len, after)) = rest.split_first_chunk::<2>()
        && let Some((piece, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(len)))
    {
        found.push(piece.to_vec());
        rest = after;
    }
    found
}

fn signed(parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let last = parts.len().saturating_sub(1);
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let issuer = &KEYS[(index + 1).min(last)];
            let signature = tlv(0x03, &[&[0], issuer.sign(part).as_slice()].concat());
            tlv(
                0x30,
                &[
                    part.as_slice(),
                    &issuer.signature_algorithm_identifier(),
                    &signature,
                ]
                .concat(),
            )
        })
        .collect()
}
