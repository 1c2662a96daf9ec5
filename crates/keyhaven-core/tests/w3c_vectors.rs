//! The 15 pairs of the specification's own test vectors, registration and authentication.
//!
//! Formats and algorithms that this build verifies must be accepted with exactly the values an independent parser found;
//! the others must be refused as unsupported, at the step that says so.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use keyhaven_core::*;
use serde_json::Value;

const VERIFIED: &[&str] = &[
    "android-key-es256",
    "apple-es256",
    "fido-u2f-es256",
    "none-es256",
    "none-es256-crossOrigin",
    "none-es256-long-credential-id",
    "none-es256-topOrigin",
    #[cfg(feature = "ed448")]
    "packed-ed448",
    "packed-eddsa",
    "packed-es256",
    "packed-es384",
    #[cfg(feature = "es512")]
    "packed-es512",
    "packed-rs256",
    "packed-self-es256",
    "tpm-es256",
];

/// Pairs of algorithms that this build leaves out.
const UNSUPPORTED: &[&str] = &[
    #[cfg(not(feature = "ed448"))]
    "packed-ed448",
    #[cfg(not(feature = "es512"))]
    "packed-es512",
];

struct Vectors(Value);

impl Vectors {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("vectors/w3c-webauthn-l3.json")).unwrap())
    }

    fn pair(&self, id: &str) -> &Value {
        self.0["vectors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|pair| pair["id"] == id)
            .unwrap()
    }

    fn relying_party(&self, id: &str) -> RelyingParty {
        let origin = |name: &str| Origin::new(self.0[name].as_str().unwrap()).unwrap();
        RelyingParty {
            id: RpId::new(self.0["rp_id"].as_str().unwrap()).unwrap(),
            origins: vec![origin("origin")],
            cross_origin: match id {
                "none-es256-crossOrigin" => CrossOrigin::Allow {
                    top_origins: Vec::new(),
                },
                "none-es256-topOrigin" => CrossOrigin::Allow {
                    top_origins: vec![origin("top_origin")],
                },
                _ => CrossOrigin::Refuse,
            },
        }
    }

    fn register(
        &self,
        id: &str,
        policy: &RegistrationPolicy<'_>,
    ) -> Result<VerifiedRegistration, RegistrationError> {
        let case = &self.pair(id)["registration"];
        let relying_party = self.relying_party(id);
        let expected = ExpectedRegistration {
            relying_party: &relying_party,
            challenge: &challenge(case),
            origin: None,
            mediation: Mediation::Modal,
        };
        let response = RegistrationResponse::from_json(case["response"].to_string().as_bytes())?;
        verify_registration(&response, &expected, policy)
    }

    fn authenticate(&self, id: &str, policy: &AssertionPolicy) -> Result<VerifiedAssertion, AssertionError> {
        let registered = &self.pair(id)["registration"]["expected"];
        let case = &self.pair(id)["authentication"];
        let relying_party = self.relying_party(id);
        let expected = ExpectedAssertion {
            relying_party: &relying_party,
            challenge: &challenge(case),
            origin: None,
            allow_credentials: &[],
            user: ExpectedUser::Identified,
            appid: None,
        };
        let public_key = hex(&registered["credential_public_key_cose_hex"]);
        let record = CredentialRecord {
            id: &CredentialId::try_from(hex(&registered["credential_id_hex"]).as_slice()).unwrap(),
            public_key: &CosePublicKey::new(&public_key),
            sign_count: SignCount(0),
            user_handle: None,
            backup_eligible: registered["flags"]["BE"].as_bool(),
        };
        let response = AuthenticationResponse::from_json(case["response"].to_string().as_bytes())?;
        verify_assertion(&response, &expected, &record, policy)
    }
}

fn challenge(case: &Value) -> Challenge {
    Challenge::new(base64url::decode(case["challenge_b64u"].as_str().unwrap()).unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// UV is clear in several vectors; everything else is as strict as it can be, key order included.
fn registration_policy() -> RegistrationPolicy<'static> {
    RegistrationPolicy {
        user_verification: UserVerification::Preferred,
        canonical_cbor: CanonicalCbor::Strict,
        ..RegistrationPolicy::default()
    }
}

fn assertion_policy() -> AssertionPolicy {
    AssertionPolicy {
        user_verification: UserVerification::Preferred,
        ..AssertionPolicy::default()
    }
}

#[test]
fn every_pair_is_judged() {
    let vectors = Vectors::read();
    let pairs = vectors.0["vectors"].as_array().unwrap();
    assert_eq!(pairs.len(), 15);
    assert_eq!(VERIFIED.len() + UNSUPPORTED.len(), 15);
    for pair in pairs {
        let id = pair["id"].as_str().unwrap();
        assert!(VERIFIED.contains(&id) != UNSUPPORTED.contains(&id), "{id}");
    }
}

#[test]
fn registrations_are_accepted_with_the_values_expected() {
    let vectors = Vectors::read();
    for id in VERIFIED {
        let expected = &vectors.pair(id)["registration"]["expected"];
        let verified = vectors
            .register(id, &registration_policy())
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(
            verified.credential_id().as_bytes(),
            hex(&expected["credential_id_hex"]),
            "{id}"
        );
        assert_eq!(
            verified.public_key(),
            hex(&expected["credential_public_key_cose_hex"]),
            "{id}"
        );
        assert_eq!(
            Some(verified.algorithm().identifier()),
            expected["cose_alg"].as_i64(),
            "{id}"
        );
        assert_eq!(
            verified.claimed_aaguid().unproven().as_bytes().as_slice(),
            hex(&expected["aaguid_hex"]),
            "{id}"
        );
        assert_eq!(vec![verified.flags().0], hex(&expected["flags_hex"]), "{id}");
        assert_eq!(
            Some(u64::from(verified.sign_count().0)),
            expected["sign_count"].as_u64(),
            "{id}"
        );
        assert_eq!(
            Some(verified.attestation_format()),
            expected["fmt"].as_str(),
            "{id}"
        );
        // The certificate of these two formats does not tell basic from attca.
        let kind = match (
            verified.attestation_format(),
            expected["attestation_type"].as_str().unwrap(),
        ) {
            ("fido-u2f" | "packed", "basic") => "uncertain",
            (_, kind) => kind,
        };
        assert_eq!(verified.attestation_type().as_str(), kind, "{id}");
        assert_eq!(verified.origin().as_str(), "https://example.org", "{id}");
        assert!(!verified.attestation_trusted());
    }
}

#[test]
fn assertions_are_accepted_with_the_values_expected() {
    let vectors = Vectors::read();
    for id in VERIFIED {
        let expected = &vectors.pair(id)["authentication"]["expected"];
        let verified = vectors
            .authenticate(id, &assertion_policy())
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(vec![verified.flags().0], hex(&expected["flags_hex"]), "{id}");
        assert_eq!(verified.sign_count(), SignCountCheck::NotSupported, "{id}");
        assert_eq!(verified.new_sign_count(), SignCount(0), "{id}");
    }
}

#[test]
fn what_this_build_cannot_verify_is_refused_as_unsupported() {
    let vectors = Vectors::read();
    for id in UNSUPPORTED {
        let error = vectors.register(id, &registration_policy()).unwrap_err();
        assert_eq!(
            (error.step().to_string().as_str(), error.code()),
            ("L3 7.1.20", "unsupported_algorithm"),
            "{id}"
        );
        let error = vectors.authenticate(id, &assertion_policy()).unwrap_err();
        assert_eq!(
            (error.step().to_string().as_str(), error.code()),
            ("L3 7.2.21", "unsupported_algorithm"),
            "{id}"
        );
    }
}

#[test]
fn the_fido_profile_refuses_only_an_unknown_tpm_vendor_and_a_u2f_aaguid() {
    let vectors = Vectors::read();
    let mut policy = registration_policy();
    policy.attestation.profile = Profile::Fido;
    for id in VERIFIED {
        let fault = match *id {
            "fido-u2f-es256" => Some(StatementFault::FidoU2f(FidoU2fFault::AaguidNotZero)),
            "tpm-es256" => Some(StatementFault::Tpm(TpmFault::Vendor)),
            _ => None,
        };
        let refused = vectors.register(id, &policy).err().map(|error| {
            let RegistrationError::Attestation(error) = error else {
                panic!("{id}: {error}")
            };
            error.fault
        });
        assert_eq!(refused, fault, "{id}");
    }
}

#[test]
fn the_tee_policy_refuses_a_key_description_that_says_nothing() {
    let vectors = Vectors::read();
    let mut policy = registration_policy();
    policy.attestation.android_key = AndroidKeyPolicy::Tee;
    let error = vectors.register("android-key-es256", &policy).unwrap_err();
    assert_eq!(
        (error.step().to_string().as_str(), error.code()),
        ("L3 8.4", "attestation_invalid")
    );
}

/// The one vector that the Candidate Recommendation has otherwise: its key description says origin and purpose, in the
/// environment's list, and that software wrote it.
#[test]
fn the_android_vector_of_the_candidate_recommendation_is_accepted() {
    let newer: Value =
        serde_json::from_str(include_str!("vectors/w3c-webauthn-l3-cr-android-key.json")).unwrap();
    let id = newer["id"].as_str().unwrap();
    let mut vectors = Vectors::read();
    let pairs = vectors.0["vectors"].as_array_mut().unwrap();
    let pair = pairs.iter_mut().find(|pair| pair["id"] == id).unwrap();
    let object = &mut pair["registration"]["response"]["response"]["attestationObject"];
    assert_ne!(*object, newer["attestationObject"]);
    *object = newer["attestationObject"].clone();
    let mut policy = registration_policy();
    let _ = vectors.register(id, &policy).unwrap();
    policy.attestation.android_key = AndroidKeyPolicy::Tee;
    let Err(RegistrationError::Attestation(error)) = vectors.register(id, &policy) else {
        panic!("accepted, or refused for another reason")
    };
    assert_eq!(
        error.fault,
        StatementFault::AndroidKey(AndroidKeyFault::SecurityLevel)
    );
}

#[test]
fn embedded_use_is_refused_unless_expected() {
    let vectors = Vectors::read();
    let mut policy = registration_policy();
    policy.user_verification = UserVerification::Discouraged;
    for id in ["none-es256-crossOrigin", "none-es256-topOrigin"] {
        let case = &vectors.pair(id)["registration"];
        let relying_party = vectors.relying_party("none-es256");
        let expected = ExpectedRegistration {
            relying_party: &relying_party,
            challenge: &challenge(case),
            origin: None,
            mediation: Mediation::Modal,
        };
        let response = RegistrationResponse::from_json(case["response"].to_string().as_bytes()).unwrap();
        let error = verify_registration(&response, &expected, &policy).unwrap_err();
        assert_eq!(error, RegistrationError::CrossOriginNotAllowed, "{id}");
    }
}

/// The one root of all chains.
fn root(vectors: &Vectors) -> TrustAnchor {
    use base64::Engine as _;
    let pem = vectors.0["attestation_root"]["cert_pem"].as_str().unwrap();
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    TrustAnchor::from_der("W3C", &der).unwrap()
}

#[test]
fn every_chain_leads_to_the_root_while_it_is_valid() {
    let vectors = Vectors::read();
    let anchors = TrustAnchors::from_iter([root(&vectors)]);
    let nobody = TrustAnchors::new();
    let judge = |id: &str, anchors: &TrustAnchors, at: i64| {
        let trust = AttestationTrust::Required {
            anchors,
            at: UnixTime::from_millis(at * 1000),
        };
        let policy = RegistrationPolicy {
            attestation_trust: trust,
            ..registration_policy()
        };
        vectors.register(id, &policy)
    };
    // 2024-01-01T00:00:00Z, the first second of all, and the day before it.
    let (first, before) = (1_704_067_200, 1_703_980_800);
    for id in VERIFIED {
        let chain = vectors.pair(id)["registration"]["expected"]["x5c_count"].as_u64();
        let untrusted = |verdict: Result<VerifiedRegistration, RegistrationError>| {
            let error = verdict.unwrap_err();
            assert_eq!(error.code(), "attestation_untrusted", "{id}");
            assert_eq!(error.step(), Step::Registration(24), "{id}");
        };
        untrusted(judge(id, &nobody, first));
        untrusted(judge(id, &anchors, before));
        if chain.is_none_or(|count| count == 0) {
            untrusted(judge(id, &anchors, first));
            continue;
        }
        let verified = judge(id, &anchors, first).unwrap_or_else(|error| panic!("{id}: {error}"));
        let TrustDecision::Trusted(paths) = verified.trust() else {
            panic!("{id}: not judged")
        };
        assert!(verified.attestation_trusted());
        assert_eq!(paths.len(), 1, "{id}");
        assert_eq!(&*paths[0].anchor, "W3C", "{id}");
        assert_eq!(paths[0].format.as_str(), verified.attestation_format(), "{id}");
    }
}

#[test]
fn a_u2f_signature_proves_no_model() {
    let vectors = Vectors::read();
    // Both vectors tell an AAGUID, and the anchor is for exactly that; but U2F signs no AAGUID.
    for (id, proves) in [("packed-es256", true), ("fido-u2f-es256", false)] {
        let aaguid = hex(&vectors.pair(id)["registration"]["expected"]["aaguid_hex"]);
        let aaguid = Aaguid::new(aaguid.try_into().unwrap());
        let mut anchors = TrustAnchors::new();
        anchors.add_for_model(aaguid, root(&vectors));
        let policy = RegistrationPolicy {
            attestation_trust: AttestationTrust::Required {
                anchors: &anchors,
                at: UnixTime::from_millis(1_767_225_600_000),
            },
            ..registration_policy()
        };
        let verified = vectors.register(id, &policy).unwrap();
        assert!(verified.attestation_trusted(), "{id}");
        assert_eq!(verified.claimed_aaguid().unproven(), aaguid, "{id}");
        assert_eq!(
            verified.attested_aaguid().map(AttestedAaguid::get),
            proves.then_some(aaguid),
            "{id}"
        );
    }
}
