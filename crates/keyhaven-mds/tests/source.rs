//! Which models a policy accepts, and the anchors they have then.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod support;

use keyhaven_core::*;
use keyhaven_mds::{CertificationLevel, Fips140Level, MetadataSource, Status, StatusPolicy, UnknownStatus};
use serde_json::{Value, json};
use support::{AT, Draft, certificate, entry, key, maker, standard};

const MODEL: &str = "00000000-0000-0000-0000-000000000001";
const KEY_IDENTIFIER: &str = "00112233445566778899aabbccddeeff00112233";

fn query(aaguid: &str) -> TrustQuery {
    TrustQuery {
        format: AttestationFormat::Packed,
        attestation_type: AttestationType::Basic,
        aaguid: ClaimedAaguid::new(aaguid.parse().unwrap()),
        aaguid_certified: false,
        key_identifier: [0; 20],
        at: AT,
    }
}

fn source(entries: Vec<Value>, policy: StatusPolicy) -> MetadataSource {
    let blob = Draft::new(entries).blob().unwrap();
    assert!(blob.dropped().is_empty(), "{:?}", blob.dropped());
    MetadataSource::new(blob, policy, TrustAnchors::new())
}

/// The refusal of a model with these statuses, if it is refused.
fn refusal(statuses: &[(&str, &str)], policy: StatusPolicy) -> Option<String> {
    match source(vec![entry(MODEL, statuses)], policy).anchors_for(&query(MODEL)) {
        Ok(anchors) => {
            assert_eq!(anchors.len(), 1);
            None
        }
        Err(refused) => Some(refused.reason.into()),
    }
}

fn is_refused(statuses: &[(&str, &str)]) -> bool {
    refusal(statuses, StatusPolicy::default()).is_some()
}

const CERTIFIED: (&str, &str) = ("FIDO_CERTIFIED_L1", "2022-01-01");

#[test]
fn broken_and_revoked_models_are_refused_whatever_came_later() {
    for status in [
        "ATTESTATION_KEY_COMPROMISE",
        "REVOKED",
        "USER_KEY_PHYSICAL_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_VERIFICATION_BYPASS",
    ] {
        let broken = (status, "2023-05-06");
        let reason = refusal(&[CERTIFIED, broken], StatusPolicy::default()).unwrap();
        assert_eq!(reason, format!("status {status} since 2023-05-06"));
        // All reports count, not the newest, and not the last in the list.
        assert!(is_refused(&[broken, CERTIFIED]));
        assert!(is_refused(&[
            broken,
            ("UPDATE_AVAILABLE", "2024-01-01"),
            ("FIDO_CERTIFIED_L2", "2025-01-01")
        ]));
        // Not before it is effective, and from its first moment on: AT is midnight.
        assert!(!is_refused(&[CERTIFIED, (status, "2026-01-16")]));
        assert!(is_refused(&[CERTIFIED, (status, "2026-01-15")]));
        let policy = StatusPolicy {
            refused: Vec::new(),
            ..StatusPolicy::default()
        };
        assert_eq!(refusal(&[CERTIFIED, broken], policy), None);
    }
    // Without a date it has always been so.
    let mut revoked = entry(MODEL, &[]);
    revoked["statusReports"] = json!([{"status": "REVOKED"}]);
    assert!(
        source(vec![revoked], StatusPolicy::default())
            .anchors_for(&query(MODEL))
            .is_err()
    );
}

#[test]
fn other_statuses_are_the_policys() {
    for (name, status) in [
        ("UPDATE_AVAILABLE", Status::UpdateAvailable),
        ("SELF_ASSERTION_SUBMITTED", Status::SelfAssertionSubmitted),
        ("NOT_FIDO_CERTIFIED", Status::NotFidoCertified),
        ("RETIRED", Status::Retired),
        (
            "FIPS140_CERTIFIED_L1",
            Status::Fips140CertifiedAt(Fips140Level::L1),
        ),
        (
            "FIPS140_CERTIFIED_L2",
            Status::Fips140CertifiedAt(Fips140Level::L2),
        ),
        (
            "FIPS140_CERTIFIED_L3",
            Status::Fips140CertifiedAt(Fips140Level::L3),
        ),
        (
            "FIPS140_CERTIFIED_L4",
            Status::Fips140CertifiedAt(Fips140Level::L4),
        ),
    ] {
        assert_eq!(status.as_str(), name);
        assert!(!is_refused(&[(name, "2025-01-01")]));
        let policy = StatusPolicy {
            refused: vec![status],
            ..StatusPolicy::default()
        };
        assert!(refusal(&[(name, "2025-01-01")], policy).is_some(), "{name}");
    }
    // MDS 3.1 §3.1.4: what is unknown is ignored, in silence.
    assert!(!is_refused(&[CERTIFIED, ("ON_FIRE", "2025-01-01")]));
    let refuses = |date| {
        let policy = StatusPolicy {
            unknown_status: UnknownStatus::Refuse,
            ..StatusPolicy::default()
        };
        refusal(&[CERTIFIED, ("ON_FIRE", date)], policy).is_some()
    };
    assert!(refuses("2025-01-01"));
    assert!(!refuses("2026-02-01"));
}

#[test]
fn certification_is_the_highest_that_holds() {
    use CertificationLevel as Level;
    let level = |statuses: &[(&str, &str)]| {
        let source = source(vec![entry(MODEL, statuses)], StatusPolicy::default());
        let entry = source.by_aaguid(MODEL.parse().unwrap()).next().unwrap();
        CertificationLevel::of(&entry.status_reports, AT)
    };
    for (name, expected) in [
        ("NOT_FIDO_CERTIFIED", Level::None),
        ("UPDATE_AVAILABLE", Level::None),
        ("FIPS140_CERTIFIED_L3", Level::None),
        ("FIDO_CERTIFIED", Level::Functional),
        ("FIDO_CERTIFIED_L1", Level::L1),
        ("FIDO_CERTIFIED_L1plus", Level::L1Plus),
        ("FIDO_CERTIFIED_L2", Level::L2),
        ("FIDO_CERTIFIED_L2plus", Level::L2Plus),
        ("FIDO_CERTIFIED_L3", Level::L3),
        ("FIDO_CERTIFIED_L3plus", Level::L3Plus),
    ] {
        assert_eq!(level(&[(name, "2025-01-01")]), expected, "{name}");
        assert_eq!(level(&[(name, "2026-02-01")]), Level::None, "{name}");
    }
    assert_eq!(
        level(&[
            ("FIDO_CERTIFIED_L2", "2023-01-01"),
            ("FIDO_CERTIFIED", "2024-01-01")
        ]),
        Level::L2
    );
    assert_eq!(
        level(&[
            ("FIDO_CERTIFIED_L2", "2023-01-01"),
            ("NOT_FIDO_CERTIFIED", "2024-01-01")
        ]),
        Level::None
    );
    assert_eq!(
        level(&[
            ("NOT_FIDO_CERTIFIED", "2023-01-01"),
            ("FIDO_CERTIFIED_L2", "2024-01-01")
        ]),
        Level::L2
    );
    let at_least = |minimum_certification| StatusPolicy {
        minimum_certification,
        ..StatusPolicy::default()
    };
    assert_eq!(refusal(&[CERTIFIED], at_least(Level::L1)), None);
    assert_eq!(
        refusal(&[CERTIFIED], at_least(Level::L1Plus)).unwrap(),
        "certification L1, less than L1+"
    );
}

#[test]
fn key_protection_is_one_of_those_asked_for() {
    let any_of = |kinds: &[&str]| StatusPolicy {
        key_protection_any_of: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        ..StatusPolicy::default()
    };
    assert_eq!(refusal(&[CERTIFIED], any_of(&["secure_element"])), None);
    assert_eq!(refusal(&[CERTIFIED], any_of(&["tee", "hardware"])), None);
    assert!(refusal(&[CERTIFIED], any_of(&["tee"])).is_some());
    // A private statement tells nothing.
    let mut private = entry(MODEL, &[CERTIFIED]);
    private.as_object_mut().unwrap().remove("metadataStatement");
    let private = vec![private];
    assert!(
        source(private.clone(), any_of(&["tee"]))
            .anchors_for(&query(MODEL))
            .is_err()
    );
    let anchors = source(private, StatusPolicy::default());
    assert_eq!(anchors.anchors_for(&query(MODEL)).unwrap(), []);
}

#[test]
fn anchors_say_where_the_model_keeps_its_keys() {
    let protection = |kinds: Value| {
        let mut entry = entry(MODEL, &[CERTIFIED]);
        entry["metadataStatement"]["keyProtection"] = kinds;
        let source = source(vec![entry], StatusPolicy::default());
        source.anchors_for(&query(MODEL)).unwrap()[0].protection
    };
    for hardware in [
        json!(["hardware"]),
        json!(["tee", "remote_handle"]),
        json!(["hardware", "secure_element"]),
    ] {
        assert_eq!(protection(hardware), KeyProtection::Hardware);
    }
    assert_eq!(protection(json!(["software"])), KeyProtection::Software);
    assert_eq!(
        protection(json!(["software", "hardware"])),
        KeyProtection::Software
    );
    for unknown in [json!([]), json!(["remote_handle"]), json!(["new"])] {
        assert_eq!(protection(unknown), KeyProtection::Unknown);
    }
}

#[test]
fn metadata_that_are_long_overdue_vouch_for_nobody() {
    // nextUpdate is 2026-02-01; 30 days later is 2026-03-03.
    let source = |max_overdue_days| {
        let policy = StatusPolicy {
            max_overdue_days,
            ..StatusPolicy::default()
        };
        source(vec![entry(MODEL, &[CERTIFIED])], policy)
    };
    let at = |source: &MetadataSource, seconds: i64| {
        let query = TrustQuery {
            at: UnixTime::from_millis(seconds * 1000),
            ..query(MODEL)
        };
        source.anchors_for(&query).map(|anchors| anchors.len())
    };
    let midnight = 1_772_496_000;
    assert_eq!(at(&source(Some(30)), midnight), Ok(1));
    assert!(at(&source(Some(30)), midnight + 1).is_err());
    assert!(at(&source(Some(0)), midnight).is_err());
    assert_eq!(at(&source(None), midnight * 2), Ok(1));
}

/// As the roots of several models in FIDO's BLOB are.
#[test]
fn a_root_that_does_not_say_it_is_a_ca_vouches_for_its_model() {
    let is_authority = |subject: &str, issuer: &str| {
        let mut entry = entry(MODEL, &[CERTIFIED]);
        let root = certificate(subject, issuer, Vec::new()).sign(&key(issuer));
        entry["metadataStatement"]["attestationRootCertificates"] = json!([standard(&root)]);
        let source = source(vec![entry], StatusPolicy::default());
        source.anchors_for(&query(MODEL)).unwrap()[0]
            .anchor
            .is_authority()
    };
    assert!(is_authority("maker", "maker"));
    assert!(!is_authority("leaf", "maker"));
}

#[test]
fn models_are_found_by_aaguid() {
    let other = "00000000-0000-0000-0000-000000000002";
    let source = source(vec![entry(MODEL, &[CERTIFIED])], StatusPolicy::default());
    let anchors = source.anchors_for(&query(MODEL)).unwrap();
    assert_eq!(anchors[0].scope, AnchorScope::Model);
    assert_eq!(anchors[0].anchor.label(), "MDS: Example Key");
    assert_eq!(source.anchors_for(&query(other)).unwrap(), []);
    assert_eq!(source.anchors_for(&query(&Aaguid::ZERO.to_string())).unwrap(), []);
    // A U2F signature does not cover the AAGUID, so nobody is found by it.
    assert_eq!(source.anchors_for(&u2f(MODEL)).unwrap(), []);
}

fn u2f(aaguid: &str) -> TrustQuery {
    TrustQuery {
        format: AttestationFormat::FidoU2f,
        ..query(aaguid)
    }
}

#[test]
fn models_without_an_aaguid_are_found_by_key_identifier() {
    let source = source(vec![by_key(&[CERTIFIED])], StatusPolicy::default());
    let identifier = key_identifier();
    assert_eq!(source.by_key_identifier(&identifier).count(), 1);
    for format in [AttestationFormat::FidoU2f, AttestationFormat::Packed] {
        let by = |key_identifier| TrustQuery {
            format,
            key_identifier,
            ..query(&Aaguid::ZERO.to_string())
        };
        let anchors = source.anchors_for(&by(identifier)).unwrap();
        assert_eq!(anchors[0].scope, AnchorScope::AnyModel);
        assert_eq!(source.anchors_for(&by([1; 20])).unwrap(), []);
    }
}

/// KEY_IDENTIFIER's bytes.
fn key_identifier() -> [u8; 20] {
    let mut identifier = [0; 20];
    for (at, byte) in identifier.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&KEY_IDENTIFIER[2 * at..2 * at + 2], 16).unwrap();
    }
    identifier
}

/// An entry on a model without an AAGUID.
fn by_key(statuses: &[(&str, &str)]) -> Value {
    let mut entry = entry(MODEL, statuses);
    entry.as_object_mut().unwrap().remove("aaguid");
    entry["attestationCertificateKeyIdentifiers"] = json!(["ff".repeat(20), KEY_IDENTIFIER]);
    entry
}

#[test]
fn an_attestation_key_that_is_reported_refuses_whatever_model_it_claims() {
    let source = |statuses: &[(&str, &str)]| {
        let entries = vec![entry(MODEL, &[CERTIFIED]), by_key(statuses)];
        source(entries, StatusPolicy::default())
    };
    let by = |key_identifier| TrustQuery {
        key_identifier,
        aaguid_certified: true,
        ..query(MODEL)
    };
    let revoked = source(&[("REVOKED", "2020-01-01")]);
    assert!(revoked.anchors_for(&by(key_identifier())).is_err());
    assert_eq!(revoked.anchors_for(&by([1; 20])).unwrap().len(), 1);
    // Otherwise it is the claimed model's entry alone that counts.
    assert_eq!(
        source(&[CERTIFIED])
            .anchors_for(&by(key_identifier()))
            .unwrap()
            .len(),
        1
    );
}

/// One anchor of the operator's.
fn local() -> TrustAnchors {
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD
        .decode(maker("local"))
        .unwrap();
    TrustAnchors::from_iter([TrustAnchor::from_der("local", &der).unwrap()])
}

#[test]
fn a_model_whose_entry_cannot_be_read_is_refused_local_anchors_or_not() {
    let spoiled = |mut entry: Value| {
        entry["statusReports"] = json!([{"status": "REVOKED", "effectiveDate": "2026-01-01T00:00:00Z"}]);
        entry
    };
    let source = |entries: Vec<Value>| {
        let blob = Draft::new(entries).blob().unwrap();
        MetadataSource::new(blob, StatusPolicy::default(), local())
    };
    let by_aaguid = source(vec![spoiled(entry(MODEL, &[CERTIFIED]))]);
    assert_eq!(by_aaguid.blob().dropped().len(), 1);
    assert!(by_aaguid.anchors_for(&query(MODEL)).is_err());
    let other = "00000000-0000-0000-0000-000000000002";
    assert_eq!(by_aaguid.anchors_for(&query(other)).unwrap().len(), 1);
    // However its identifier is written.
    let mut bare = spoiled(entry(MODEL, &[CERTIFIED]));
    bare["aaguid"] = "00000000000000000000000000000001".into();
    assert!(source(vec![bare]).anchors_for(&query(MODEL)).is_err());
    let mut upper = by_key(&[("REVOKED", "2020-01-01")]);
    upper["attestationCertificateKeyIdentifiers"] = json!([KEY_IDENTIFIER.to_ascii_uppercase()]);
    let upper = source(vec![upper]);
    assert_eq!(upper.blob().dropped().len(), 1);
    let of_key = TrustQuery {
        key_identifier: key_identifier(),
        ..query(MODEL)
    };
    assert!(upper.anchors_for(&of_key).is_err());
    let by_key = source(vec![spoiled(by_key(&[]))]);
    for aaguid in [MODEL, "00000000-0000-0000-0000-000000000000"] {
        let of = |key_identifier| TrustQuery {
            key_identifier,
            ..query(aaguid)
        };
        assert!(by_key.anchors_for(&of(key_identifier())).is_err());
        assert_eq!(by_key.anchors_for(&of([1; 20])).unwrap().len(), 1);
    }
}

#[test]
fn an_anchor_of_several_models_speaks_for_none_of_them() {
    let other = "00000000-0000-0000-0000-000000000002";
    let scope = |entries: Vec<Value>| {
        let source = source(entries, StatusPolicy::default());
        source.anchors_for(&query(MODEL)).unwrap()[0].scope
    };
    let own = entry(MODEL, &[CERTIFIED]);
    assert_eq!(scope(vec![own.clone()]), AnchorScope::Model);
    assert_eq!(scope(vec![own.clone(), own.clone()]), AnchorScope::Model);
    assert_eq!(
        scope(vec![own.clone(), entry(other, &[CERTIFIED])]),
        AnchorScope::AnyModel
    );
    assert_eq!(
        scope(vec![entry(other, &[CERTIFIED]), own.clone()]),
        AnchorScope::AnyModel
    );
    assert_eq!(scope(vec![own, by_key(&[CERTIFIED])]), AnchorScope::AnyModel);
}

const OTHER: &str = "00000000-0000-0000-0000-000000000002";

/// Two models under one anchor, of which the other one keeps its keys so and has these statuses.
fn siblings(key_protection: &str, statuses: &[(&str, &str)]) -> MetadataSource {
    let mut other = entry(OTHER, statuses);
    other["metadataStatement"]["keyProtection"] = json!([key_protection]);
    // The anchor is the same, by whatever name.
    other["metadataStatement"]["description"] = "Another Key".into();
    source(vec![entry(MODEL, &[CERTIFIED]), other], StatusPolicy::default())
}

#[test]
fn a_key_that_may_be_of_any_of_several_models_is_no_better_than_the_worst() {
    let certified = |aaguid| TrustQuery {
        aaguid_certified: true,
        ..query(aaguid)
    };
    let protection =
        |source: &MetadataSource, query: &TrustQuery| source.anchors_for(query).unwrap()[0].protection;
    for (kind, worst) in [
        ("software", KeyProtection::Software),
        ("new", KeyProtection::Unknown),
        ("tee", KeyProtection::Hardware),
    ] {
        let source = siblings(kind, &[CERTIFIED]);
        assert_eq!(protection(&source, &query(MODEL)), worst);
        assert_eq!(protection(&source, &query(OTHER)), worst);
        // The certificate says which it is.
        assert_eq!(protection(&source, &certified(MODEL)), KeyProtection::Hardware);
        assert_eq!(protection(&source, &certified(OTHER)), worst);
    }
    let source = siblings("hardware", &[("ATTESTATION_KEY_COMPROMISE", "2020-01-01")]);
    let refused = source.anchors_for(&query(MODEL)).unwrap_err();
    assert!(refused.reason.contains("ATTESTATION_KEY_COMPROMISE"), "{refused}");
    assert_eq!(source.anchors_for(&certified(MODEL)).unwrap().len(), 1);
    assert!(source.anchors_for(&certified(OTHER)).is_err());
}

#[test]
fn an_anchor_that_a_broken_model_shares_is_left_out_and_the_others_stay() {
    let mut both = entry(MODEL, &[CERTIFIED]);
    let anchors = both["metadataStatement"]["attestationRootCertificates"].as_array_mut();
    anchors.unwrap().push(maker("a second one").into());
    let entries = vec![both, entry(OTHER, &[("REVOKED", "2020-01-01")])];
    let blob = Draft::new(entries.clone()).blob().unwrap();
    let fingerprints: Vec<_> = blob.entries()[0]
        .statement
        .iter()
        .flat_map(|statement| statement.anchors.iter().map(TrustAnchor::fingerprint))
        .collect();
    let source = source(entries, StatusPolicy::default());
    let anchors = source.anchors_for(&query(MODEL)).unwrap();
    let found: Vec<_> = anchors.iter().map(|found| found.anchor.fingerprint()).collect();
    assert_eq!(found, fingerprints[1..]);
    assert_eq!(anchors[0].scope, AnchorScope::Model);
}

#[test]
fn entries_on_one_model_that_differ_count_by_the_worse() {
    let mut software = entry(MODEL, &[CERTIFIED]);
    software["metadataStatement"]["keyProtection"] = json!(["software"]);
    software["metadataStatement"]["description"] = "Example Key, renamed".into();
    let source = source(
        vec![entry(MODEL, &[CERTIFIED]), software],
        StatusPolicy::default(),
    );
    for found in source.anchors_for(&query(MODEL)).unwrap() {
        assert_eq!(found.protection, KeyProtection::Software);
        assert_eq!(found.scope, AnchorScope::Model);
    }
}

#[test]
fn a_claim_that_nobody_proves_may_hurt() {
    let with_local = |statuses: &[(&str, &str)]| {
        let blob = Draft::new(vec![entry(MODEL, statuses)]).blob().unwrap();
        MetadataSource::new(blob, StatusPolicy::default(), local())
    };
    assert_eq!(
        with_local(&[CERTIFIED]).anchors_for(&u2f(MODEL)).unwrap().len(),
        1
    );
    let revoked = with_local(&[("REVOKED", "2020-01-01")]);
    assert!(revoked.anchors_for(&u2f(MODEL)).is_err());
    assert_eq!(revoked.anchors_for(&u2f(OTHER)).unwrap().len(), 1);
}

#[test]
fn a_model_may_have_both_kinds_of_identifier() {
    let mut both = entry(MODEL, &[CERTIFIED]);
    both["attestationCertificateKeyIdentifiers"] = json!([KEY_IDENTIFIER]);
    let source = source(vec![both], StatusPolicy::default());
    assert_eq!(source.anchors_for(&query(MODEL)).unwrap().len(), 1);
    let by_key = TrustQuery {
        key_identifier: key_identifier(),
        ..u2f(&Aaguid::ZERO.to_string())
    };
    assert_eq!(source.anchors_for(&by_key).unwrap().len(), 1);
}

#[test]
fn every_entry_on_a_model_counts() {
    let twice = vec![entry(MODEL, &[CERTIFIED]), entry(MODEL, &[CERTIFIED])];
    assert_eq!(
        source(twice, StatusPolicy::default())
            .anchors_for(&query(MODEL))
            .unwrap()
            .len(),
        2
    );
    for revoked in [0, 1] {
        let mut entries = vec![entry(MODEL, &[CERTIFIED]), entry(MODEL, &[CERTIFIED])];
        entries[revoked] = entry(MODEL, &[("REVOKED", "2020-01-01")]);
        assert!(
            source(entries, StatusPolicy::default())
                .anchors_for(&query(MODEL))
                .is_err()
        );
    }
}

#[test]
fn anchors_are_for_the_ways_in_which_the_model_attests() {
    use AttestationType as Type;
    let offered = |declared: &[&str], attestation_type| {
        let mut entry = entry(MODEL, &[CERTIFIED]);
        entry["metadataStatement"]["attestationTypes"] = json!(declared);
        let query = TrustQuery {
            attestation_type,
            ..query(MODEL)
        };
        let source = source(vec![entry], StatusPolicy::default());
        source.anchors_for(&query).unwrap().len() == 1
    };
    let all = [
        Type::AnonCa,
        Type::AttCa,
        Type::Basic,
        Type::Uncertain,
        Type::None,
        Type::SelfAttestation,
    ];
    let offers = |declared: &[&str]| all.map(|kind| offered(declared, kind));
    assert_eq!(offers(&["basic_full"]), [false, false, true, true, false, false]);
    assert_eq!(offers(&["attca"]), [false, true, false, true, false, false]);
    assert_eq!(offers(&["anonca"]), [true, false, false, false, false, false]);
    assert_eq!(offers(&["basic_surrogate", "ecdaa", "none"]), [false; 6]);
}

#[test]
fn local_anchors_stand_beside_and_do_not_overrule() {
    let with = |statuses: &[(&str, &str)]| {
        let blob = Draft::new(vec![entry(MODEL, statuses)]).blob().unwrap();
        MetadataSource::new(blob, StatusPolicy::default(), local())
    };
    let source = with(&[CERTIFIED]);
    let labels = |aaguid: &str| -> Vec<String> {
        let anchors = source.anchors_for(&query(aaguid)).unwrap();
        anchors
            .iter()
            .map(|found| found.anchor.label().to_owned())
            .collect()
    };
    assert_eq!(labels(MODEL), ["MDS: Example Key", "local"]);
    assert_eq!(labels("00000000-0000-0000-0000-000000000002"), ["local"]);
    assert!(
        with(&[("REVOKED", "2020-01-01")])
            .anchors_for(&query(MODEL))
            .is_err()
    );
}
