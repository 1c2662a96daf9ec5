//! A metadata BLOB, as it is downloaded, and with a payload or a header of the input's that is signed as it stands.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a target fails"
)]
#![allow(
    unreachable_pub,
    reason = "public where it is the fuzzer's, private where it is a test's"
)]

#[path = "../../crates/keyhaven-mds/tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use keyhaven_core::{
    AttestationFormat, AttestationType, ClaimedAaguid, TrustAnchor, TrustAnchorSource as _, TrustAnchors,
    TrustQuery, UnixTime, base64url,
};
use keyhaven_mds::{
    Blob, BlobError, Issue, MetadataSource, Signer, StatusPolicy, UnverifiedBlob, Verification,
};
use serde_json::{Value, json};
use support::{AT, Draft, NAME, entry, key, standard};

static ROOT: LazyLock<TrustAnchor> = LazyLock::new(Draft::root);
static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let draft = Draft::new(json!([]));
    let path = [draft.leaf.sign(&key("upper")), draft.upper.sign(&key("root"))];
    let x5c: Vec<String> = path.iter().map(|der| standard(der)).collect();
    json!({"alg": "ES256", "x5c": x5c}).to_string().into_bytes()
});
static PAYLOAD: LazyLock<Vec<u8>> = LazyLock::new(|| Draft::new(json!([])).payload.to_string().into_bytes());

/// A mode, and the BLOB (0), its payload (1) or its header (2).
pub fn mds_blob(data: &[u8]) {
    let Some((mode, content)) = data.split_first() else {
        return;
    };
    match mode % 3 {
        0 => {
            if verify(content, AT, None).is_ok() {
                assert!(UnverifiedBlob::read(content).is_ok());
            }
        }
        1 => payload(content),
        _ => header(content),
    }
}

/// A payload that was signed is taken as it is read unsigned, and as another reader reads it.
fn payload(json: &[u8]) {
    let bytes = signed(&HEADER, json);
    let unverified = UnverifiedBlob::read(&bytes);
    let verified = verify(&bytes, AT, None);
    assert_eq!(verified.is_ok(), unverified.is_ok(), "{verified:?}");
    let Ok(blob) = verified else {
        return;
    };
    let issue = blob.issue();
    if let Ok(theirs) = serde_json::from_slice::<Value>(json) {
        assert_eq!(theirs["no"], issue.number);
        assert_eq!(
            theirs["entries"].as_array().unwrap().len(),
            blob.entries().len() + blob.dropped().len()
        );
    }
    // The same again is no older one; after a later one it is.
    assert!(verify(&bytes, AT, Some(issue)).is_ok());
    if let Some(number) = issue.number.checked_add(1) {
        let later = Issue { number, ..issue };
        assert!(matches!(
            verify(&bytes, AT, Some(later)),
            Err(BlobError::Rollback { .. })
        ));
    }
    // Nobody else's signature will do.
    let mut forged = bytes;
    let signature = forged.iter().rposition(|&byte| byte == b'.').unwrap() + 1;
    forged[signature] ^= 1;
    assert!(verify(&forged, AT, None).is_err());
    // A model that is looked up is judged by its own entries.
    let source = MetadataSource::new(blob, StatusPolicy::default(), TrustAnchors::default());
    for entry in source.blob().entries().iter().take(8) {
        let Some(aaguid) = entry.aaguid else {
            continue;
        };
        assert!(source.by_aaguid(aaguid).any(|found| found.aaguid == Some(aaguid)));
        let query = TrustQuery {
            format: AttestationFormat::Packed,
            attestation_type: AttestationType::Basic,
            aaguid: ClaimedAaguid::new(aaguid),
            aaguid_certified: false,
            key_identifier: [0; 20],
            at: AT,
        };
        if let Ok(anchors) = source.anchors_for(&query) {
            let most: usize = source
                .by_aaguid(aaguid)
                .filter_map(|entry| entry.statement.as_ref())
                .map(|statement| statement.anchors.len())
                .sum();
            assert!(anchors.len() <= most);
        }
    }
}

/// A header that was signed is taken only where another reader finds the algorithm and certificates in it.
fn header(json: &[u8]) {
    if verify(&signed(json, &PAYLOAD), AT, None).is_ok()
        && let Ok(theirs) = serde_json::from_slice::<Value>(json)
    {
        assert_eq!(theirs["alg"], "ES256");
        assert!(!theirs["x5c"].as_array().unwrap().is_empty());
        assert!(theirs.get("crit").is_none());
    }
}

fn verify(bytes: &[u8], at: UnixTime, previous: Option<Issue>) -> Result<Blob, BlobError> {
    Blob::verify(
        bytes,
        &Verification {
            roots: std::slice::from_ref(&*ROOT),
            signer: Signer::DnsName(NAME),
            at,
            revoked: None,
            previous,
        },
    )
}

fn signed(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = key("signer").sign_jose(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(&signature)).into_bytes()
}

/// The first inputs, by name.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let of_mode = |mode: u8, content: &[u8]| [&[mode], content].concat();
    let mut seeds = Vec::new();
    let mut add = |name: &str, bytes| seeds.push((format!("seed-{name}"), bytes));
    let model = "00000000-0000-0000-0000-000000000001";
    let empty = Draft::new(json!([]));
    add("blob", of_mode(0, &empty.sign()));
    add("bare-payload", of_mode(0, &PAYLOAD));
    add("header", of_mode(2, &HEADER));
    let mut u2f = entry(model, &[("FIDO_CERTIFIED_L2", "2025-01-01")]);
    u2f.as_object_mut().unwrap().remove("aaguid");
    u2f["attestationCertificateKeyIdentifiers"] = json!(["00112233445566778899aabbccddeeff00112233"]);
    let mut overdue = Draft::new(json!([u2f]));
    overdue.payload["nextUpdate"] = "2025-01-01".into();
    add("u2f", of_mode(1, overdue.payload.to_string().as_bytes()));
    for status in ["FIDO_CERTIFIED_L1", "REVOKED", "UPDATE_AVAILABLE", "UNHEARD_OF"] {
        let draft = Draft::new(json!([
            entry(model, &[("FIDO_CERTIFIED", "2024-01-01"), (status, "2025-06-01")]),
            {"aaguid": 1},
        ]));
        let name = status.to_lowercase().replace('_', "-");
        add(&name, of_mode(1, draft.payload.to_string().as_bytes()));
    }
    seeds
}
