//! A refusal that a profile or a policy of ours demands is no disagreement: the other implementation has no word for it.
#![expect(clippy::unwrap_used, reason = "tests")]

use keyhaven_core::{
    AssertionPolicy, AttestationPolicy, AuthenticationResponse, BackupPolicy, Challenge, CosePublicKey,
    CredentialId, CredentialRecord, CrossOrigin, EnterpriseAttestation, ExpectedAssertion,
    ExpectedRegistration, ExpectedUser, ExtensionPolicy, Mediation, Origin, Profile, RegistrationPolicy,
    RegistrationResponse, RelyingParty, RpId, Sha1, SignCount, UnsolicitedExtensions, UserHandle,
    verify_assertion, verify_registration,
};
use keyhaven_crosscheck::{Abstention, Verdict, assertion, registration};
use keyhaven_testkit::authenticator::{
    Attestation, AttestationKind, Cbor, CertificateDraft, Chain, Extension, FidoU2f, RegistrationDraft,
    SigningKey, SoftwareAuthenticator, Statement, base64url, tlv,
};
use serde_json::json;

const ORIGIN: &str = "https://example.org";
const USER_HANDLE: &[u8] = b"0123456789abcdef";
const CHALLENGE: [u8; 32] = [5; 32];

fn relying_party() -> RelyingParty {
    RelyingParty {
        id: RpId::new("example.org").unwrap(),
        origins: vec![Origin::new(ORIGIN).unwrap()],
        cross_origin: CrossOrigin::Refuse,
    }
}

fn options() -> serde_json::Value {
    json!({
        "rp": {"id": "example.org"}, "user": {"id": base64url(USER_HANDLE)}, "challenge": base64url(&CHALLENGE),
        "pubKeyCredParams": [{"alg": -7}],
    })
}

fn draft(attestation: AttestationKind) -> RegistrationDraft {
    let mut authenticator = SoftwareAuthenticator::new(b"policies");
    authenticator.attestation = attestation;
    authenticator.draft_registration(&options(), ORIGIN).unwrap()
}

/// Both verdicts on a registration: whether ours accepts, and what comes of comparing.
fn judge(draft: &RegistrationDraft, policy: &RegistrationPolicy<'_>) -> (bool, Verdict) {
    let (relying_party, challenge) = (relying_party(), Challenge::new(CHALLENGE.to_vec()).unwrap());
    let expected = ExpectedRegistration {
        relying_party: &relying_party,
        challenge: &challenge,
        origin: None,
        mediation: Mediation::Modal,
    };
    let json = draft.finish().to_string();
    let ours = RegistrationResponse::from_json(json.as_bytes())
        .and_then(|response| verify_registration(&response, &expected, policy));
    (
        ours.is_ok(),
        registration(json.as_bytes(), &expected, policy, ours.as_ref()),
    )
}

fn abstains_for_policy(draft: &RegistrationDraft, policy: &RegistrationPolicy<'_>, code: &'static str) {
    let verdict = Verdict::Abstain {
        why: Abstention::OursAlone { code },
    };
    assert_eq!(judge(draft, policy), (false, verdict));
}

fn with_attestation(attestation: AttestationPolicy) -> RegistrationPolicy<'static> {
    RegistrationPolicy {
        attestation,
        ..RegistrationPolicy::default()
    }
}

#[test]
fn a_serial_number_that_nobody_asked_for_is_a_policy_s_refusal() {
    const FIDO_SERIAL_NUMBER: &str = "1.3.6.1.4.1.45724.1.1.2";
    let mut draft = draft(AttestationKind::PackedX5c(-7));
    let Attestation::PackedX5c { certificate, .. } = &mut draft.attestation else {
        unreachable!("asked for above");
    };
    certificate
        .extensions
        .push(Extension::new(FIDO_SERIAL_NUMBER, false, tlv(4, b"serial")));
    abstains_for_policy(&draft, &RegistrationPolicy::default(), "attestation_invalid");
    let asked = with_attestation(AttestationPolicy {
        enterprise: EnterpriseAttestation::Requested,
        ..AttestationPolicy::default()
    });
    assert_eq!(judge(&draft, &asked), (true, Verdict::Agree));
}

#[test]
fn what_policies_refuse_of_backup_extensions_and_key_order_is_theirs() {
    let plain = draft(AttestationKind::None);
    assert_eq!(
        judge(&plain, &RegistrationPolicy::default()),
        (true, Verdict::Agree)
    );
    let device_bound = RegistrationPolicy {
        backup: BackupPolicy::DeviceBound,
        ..RegistrationPolicy::default()
    };
    abstains_for_policy(&plain, &device_bound, "backup_flags_invalid");

    let mut extended = plain.clone();
    extended.set_extensions(Cbor::Map(vec![(Cbor::text("credProtect"), Cbor::Int(2))]));
    let strict = RegistrationPolicy {
        extensions: ExtensionPolicy {
            unsolicited: UnsolicitedExtensions::Refuse,
            ..ExtensionPolicy::default()
        },
        ..RegistrationPolicy::default()
    };
    abstains_for_policy(&extended, &strict, "extension_not_allowed");
}

#[test]
fn a_refusal_that_no_policy_explains_is_compared() {
    let mut spoiled = draft(AttestationKind::PackedX5c(-7));
    spoiled.rp_id_hash[0] ^= 1;
    let device_bound = RegistrationPolicy {
        backup: BackupPolicy::DeviceBound,
        ..RegistrationPolicy::default()
    };
    for policy in [RegistrationPolicy::default(), device_bound] {
        assert_eq!(judge(&spoiled, &policy), (false, Verdict::Agree));
    }
}

#[test]
fn profiles_and_attestation_keys_that_it_does_not_cover_are_left_alone() {
    // Accepted, and only by us: it verifies no Ed25519.
    let (accepted, verdict) = judge(
        &draft(AttestationKind::PackedX5c(-8)),
        &RegistrationPolicy::default(),
    );
    assert!(accepted);
    assert_eq!(
        verdict,
        Verdict::Abstain {
            why: Abstention::Algorithm { identifier: -8 }
        }
    );
    // Under the FIDO profile the AAGUID beside a U2F statement is zero; here it is not.
    let mut u2f = draft(AttestationKind::None);
    let key = SigningKey::new(-7, b"u2f").unwrap();
    u2f.attestation = Attestation::Statement(Box::new(Statement::FidoU2f(FidoU2f {
        chain: Chain {
            leaf: CertificateDraft::attestation(&key, [0; 16]),
            issuer: key.clone(),
            rest: Vec::new(),
        },
        key,
        reserved: 0,
    })));
    for (profile, accepts) in [(Profile::W3c, true), (Profile::Fido, false)] {
        let policy = with_attestation(AttestationPolicy {
            profile,
            sha1: Sha1::Refuse,
            ..AttestationPolicy::default()
        });
        let (accepted, verdict) = judge(&u2f, &policy);
        assert_eq!(accepted, accepts, "{verdict:?}");
        assert_eq!(verdict.as_str(), "abstain");
    }
}

#[test]
fn what_policies_refuse_of_an_assertion_is_theirs() {
    let mut authenticator = SoftwareAuthenticator::new(b"policies");
    let _ = authenticator.register(&options(), ORIGIN);
    let request = json!({"rpId": "example.org", "challenge": base64url(&CHALLENGE)});
    let draft = authenticator.draft_assertion(&request, ORIGIN).unwrap();
    let (relying_party, challenge) = (relying_party(), Challenge::new(CHALLENGE.to_vec()).unwrap());
    let expected = ExpectedAssertion {
        relying_party: &relying_party,
        challenge: &challenge,
        origin: None,
        allow_credentials: &[],
        user: ExpectedUser::Discoverable,
        appid: None,
    };
    let (cose, id) = (
        draft.key.cose().encode(),
        CredentialId::try_from(draft.envelope_id.as_slice()).unwrap(),
    );
    let record = CredentialRecord {
        id: &id,
        public_key: &CosePublicKey::new(&cose),
        sign_count: SignCount(0),
        user_handle: Some(&UserHandle::try_from(USER_HANDLE).unwrap()),
        backup_eligible: Some(true),
    };
    let json = draft.finish().to_string();
    let judge = |policy: &AssertionPolicy| {
        let ours = AuthenticationResponse::from_json(json.as_bytes())
            .and_then(|response| verify_assertion(&response, &expected, &record, policy));
        assertion(json.as_bytes(), &expected, &record, policy, ours.as_ref())
    };
    assert_eq!(judge(&AssertionPolicy::default()), Verdict::Agree);
    let device_bound = AssertionPolicy {
        backup: BackupPolicy::DeviceBound,
        ..AssertionPolicy::default()
    };
    assert_eq!(
        judge(&device_bound),
        Verdict::Abstain {
            why: Abstention::OursAlone {
                code: "backup_flags_invalid"
            }
        }
    );
}
