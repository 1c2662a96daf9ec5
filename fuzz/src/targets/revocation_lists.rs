//! Revocation lists: what is read of one, and what that makes of a certificate.

use std::sync::LazyLock;

use keyhaven_core::{PathError, PathPolicy, RevocationLists, Sha1, TrustAnchor, UnixTime, validate_path};
use keyhaven_testkit::authenticator::{
    BASIC_CONSTRAINTS, CertificateDraft, RevocationListDraft, SigningKey, tlv,
};
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode as _, Encode as _};

const SERIAL_NUMBER: &[u8] = &[4];

/// `issuingDistributionPoint`: a list with it speaks of some certificates of its issuer only.
const DISTRIBUTION_POINT: &str = "2.5.29.28";

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new(-7, b"issuer of lists").unwrap());
static CA: LazyLock<CertificateDraft> = LazyLock::new(|| {
    let mut draft = CertificateDraft::attestation(&KEY, [9; 16]);
    draft.subject.clone_from(&draft.issuer);
    draft.extensions.truncate(1);
    draft.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(0x01, &[0xff]));
    draft
});
static ANCHOR: LazyLock<TrustAnchor> =
    LazyLock::new(|| TrustAnchor::from_der("the issuer", &CA.sign(&KEY)).unwrap());
/// The issuer's name in DER.
static ISSUER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let certificate = x509_cert::Certificate::from_der(ANCHOR.as_der()).unwrap();
    certificate.tbs_certificate().subject().to_der().unwrap()
});
static LEAF: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = SigningKey::new(-7, b"leaf").unwrap();
    let mut draft = CertificateDraft::attestation(&key, [9; 16]);
    draft.serial_number = SERIAL_NUMBER.to_vec();
    draft.sign(&KEY)
});

/// A mode, and a list (0), or the part of it that the issuer signs here (1), so that what is judged is more than
/// signatures.
pub fn revocation_lists(data: &[u8]) {
    let Some((mode, content)) = data.split_first() else {
        return;
    };
    let list = if mode % 2 == 0 {
        content.to_vec()
    } else {
        signed(content)
    };
    let Ok(lists) = RevocationLists::from_der([list.as_slice()]) else {
        return;
    };
    assert_eq!(lists.len(), 1);
    let verdict = judge(&lists);
    let twice = RevocationLists::from_der([list.as_slice(), list.as_slice()]).unwrap();
    assert_eq!(judge(&twice), verdict);
    // By another reader's account.
    let read = CertificateList::<Rfc5280>::from_der(&list).unwrap().tbs_cert_list;
    let is_issuers = read.issuer.to_der().unwrap() == *ISSUER;
    let is_listed = read
        .revoked_certificates
        .iter()
        .flatten()
        .any(|revoked| revoked.serial_number.as_bytes() == SERIAL_NUMBER);
    let is_partial = read
        .crl_extensions
        .iter()
        .flatten()
        .any(|extension| extension.extn_id.to_string() == DISTRIBUTION_POINT);
    match verdict {
        Ok(()) => assert!(!is_issuers || !is_listed || is_partial),
        Err(PathError::Revoked) => assert!(is_issuers && is_listed),
        Err(error) => {
            assert_eq!(error, PathError::RevocationList);
            assert!(is_issuers);
        }
    }
}

fn judge(lists: &RevocationLists) -> Result<(), PathError> {
    let policy = PathPolicy {
        // 2026-01-01T00:00:00Z.
        at: UnixTime::from_millis(1_767_225_600_000),
        sha1: Sha1::Refuse,
        revoked: Some(lists),
    };
    validate_path(&[&LEAF], &[&ANCHOR], &policy).map(|_| ())
}

fn signed(part: &[u8]) -> Vec<u8> {
    let signature = tlv(0x03, &[&[0], KEY.sign(part).as_slice()].concat());
    tlv(
        0x30,
        &[part, &KEY.signature_algorithm_identifier(), &signature].concat(),
    )
}

/// The first inputs, by name.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let draft = |revoked: &[&[u8]]| RevocationListDraft {
        issuer: CA.issuer.clone(),
        updates: ("20250601000000Z".into(), "20260601000000Z".into()),
        revoked: revoked.iter().map(|serial| serial.to_vec()).collect(),
    };
    let mut seeds = Vec::new();
    let stranger = SigningKey::new(-7, b"stranger").unwrap();
    for (name, revoked) in [
        ("none", &[][..]),
        ("other", &[&[5][..], &[6, 7]]),
        ("leaf", &[&[5][..], SERIAL_NUMBER]),
    ] {
        let list = draft(revoked).sign(&KEY);
        let part = CertificateList::<Rfc5280>::from_der(&list)
            .unwrap()
            .tbs_cert_list
            .to_der()
            .unwrap();
        seeds.push((format!("seed-{name}"), [&[0], list.as_slice()].concat()));
        seeds.push((format!("seed-{name}-part"), [&[1], part.as_slice()].concat()));
        let forged = draft(revoked).sign(&stranger);
        seeds.push((format!("seed-{name}-forged"), [&[0], forged.as_slice()].concat()));
    }
    seeds
}
