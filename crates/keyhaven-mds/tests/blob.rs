//! Who signed a BLOB, when, and which: one spoiled BLOB for each rule.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod support;

use keyhaven_core::{PathError, UnixTime};
use keyhaven_mds::{BlobError, Date, Issue, UnverifiedBlob};
use keyhaven_testkit::authenticator::{RevocationListDraft, SigningKey};
use serde_json::{Value, json};
use support::{AT, Draft, certificate, entry, key, named, standard};

const MODEL: &str = "00000000-0000-0000-0000-000000000001";

fn draft() -> Draft {
    Draft::new(vec![entry(MODEL, &[("FIDO_CERTIFIED", "2024-01-01")])])
}

#[test]
fn a_blob_is_read_whole() {
    let blob = draft().blob().unwrap();
    assert_eq!(blob.issue().number, 7);
    assert_eq!(blob.issue().next_update.to_string(), "2026-02-01");
    assert_eq!(blob.legal_header(), Some("terms"));
    assert_eq!((blob.entries().len(), blob.dropped().len()), (1, 0));
    assert!(!blob.is_overdue(AT));
    // The last moment of that day, and the first of the next.
    assert!(!blob.is_overdue(UnixTime::from_millis(1_769_990_399_999)));
    assert!(blob.is_overdue(UnixTime::from_millis(1_769_990_400_000)));
    // Files end with a line feed.
    let mut bytes = draft().sign();
    bytes.push(b'\n');
    assert!(draft().judge(&bytes).is_ok());
}

#[test]
fn anything_can_be_looked_at_unverified() {
    let mut forged = draft();
    forged.signer = key("another");
    for bytes in [forged.sign(), forged.payload.to_string().into_bytes()] {
        let unverified = UnverifiedBlob::read(&bytes).unwrap();
        assert_eq!(unverified.issue().number, 7);
        assert_eq!((unverified.entries().len(), unverified.dropped().len()), (1, 0));
    }
    for bytes in [&b""[..], b"AAAA", b"A.%.A", b"A.AAAA.A", b"{}"] {
        assert!(UnverifiedBlob::read(bytes).is_err());
    }
}

#[test]
fn an_rs256_signature_is_accepted_too() {
    let mut rs256 = draft();
    rs256.header["alg"] = "RS256".into();
    rs256.signer = SigningKey::new(-257, b"").unwrap();
    rs256.leaf.subject_public_key_info = rs256.signer.subject_public_key_info();
    assert!(rs256.blob().is_ok());
    assert_eq!(rs256.spoiled(|d| d.signer = key("signer")), BlobError::Signature);
}

#[test]
fn the_algorithm_is_one_of_two_and_fits_the_key() {
    for algorithm in ["none", "HS256", "ES384", "es256", ""] {
        let refused = draft().spoiled(|d| d.header["alg"] = algorithm.into());
        assert_eq!(refused, BlobError::Algorithm, "{algorithm}");
    }
    assert_eq!(
        draft().spoiled(|d| d.header["alg"] = "RS256".into()),
        BlobError::Signature
    );
}

#[test]
fn the_signature_covers_header_and_payload() {
    let bytes = draft().sign();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(
        draft().spoiled(|d| d.signer = key("another")),
        BlobError::Signature
    );
    // Another payload under the same signature.
    let mut other = draft();
    other.payload["no"] = 8.into();
    let other = String::from_utf8(other.sign()).unwrap();
    let [header, _, signature] = text.split('.').collect::<Vec<_>>()[..] else {
        panic!("not three parts")
    };
    let payload = other.split('.').nth(1).unwrap();
    let mixed = format!("{header}.{payload}.{signature}");
    assert_eq!(draft().judge(mixed.as_bytes()).unwrap_err(), BlobError::Signature);
    // Every byte of the signature, in its one length; r || s, not DER.
    for at in text.len() - signature.len()..text.len() - 1 {
        let mut bytes = bytes.clone();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(draft().judge(&bytes).unwrap_err(), BlobError::Signature, "{at}");
    }
    let der = key("signer").sign(format!("{header}.{payload}").as_bytes());
    let with_der = format!("{header}.{payload}.{}", keyhaven_core::base64url::encode(&der));
    assert_eq!(
        draft().judge(with_der.as_bytes()).unwrap_err(),
        BlobError::Signature
    );
}

#[test]
fn small_and_large_numbers_in_a_signature_are_carried_over() {
    // Of so many signatures some have an r or s with leading zeros, and half have a set top bit.
    for number in 0..300 {
        let mut draft = Draft::new(Vec::<Value>::new());
        draft.payload["no"] = number.into();
        assert!(draft.blob().is_ok(), "{number}");
    }
}

#[test]
fn it_has_three_parts_in_base64url() {
    let text = String::from_utf8(draft().sign()).unwrap();
    let refused = |text: &str| draft().judge(text.as_bytes()).unwrap_err();
    for text in [
        String::new(),
        ".".into(),
        text.replace('.', ""),
        text.replacen('.', "", 1),
        format!("{text}."),
        format!("{text}=="),
        text.replacen('.', "..", 1),
        format!("x{text}"),
    ] {
        let error = refused(&text);
        assert!(
            matches!(error, BlobError::NotCompact | BlobError::Header(_)),
            "{error}"
        );
    }
    assert_eq!(
        draft().judge(&[0xff, b'.', b'.']).unwrap_err(),
        BlobError::NotCompact
    );
    assert_eq!(
        draft().judge(&vec![b'A'; (64 << 20) + 1]).unwrap_err(),
        BlobError::TooLong
    );
}

#[test]
fn the_header_has_a_chain_and_nothing_critical() {
    let header = |refused: BlobError| assert!(matches!(refused, BlobError::Header(_)), "{refused}");
    header(draft().spoiled(|d| d.header["crit"] = json!(["b64"])));
    header(draft().spoiled(|d| d.header["x5c"] = json!([])));
    header(draft().spoiled(|d| d.header["x5c"] = json!(["%"])));
    header(draft().spoiled(|d| d.header["x5c"] = json!("AAAA")));
    header(draft().spoiled(|d| {
        let signer = d.header["x5c"][0].clone();
        d.header["x5c"] = json!(vec![signer; 17]);
    }));
    header(draft().spoiled(|d| d.header["alg"] = 7.into()));
    header(draft().spoiled(|d| drop(d.header.as_object_mut().unwrap().remove("alg"))));
}

#[test]
fn the_chain_leads_to_the_root_while_it_is_valid() {
    let path = |error| BlobError::Path(error);
    assert_eq!(
        draft().spoiled(|d| d.at = UnixTime::from_millis(1_767_225_599_999)),
        path(PathError::Validity)
    );
    assert_eq!(
        draft().spoiled(|d| d.leaf.validity.1 = "20260114235959Z".into()),
        path(PathError::Validity)
    );
    assert_eq!(
        draft().spoiled(|d| d.upper.extensions.clear()),
        path(PathError::NotACa)
    );
    // A chain of the attacker's own, root and all.
    let refused = draft().spoiled(|d| {
        d.signer = key("evil");
        let evil = certificate("evil", "evil", named(support::NAME)).sign(&key("evil"));
        d.header["x5c"] = json!([standard(&evil)]);
    });
    assert_eq!(refused, path(PathError::NoPath));
}

#[test]
fn the_signer_is_not_revoked() {
    let list = |issuer: &str, revoked: u8| {
        RevocationListDraft {
            issuer: certificate(issuer, "", Vec::new()).subject,
            updates: ("20260101000000Z".into(), "20260201000000Z".into()),
            revoked: vec![vec![revoked]],
        }
        .sign(&key(issuer))
    };
    for issuer in ["root", "upper"] {
        assert_eq!(
            draft().spoiled(|d| d.lists = vec![list(issuer, 1)]),
            BlobError::Path(PathError::Revoked)
        );
        let mut draft = draft();
        draft.lists = vec![list(issuer, 2)];
        assert!(draft.blob().is_ok());
    }
}

#[test]
fn the_signer_has_the_name_that_is_expected() {
    let other = || BlobError::Signer {
        expected: support::NAME.into(),
    };
    assert_eq!(
        draft().spoiled(|d| d.leaf.extensions = named("evil.example.org")),
        other()
    );
    // The common name is not a name.
    assert_eq!(
        draft().spoiled(|d| {
            d.leaf.extensions.clear();
            d.leaf.subject[0].text = support::NAME.into();
        }),
        other()
    );
    // Unless the root certifies nobody else.
    let mut draft = draft();
    draft.leaf.extensions.clear();
    draft.expected = "";
    assert!(draft.blob().is_ok());
}

#[test]
fn an_older_blob_is_not_taken_for_the_one_in_use() {
    let in_use = |number, next_update: &str| {
        let next_update = Date::parse(next_update).unwrap();
        Some(Issue { number, next_update })
    };
    let refused = draft().spoiled(|d| d.previous = in_use(8, "2026-02-01"));
    assert!(matches!(
        refused,
        BlobError::Rollback {
            received: 7,
            in_use: 8,
            ..
        }
    ));
    let refused = draft().spoiled(|d| d.previous = in_use(7, "2026-02-02"));
    assert!(matches!(refused, BlobError::Rollback { .. }));
    for previous in [
        in_use(7, "2026-02-01"),
        in_use(6, "2026-01-01"),
        in_use(6, "2026-02-01"),
    ] {
        let mut draft = draft();
        draft.previous = previous;
        assert!(draft.blob().is_ok());
    }
}

#[test]
fn the_payload_is_that_of_a_blob() {
    let payload = |refused: BlobError| assert!(matches!(refused, BlobError::Payload(_)), "{refused}");
    for member in ["no", "nextUpdate", "entries"] {
        payload(draft().spoiled(|d| drop(d.payload.as_object_mut().unwrap().remove(member))));
    }
    payload(draft().spoiled(|d| d.payload["no"] = (-1).into()));
    payload(draft().spoiled(|d| d.payload["no"] = "7".into()));
    payload(draft().spoiled(|d| d.payload["nextUpdate"] = "soon".into()));
    payload(draft().spoiled(|d| d.payload["entries"] = json!({})));
}

#[test]
fn a_bad_entry_is_dropped_and_counted_and_never_the_blob() {
    let good = || entry(MODEL, &[("FIDO_CERTIFIED", "2024-01-01")]);
    let spoil = |spoil: &dyn Fn(&mut Value)| {
        let mut entry = good();
        spoil(&mut entry);
        entry
    };
    let bad = [
        json!(1),
        json!({}),
        spoil(&|e| drop(e.as_object_mut().unwrap().remove("aaguid"))),
        spoil(&|e| e["aaguid"] = "none".into()),
        spoil(&|e| e["aaid"] = "4e4e#4005".into()),
        spoil(&|e| e["attestationCertificateKeyIdentifiers"] = json!(["0A".repeat(20)])),
        spoil(&|e| drop(e.as_object_mut().unwrap().remove("statusReports"))),
        spoil(&|e| e["statusReports"] = json!([])),
        spoil(&|e| e["statusReports"][0]["status"] = 1.into()),
        spoil(&|e| e["statusReports"][0]["effectiveDate"] = "2024".into()),
        spoil(&|e| e["metadataStatement"] = "x".into()),
        spoil(&|e| e["metadataStatement"]["aaguid"] = "00000000-0000-0000-0000-000000000002".into()),
        spoil(&|e| e["metadataStatement"]["keyProtection"] = 2.into()),
        spoil(&|e| {
            drop(
                e["metadataStatement"]
                    .as_object_mut()
                    .unwrap()
                    .remove("attestationTypes"),
            )
        }),
        spoil(&|e| {
            e.as_object_mut().unwrap().remove("aaguid");
            e["attestationCertificateKeyIdentifiers"] = json!(["00".repeat(19)]);
        }),
    ];
    for bad in bad {
        let blob = Draft::new(vec![good(), bad.clone(), good()]).blob().unwrap();
        assert_eq!(blob.entries().len(), 2, "{bad}");
        let dropped: Vec<usize> = blob.dropped().iter().map(|dropped| dropped.index).collect();
        assert_eq!(dropped, [1], "{bad}");
    }
    // What is good stays: other members, private statements, upper-case UUIDs, broken lines of base64, and members that
    // decide nothing, whatever is in them.
    for fine in [
        spoil(&|e| e["x"] = json!([1])),
        spoil(&|e| drop(e.as_object_mut().unwrap().remove("metadataStatement"))),
        spoil(&|e| e["attestationCertificateKeyIdentifiers"] = Value::Null),
        spoil(&|e| e["timeOfLastStatusChange"] = "long ago".into()),
        spoil(&|e| e["statusReports"][0]["certificateNumber"] = 12.into()),
        spoil(&|e| e["statusReports"][0]["authenticatorVersion"] = json!(5.5)),
        spoil(&|e| e["statusReports"][0]["url"] = json!(["x"])),
        spoil(&|e| {
            let text = e["metadataStatement"]["attestationRootCertificates"][0]
                .as_str()
                .unwrap();
            e["metadataStatement"]["attestationRootCertificates"][0] = text.replacen('A', "A\n ", 3).into();
        }),
    ] {
        let blob = Draft::new(vec![fine]).blob().unwrap();
        assert!(blob.dropped().is_empty());
        let anchors = blob.entries()[0]
            .statement
            .as_ref()
            .map(|statement| statement.anchors.len());
        assert!(anchors.is_none_or(|count| count == 1));
    }
}

#[test]
fn a_certificate_that_is_none_is_no_anchor() {
    let mut entry = entry(MODEL, &[("FIDO_CERTIFIED", "2024-01-01")]);
    let certificates = &mut entry["metadataStatement"]["attestationRootCertificates"];
    certificates
        .as_array_mut()
        .unwrap()
        .extend([json!("AAAA"), json!("%")]);
    let blob = Draft::new(vec![entry]).blob().unwrap();
    let statement = blob.entries()[0].statement.as_ref().unwrap();
    assert_eq!((statement.anchors.len(), statement.dropped_anchors), (1, 2));
    assert_eq!(statement.anchors[0].label(), "MDS: Example Key");
}
