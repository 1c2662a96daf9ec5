//! Steps 23 and 24 of a whole registration: whose word counts, and what is then known of the authenticator.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    Attestation, BASIC_CONSTRAINTS, Cbor, CertificateDraft, FIDO_AAGUID, RevocationListDraft, SigningKey, tlv,
};
use support::statements::{Apple, SafetyNet, Statement as _, Tpm};
use support::{Registration, refusal, signed_with, trusting_nobody};

/// Milliseconds: 2026-01-01T00:00:00Z.
const AT: UnixTime = UnixTime::from_millis(1_767_225_600_000);

fn leaf(registration: &mut Registration) -> &mut CertificateDraft {
    let Attestation::PackedX5c { certificate, .. } = &mut registration.draft.attestation else {
        panic!("no x5c")
    };
    certificate
}

/// The CA that signs the software authenticator's certificates.
fn root(registration: &mut Registration) -> TrustAnchor {
    let key = SigningKey::new(-7, b"attestation root").unwrap();
    let mut root = leaf(registration).clone();
    root.subject.clone_from(&root.issuer);
    root.subject_public_key_info = key.subject_public_key_info();
    root.extensions.truncate(1);
    root.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(0x01, &[0xff]));
    TrustAnchor::from_der("test root", &root.sign(&key)).unwrap()
}

fn required(anchors: impl TrustAnchorSource + 'static) -> AttestationTrust<'static> {
    AttestationTrust::Required {
        anchors: Box::leak(Box::new(anchors)),
        at: AT,
    }
}

fn for_any(anchor: TrustAnchor) -> TrustAnchors {
    TrustAnchors::from_iter([anchor])
}

fn for_model(aaguid: [u8; 16], anchor: TrustAnchor) -> TrustAnchors {
    let mut anchors = TrustAnchors::new();
    anchors.add_for_model(Aaguid::new(aaguid), anchor);
    anchors
}

/// A packed registration under its root.
fn trusted() -> Registration {
    let mut registration = Registration::packed_x5c();
    let root = root(&mut registration);
    registration.policy.attestation_trust = required(for_any(root));
    registration
}

#[test]
fn step_24_a_path_to_an_anchor_is_trusted_and_named() {
    let mut registration = trusted();
    let root = root(&mut registration);
    let verified = registration.judge().unwrap();
    assert!(verified.attestation_trusted());
    let path = TrustedPath {
        format: AttestationFormat::Packed,
        attestation_type: verified.attestation_type(),
        anchor: "test root".into(),
        anchor_fingerprint: root.fingerprint(),
        scope: AnchorScope::AnyModel,
        protection: KeyProtection::Unknown,
    };
    assert_eq!(verified.trust(), &TrustDecision::Trusted(vec![path]));
    // The same registration where nobody asks.
    let verified = trusted().accepted(|r| r.policy.attestation_trust = AttestationTrust::Ignore);
    assert_eq!(verified.trust(), &TrustDecision::Ignored);
    assert!(!verified.attestation_trusted());
}

#[test]
fn a_key_is_hardwares_where_whoever_vouches_says_so_and_trust_is_judged() {
    let hardware = |protection| {
        let mut registration = Registration::packed_x5c();
        let anchors = for_any(root(&mut registration)).with_protection(protection);
        registration.policy.attestation_trust = required(anchors);
        registration.judge().unwrap().attestation_hardware()
    };
    assert!(hardware(KeyProtection::Hardware));
    assert!(!hardware(KeyProtection::Software));
    assert!(!hardware(KeyProtection::Unknown));
    let ignored = trusted().accepted(|r| r.policy.attestation_trust = AttestationTrust::Ignore);
    assert!(!ignored.attestation_hardware());
}

#[test]
fn a_key_of_a_tpm_is_hardwares_where_it_was_made_there_and_stays_there() {
    let hardware = |attributes: u32| {
        let mut statement = Tpm::new(-7, -7);
        statement.attributes = attributes;
        statement.registration.policy.attestation_trust = required(for_any(root(&mut trusted())));
        statement.judge_with(|_| {}).unwrap().attestation_hardware()
    };
    // sign, sensitiveDataOrigin, fixedParent, fixedTPM; and all but one of the last three.
    assert!(hardware(0x0004_0032));
    for without in [1, 4, 5] {
        assert!(!hardware(0x0004_0032 & !(1 << without)), "{without}");
    }
    assert!(!hardware(0xffff_ffcd));
}

#[test]
fn a_key_that_apple_certifies_is_hardwares() {
    let mut statement = Apple::new(-7);
    statement.registration.policy.attestation_trust = required(for_any(root(&mut trusted())));
    assert!(statement.judge_with(|_| {}).unwrap().attestation_hardware());
}

#[test]
fn step_24_a_safetynet_response_is_trusted_by_the_path_in_its_header() {
    let judge = |trust| {
        let mut statement = SafetyNet::new();
        statement.registration.policy.attestation_trust = trust;
        statement.judge_with(|_| {})
    };
    let verified = judge(required(for_any(root(&mut trusted())))).unwrap();
    let TrustDecision::Trusted(paths) = verified.trust() else {
        panic!("not judged")
    };
    assert_eq!(paths.len(), 1);
    assert_eq!(paths[0].format, AttestationFormat::AndroidSafetyNet);
    assert_eq!(paths[0].attestation_type, AttestationType::Basic);
    assert_eq!(&*paths[0].anchor, "test root");
    assert_eq!(
        judge(trusting_nobody()).unwrap_err().code(),
        "attestation_untrusted"
    );
}

#[test]
fn step_24_everything_else_is_untrusted() {
    let untrusted = refusal("attestation_untrusted", "7.1.24");
    let refused = trusted().spoiled(|r| r.policy.attestation_trust = trusting_nobody());
    assert_eq!(refused, untrusted);
    // Before and after the leaf's validity.
    for at in [1_704_067_199_999, 4_070_908_801_000] {
        let refused = trusted().spoiled(|r| {
            if let AttestationTrust::Required { at: moment, .. } = &mut r.policy.attestation_trust {
                *moment = UnixTime::from_millis(at);
            }
        });
        assert_eq!(refused, untrusted);
    }
    let refused = trusted().spoiled(|r| leaf(r).issuer.truncate(1));
    assert_eq!(refused, untrusted);
}

#[test]
fn step_24_nobody_vouches_for_none_and_self() {
    let anchors = || required(for_any(root(&mut Registration::packed_x5c())));
    for registration in [Registration::none, Registration::packed_self] {
        let refused = registration().spoiled(|r| r.policy.attestation_trust = anchors());
        assert_eq!(refused, refusal("attestation_untrusted", "7.1.24"));
        let mut registration = registration();
        registration.policy.attestation_trust = anchors();
        let Err(RegistrationError::AttestationUntrusted(TrustError::Unattested { .. })) =
            registration.judge()
        else {
            panic!("another refusal")
        };
    }
}

#[test]
fn step_24_a_certificate_signed_with_sha_1_is_the_policys() {
    let mut registration = trusted();
    let issuer = SigningKey::new(-7, b"attestation root").unwrap();
    let ecdsa_with_sha1 = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]);
    let certificate = signed_with(&leaf(&mut registration).sign(&issuer), &ecdsa_with_sha1, |tbs| {
        let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, tbs);
        issuer.sign_digest(hash.as_ref())
    });
    let mut object = registration.draft.attestation_object();
    object
        .at("attStmt")
        .set("x5c", Cbor::Array(vec![Cbor::Bytes(certificate)]));
    let json = registration.draft.envelope(&object.encode()).to_string();
    registration.policy.attestation.sha1 = Sha1::Allow;
    assert!(
        registration
            .judge_json(json.as_bytes())
            .unwrap()
            .attestation_trusted()
    );
    registration.policy.attestation.sha1 = Sha1::Refuse;
    let error = registration.judge_json(json.as_bytes()).unwrap_err();
    assert_eq!(error.step(), Step::Registration(24));
    assert!(error.to_string().contains("algorithm"), "{error}");
}

#[test]
fn an_aaguid_is_attested_where_the_certificate_names_it() {
    let mut registration = trusted();
    let model = registration.draft.aaguid;
    let verified = registration.judge().unwrap();
    assert_eq!(verified.claimed_aaguid().unproven().as_bytes(), &model);
    assert_eq!(
        verified.attested_aaguid().map(AttestedAaguid::get),
        Some(Aaguid::new(model))
    );
    assert_eq!(
        verified.attested_aaguid().unwrap().to_string(),
        verified.claimed_aaguid().to_string()
    );
    // A claim of an untrusted statement proves nothing.
    let verified = trusted().accepted(|r| r.policy.attestation_trust = AttestationTrust::Ignore);
    assert_eq!(verified.claimed_aaguid().unproven().as_bytes(), &model);
    assert_eq!(verified.attested_aaguid(), None);
    // Nor does zero, whoever says it.
    let verified = trusted().accepted(|r| {
        r.draft.aaguid = [0; 16];
        leaf(r).extension(FIDO_AAGUID).value = tlv(0x04, &[0; 16]);
    });
    assert!(verified.attestation_trusted());
    assert!(verified.claimed_aaguid().is_zero());
    assert_eq!(verified.attested_aaguid(), None);
    // Without the extension, any model could be claimed under an anchor for all of them.
    registration.draft.aaguid = [9; 16];
    leaf(&mut registration).extensions.truncate(1);
    let verified = registration.judge().unwrap();
    assert!(verified.attestation_trusted());
    assert_eq!(verified.attested_aaguid(), None);
}

#[test]
fn an_aaguid_is_attested_where_the_anchor_is_for_that_model() {
    let mut registration = Registration::packed_x5c();
    let root = root(&mut registration);
    leaf(&mut registration).extensions.truncate(1);
    let model = registration.draft.aaguid;
    registration.policy.attestation_trust = required(for_model(model, root.clone()));
    let verified = registration.judge().unwrap();
    assert_eq!(
        verified.attested_aaguid().map(AttestedAaguid::get),
        Some(Aaguid::new(model))
    );
    let TrustDecision::Trusted(paths) = verified.trust() else {
        panic!("not judged")
    };
    assert_eq!(paths.first().map(|path| path.scope), Some(AnchorScope::Model));
    // The anchors of one model are none for another.
    let refused = registration.spoiled(|r| r.draft.aaguid[0] ^= 1);
    assert_eq!(refused, refusal("attestation_untrusted", "7.1.24"));
}

/// Writes down what it is asked, and answers as it is told.
#[derive(Debug)]
struct Source {
    asked: Mutex<Vec<TrustQuery>>,
    anchor: Option<TrustAnchor>,
}

impl TrustAnchorSource for Source {
    fn anchors_for<'a>(
        &'a self,
        query: &TrustQuery,
    ) -> Result<Vec<AcceptableAnchor<'a>>, AuthenticatorRefused> {
        self.asked.lock().unwrap().push(*query);
        let anchor = self.anchor.as_ref().ok_or_else(|| AuthenticatorRefused {
            reason: "REVOKED since 2020-01-01".into(),
        })?;
        Ok(vec![AcceptableAnchor {
            anchor,
            scope: AnchorScope::AnyModel,
            protection: KeyProtection::Unknown,
        }])
    }
}

#[test]
fn step_23_anchors_are_looked_up_by_what_the_attestation_says() {
    let mut registration = Registration::packed_x5c();
    let source: &'static Source = Box::leak(Box::new(Source {
        asked: Mutex::default(),
        anchor: Some(root(&mut registration)),
    }));
    registration.policy.attestation_trust = AttestationTrust::Required {
        anchors: source,
        at: AT,
    };
    let verified = registration.judge().unwrap();
    let asked = source.asked.lock().unwrap();
    let [query, _traced] = asked.as_slice() else {
        panic!("asked {} times", asked.len())
    };
    let spki = leaf(&mut registration).subject_public_key_info.clone();
    // The key's bits end the 91 bytes of a P-256 key.
    let key = spki.split_at(26).1;
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, key);
    assert_eq!(query.key_identifier.as_slice(), digest.as_ref());
    assert_eq!(query.format, AttestationFormat::Packed);
    assert_eq!(query.attestation_type, verified.attestation_type());
    assert_eq!(query.aaguid, verified.claimed_aaguid());
    assert!(query.aaguid_certified);
    assert_eq!(query.at, AT);
}

#[test]
fn step_23_a_model_that_the_certificate_does_not_name_is_not_certified() {
    let asked = |change: fn(&mut Registration)| {
        let mut registration = Registration::packed_x5c();
        change(&mut registration);
        let source: &'static Source = Box::leak(Box::new(Source {
            asked: Mutex::default(),
            anchor: Some(root(&mut trusted())),
        }));
        registration.policy.attestation_trust = AttestationTrust::Required {
            anchors: source,
            at: AT,
        };
        let _ = registration.judge().unwrap();
        let asked = source.asked.lock().unwrap();
        asked[0].aaguid_certified
    };
    assert!(asked(|_| {}));
    assert!(!asked(|registration| leaf(registration).extensions.truncate(1)));
}

#[test]
fn step_23_the_trace_names_formats_and_anchors() {
    let mut trace = Trace::default();
    let registration = trusted();
    let json = registration.draft.finish().to_string();
    let response = RegistrationResponse::from_json(json.as_bytes()).unwrap();
    let _ = verify_registration_traced(
        &response,
        &registration.expected(),
        &registration.policy,
        &mut trace,
    )
    .unwrap();
    let details: Vec<&str> = trace
        .entries()
        .iter()
        .filter(|entry| entry.step == Step::Registration(23))
        .map(|entry| entry.detail.as_str())
        .collect();
    assert_eq!(details, ["packed: 1 anchors [\"test root\"]"]);
}

#[test]
fn step_24_what_lists_beside_the_anchors_revoke_is_not_trusted() {
    // Of the same issuer, by its key: a list with this serial number.
    let revoking = |registration: &mut Registration, serial_number: Vec<u8>| {
        let list = RevocationListDraft {
            issuer: leaf(registration).issuer.clone(),
            updates: ("20250601000000Z".into(), "20260601000000Z".into()),
            revoked: vec![serial_number],
        };
        let list = list.sign(&SigningKey::new(-7, b"attestation root").unwrap());
        let lists = Arc::new(RevocationLists::from_der([list.as_slice()]).unwrap());
        let anchors = for_any(root(registration)).with_revocation_lists(lists);
        registration.policy.attestation_trust = required(anchors);
    };
    let mut other = leaf(&mut trusted()).serial_number.clone();
    other.push(1);
    assert!(trusted().accepted(|r| revoking(r, other)).attestation_trusted());
    let refused = trusted().spoiled(|r| {
        let serial_number = leaf(r).serial_number.clone();
        revoking(r, serial_number);
    });
    assert_eq!(refused, refusal("attestation_untrusted", "7.1.24"));
}

#[test]
fn step_24_a_source_may_refuse_an_authenticator() {
    let refused = trusted().spoiled(|r| {
        r.policy.attestation_trust = required(Source {
            asked: Mutex::default(),
            anchor: None,
        });
    });
    assert_eq!(refused, refusal("attestation_untrusted", "7.1.24"));
    let mut registration = trusted();
    registration.policy.attestation_trust = required(Source {
        asked: Mutex::default(),
        anchor: None,
    });
    let error = registration.judge().unwrap_err();
    assert!(error.to_string().contains("REVOKED since 2020-01-01"), "{error}");
}

#[test]
fn step_24_every_member_of_a_compound_is_trusted() {
    let mut registration = Registration::packed_x5c();
    let first_root = root(&mut registration);
    let mut object = registration.draft.attestation_object();
    let statement = object.at("attStmt").clone();
    // The same statement, certified by another maker.
    let other_key = SigningKey::new(-7, b"another root").unwrap();
    let mut other = leaf(&mut registration).clone();
    other.issuer.truncate(2);
    let mut other_root = other.clone();
    other_root.subject.clone_from(&other.issuer);
    other_root.subject_public_key_info = other_key.subject_public_key_info();
    other_root.extensions.truncate(1);
    other_root.extension(BASIC_CONSTRAINTS).value = tlv(0x30, &tlv(0x01, &[0xff]));
    let other_root = TrustAnchor::from_der("other root", &other_root.sign(&other_key)).unwrap();
    let mut other_statement = statement.clone();
    other_statement.set("x5c", Cbor::Array(vec![Cbor::Bytes(other.sign(&other_key))]));
    let none = Cbor::Map(Vec::new());

    let mut judge = |members: &[(&str, &Cbor)], anchors: &[&TrustAnchor]| {
        let members = members.iter().map(|(format, statement)| {
            Cbor::Map(vec![
                ("fmt".into(), Cbor::text(format)),
                ("attStmt".into(), (*statement).clone()),
            ])
        });
        object.set("fmt", Cbor::text("compound"));
        object.set("attStmt", Cbor::Array(members.collect()));
        let json = registration.draft.envelope(&object.encode()).to_string();
        registration.policy.attestation_trust = required(TrustAnchors::from_iter(
            anchors.iter().map(|anchor| (*anchor).clone()),
        ));
        registration.judge_json(json.as_bytes())
    };
    let both = [("packed", &statement), ("packed", &other_statement)];
    let verified = judge(&both, &[&other_root, &first_root]).unwrap();
    let TrustDecision::Trusted(paths) = verified.trust() else {
        panic!("not judged")
    };
    let labels: Vec<&str> = paths.iter().map(|path| &*path.anchor).collect();
    assert_eq!(labels, ["test root", "other root"]);
    assert!(verified.attested_aaguid().is_some());
    let with_none = [("packed", &statement), ("none", &none)];
    for (members, anchors) in [
        (both, [&first_root]),
        (both, [&other_root]),
        (with_none, [&first_root]),
    ] {
        let error = judge(&members, &anchors).unwrap_err();
        assert_eq!(error.code(), "attestation_untrusted", "{error}");
        assert_eq!(error.step(), Step::Registration(24));
    }
}
