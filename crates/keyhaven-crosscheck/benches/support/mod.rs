//! What is measured: ceremonies made once by the software authenticator, and the cases that verify them.
#![allow(dead_code, reason = "each bench uses its part")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench: what cannot be set up cannot be measured"
)]

use std::hint::black_box;
use std::time::Duration;

use coset::CborSerializable as _;
use keyhaven_core::{
    AssertionPolicy, AttestationTrust, AuthenticationResponse, Challenge, CosePublicKey, CredentialId,
    CredentialRecord, CrossOrigin, ExpectedAssertion, ExpectedRegistration, ExpectedUser, Mediation, Origin,
    PublicKey, RegistrationPolicy, RegistrationResponse, RelyingParty, RpId, SignCount, TrustAnchor,
    TrustAnchors, UnixTime, UserHandle, VerifiedRegistration, verify_assertion, verify_registration,
};
use keyhaven_testkit::authenticator::{
    AttestationKind, CertificateDraft, SigningKey, SoftwareAuthenticator, base64url, base64url_decode,
    sha256, tlv,
};
use ml_dsa::{EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{
    AttestationCaList, AttestationCaListBuilder, AuthenticationState, COSEAlgorithm, Credential,
    PublicKeyCredential, RegisterPublicKeyCredential, RegistrationState, UserVerificationPolicy,
};

const ORIGIN: &str = "https://example.org";
const USER_HANDLE: &[u8] = b"0123456789abcdef";
/// How many ceremonies each case goes through in turn, so that no branch predictor learns one by heart.
const CEREMONIES: usize = 16;

/// One thing to be measured.
pub(crate) struct Case {
    /// A name that stays: figures of other days are found by it.
    pub(crate) name: &'static str,
    /// The case that it is divided by.
    pub(crate) baseline: &'static str,
    /// Does it once; the next time with the next ceremony.
    pub(crate) run: Box<dyn FnMut()>,
}

/// The baseline of everything that is not an algorithm's own.
pub(crate) const RAW_ES256: &str = "raw ES256, ring";

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |name, baseline, run| cases.push(Case { name, baseline, run });
    case(RAW_ES256, RAW_ES256, raw(-7, &ECDSA_P256_SHA256_ASN1));
    case("assertion ES256, from JSON", RAW_ES256, assertion_from_json(-7));
    case("assertion ES256, parsed", RAW_ES256, assertion_parsed(-7));
    case(
        "assertion ES256, from JSON, webauthn-rs-core",
        RAW_ES256,
        peer_assertion_from_json(),
    );
    case(
        "assertion ES256, parsed, webauthn-rs-core",
        RAW_ES256,
        peer_assertion_parsed(),
    );
    for (name, attestation) in [
        ("registration none, from JSON", AttestationKind::None),
        ("registration packed self, from JSON", AttestationKind::PackedSelf),
        (
            "registration packed x5c, from JSON",
            AttestationKind::PackedX5c(-7),
        ),
    ] {
        case(
            name,
            RAW_ES256,
            registration_from_json(attestation, AttestationTrust::Ignore),
        );
    }
    case(
        "registration packed x5c and chain, from JSON",
        RAW_ES256,
        registration_from_json(AttestationKind::PackedX5c(-7), trusted()),
    );
    case(
        "registration none, parsed",
        RAW_ES256,
        registration_parsed(AttestationKind::None),
    );
    for (name, attestation, chain) in [
        (
            "registration none, from JSON, webauthn-rs-core",
            AttestationKind::None,
            false,
        ),
        (
            "registration packed self, from JSON, webauthn-rs-core",
            AttestationKind::PackedSelf,
            false,
        ),
        (
            "registration packed x5c, from JSON, webauthn-rs-core",
            AttestationKind::PackedX5c(-7),
            false,
        ),
        (
            "registration packed x5c and chain, from JSON, webauthn-rs-core",
            AttestationKind::PackedX5c(-7),
            true,
        ),
    ] {
        case(name, RAW_ES256, peer_registration_from_json(attestation, chain));
    }
    case(
        "registration none, parsed, webauthn-rs-core",
        RAW_ES256,
        peer_registration_parsed(AttestationKind::None),
    );
    case(
        "COSE key, imported",
        RAW_ES256,
        cose(|key| {
            black_box(PublicKey::from_cose(key).expect("a key"));
        }),
    );
    case("COSE key, read by coset", RAW_ES256, cose(read_by_coset));
    case(
        "registration none, from JSON, and its key read by coset",
        RAW_ES256,
        registration_and_coset(),
    );
    case("raw Ed25519, ring", RAW_ES256, raw(-8, &ED25519));
    case("raw Ed25519, ed25519-dalek strict", RAW_ES256, raw_dalek());
    case(
        "assertion Ed25519, from JSON",
        "raw Ed25519, ed25519-dalek strict",
        assertion_from_json(-8),
    );
    case("raw ES384, ring", RAW_ES256, raw(-35, &ECDSA_P384_SHA384_ASN1));
    case(
        "assertion ES384, from JSON",
        "raw ES384, ring",
        assertion_from_json(-35),
    );
    cases.extend(other_algorithms());
    cases
}

/// What is left: the library's own verification, and an assertion divided by it.
fn other_algorithms() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut pair = |raw_name, raw, name, algorithm| {
        cases.push(Case {
            name: raw_name,
            baseline: RAW_ES256,
            run: raw,
        });
        cases.push(Case {
            name,
            baseline: raw_name,
            run: assertion_from_json(algorithm),
        });
    };
    let rsa: [(_, i64, &'static dyn VerificationAlgorithm, _); 6] = [
        (
            "raw RS256-2048, ring",
            -257,
            &RSA_PKCS1_2048_8192_SHA256,
            "assertion RS256-2048, from JSON",
        ),
        (
            "raw RS384-2048, ring",
            -258,
            &RSA_PKCS1_2048_8192_SHA384,
            "assertion RS384-2048, from JSON",
        ),
        (
            "raw RS512-2048, ring",
            -259,
            &RSA_PKCS1_2048_8192_SHA512,
            "assertion RS512-2048, from JSON",
        ),
        (
            "raw PS256-2048, ring",
            -37,
            &RSA_PSS_2048_8192_SHA256,
            "assertion PS256-2048, from JSON",
        ),
        (
            "raw PS384-2048, ring",
            -38,
            &RSA_PSS_2048_8192_SHA384,
            "assertion PS384-2048, from JSON",
        ),
        (
            "raw PS512-2048, ring",
            -39,
            &RSA_PSS_2048_8192_SHA512,
            "assertion PS512-2048, from JSON",
        ),
    ];
    for (raw_name, algorithm, verification, name) in rsa {
        pair(raw_name, raw(algorithm, verification), name, algorithm);
    }
    pair("raw ES512, p521", raw_es512(), "assertion ES512, from JSON", -36);
    pair(
        "raw ES256K, k256",
        raw_es256k(),
        "assertion ES256K, from JSON",
        -47,
    );
    pair(
        "raw Ed448, ed448-goldilocks-plus",
        raw_ed448(),
        "assertion Ed448, from JSON",
        -53,
    );
    pair(
        "raw ML-DSA-44, ml-dsa",
        raw_ml_dsa::<MlDsa44>(-48),
        "assertion ML-DSA-44, from JSON",
        -48,
    );
    pair(
        "raw ML-DSA-65, ml-dsa",
        raw_ml_dsa::<MlDsa65>(-49),
        "assertion ML-DSA-65, from JSON",
        -49,
    );
    pair(
        "raw ML-DSA-87, ml-dsa",
        raw_ml_dsa::<MlDsa87>(-50),
        "assertion ML-DSA-87, from JSON",
        -50,
    );
    cases
}

/// Goes through `items` for ever.
fn each<T: 'static>(items: Vec<T>, mut run: impl FnMut(&T) + 'static) -> Box<dyn FnMut()> {
    let mut next = 0;
    Box::new(move || {
        run(&items[next]);
        next = (next + 1) % items.len();
    })
}

/// One assertion with all that it is judged by.
struct Assertion {
    json: String,
    challenge: Challenge,
    id: CredentialId,
    user_handle: UserHandle,
    cose: Vec<u8>,
    public_key: Vec<u8>,
}

fn assertions(algorithm: i64) -> Vec<Assertion> {
    (0..CEREMONIES)
        .map(|number| {
            let mut authenticator = SoftwareAuthenticator::new(format!("{algorithm} {number}"));
            authenticator.algorithms = vec![algorithm];
            let _ = authenticator.register(&creation_options(&sha256(b"unused"), algorithm), ORIGIN);
            let challenge = sha256(format!("challenge {number}").as_bytes());
            let options = json!({"rpId": "example.org", "challenge": base64url(&challenge)});
            let draft = authenticator.draft_assertion(&options, ORIGIN).unwrap();
            Assertion {
                json: draft.finish().to_string(),
                challenge: Challenge::new(challenge.to_vec()).unwrap(),
                id: CredentialId::try_from(draft.envelope_id.as_slice()).unwrap(),
                user_handle: UserHandle::try_from(USER_HANDLE).unwrap(),
                cose: draft.key.cose().encode(),
                public_key: draft.key.public_bytes(),
            }
        })
        .collect()
}

fn creation_options(challenge: &[u8], algorithm: i64) -> Value {
    json!({
        "rp": {"id": "example.org"}, "user": {"id": base64url(USER_HANDLE)}, "challenge": base64url(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm}],
    })
}

/// What a signature is made over, and the signature.
fn signed(json: &str) -> (Vec<u8>, Vec<u8>) {
    let json: Value = serde_json::from_str(json).unwrap();
    let bytes = |member: &str| base64url_decode(json["response"][member].as_str().unwrap());
    let hash = sha256(&bytes("clientDataJSON"));
    (
        [&bytes("authenticatorData")[..], &hash].concat(),
        bytes("signature"),
    )
}

fn raw(algorithm: i64, verification: &'static dyn VerificationAlgorithm) -> Box<dyn FnMut()> {
    let items = assertions(algorithm)
        .into_iter()
        .map(|case| (signed(&case.json), case.public_key))
        .collect();
    each(items, move |((message, signature), key)| {
        UnparsedPublicKey::new(verification, black_box(key))
            .verify(black_box(message), black_box(signature))
            .expect("a valid signature");
    })
}

fn raw_dalek() -> Box<dyn FnMut()> {
    let items = assertions(-8)
        .into_iter()
        .map(|case| {
            let (message, signature) = signed(&case.json);
            let key: [u8; 32] = case.public_key.try_into().unwrap();
            (message, signature, key)
        })
        .collect();
    each(
        items,
        |(message, signature, key): &(Vec<u8>, Vec<u8>, [u8; 32])| {
            let key = ed25519_dalek::VerifyingKey::from_bytes(black_box(key)).unwrap();
            let signature = ed25519_dalek::Signature::from_slice(black_box(signature)).unwrap();
            key.verify_strict(black_box(message), &signature)
                .expect("a valid signature");
        },
    )
}

/// Message, signature and public key of each ceremony.
fn parts(algorithm: i64) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    assertions(algorithm)
        .into_iter()
        .map(|case| {
            let (message, signature) = signed(&case.json);
            (message, signature, case.public_key)
        })
        .collect()
}

fn raw_es512() -> Box<dyn FnMut()> {
    use p521::ecdsa::signature::Verifier as _;
    each(parts(-36), |(message, signature, key)| {
        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(black_box(key)).unwrap();
        let signature = p521::ecdsa::DerSignature::from_bytes(black_box(signature)).unwrap();
        key.verify(black_box(message), &signature)
            .expect("a valid signature");
    })
}

fn raw_es256k() -> Box<dyn FnMut()> {
    use k256::ecdsa::signature::Verifier as _;
    each(parts(-47), |(message, signature, key)| {
        let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(black_box(key)).unwrap();
        let signature = k256::ecdsa::DerSignature::from_bytes(black_box(signature)).unwrap();
        key.verify(black_box(message), &signature)
            .expect("a valid signature");
    })
}

fn raw_ed448() -> Box<dyn FnMut()> {
    each(parts(-53), |(message, signature, key)| {
        let key: [u8; 57] = key.as_slice().try_into().unwrap();
        let key = ed448_goldilocks_plus::VerifyingKey::from_bytes(black_box(&key)).unwrap();
        let signature = ed448_goldilocks_plus::Signature::from_slice(black_box(signature)).unwrap();
        key.verify_raw(&signature, black_box(message))
            .expect("a valid signature");
    })
}

fn raw_ml_dsa<P: MlDsaParams>(algorithm: i64) -> Box<dyn FnMut()> {
    each(parts(algorithm), |(message, signature, key)| {
        let key = EncodedVerifyingKey::<P>::try_from(black_box(key.as_slice())).unwrap();
        let signature = Signature::<P>::try_from(black_box(signature.as_slice())).unwrap();
        let key = VerifyingKey::<P>::decode(&key);
        assert!(key.verify_with_context(black_box(message), &[], &signature));
    })
}

fn relying_party() -> RelyingParty {
    RelyingParty {
        id: RpId::new("example.org").unwrap(),
        origins: vec![Origin::new(ORIGIN).unwrap()],
        cross_origin: CrossOrigin::Refuse,
    }
}

fn judge(case: &Assertion, response: &AuthenticationResponse, relying_party: &RelyingParty) {
    let expected = ExpectedAssertion {
        relying_party,
        challenge: &case.challenge,
        origin: None,
        allow_credentials: &[],
        user: ExpectedUser::Discoverable,
        appid: None,
    };
    let record = CredentialRecord {
        id: &case.id,
        public_key: &CosePublicKey::new(&case.cose),
        sign_count: SignCount(1),
        user_handle: Some(&case.user_handle),
        backup_eligible: Some(true),
    };
    let verified = verify_assertion(response, &expected, &record, &AssertionPolicy::default());
    let _ = black_box(verified.expect("a valid assertion"));
}

fn assertion_from_json(algorithm: i64) -> Box<dyn FnMut()> {
    let relying_party = relying_party();
    each(assertions(algorithm), move |case| {
        let response = AuthenticationResponse::from_json(black_box(case.json.as_bytes())).unwrap();
        judge(case, &response, &relying_party);
    })
}

fn assertion_parsed(algorithm: i64) -> Box<dyn FnMut()> {
    let relying_party = relying_party();
    let items = assertions(algorithm)
        .into_iter()
        .map(|case| {
            let response = AuthenticationResponse::from_json(case.json.as_bytes()).unwrap();
            (case, response)
        })
        .collect();
    each(items, move |(case, response)| {
        judge(case, black_box(response), &relying_party);
    })
}

fn registrations(attestation: AttestationKind) -> Vec<(String, Challenge)> {
    (0..CEREMONIES)
        .map(|number| {
            let mut authenticator = SoftwareAuthenticator::new(format!("registration {number}"));
            authenticator.attestation = attestation;
            let challenge = sha256(format!("challenge {number}").as_bytes());
            let response = authenticator.register(&creation_options(&challenge, -7), ORIGIN);
            (response.to_string(), Challenge::new(challenge.to_vec()).unwrap())
        })
        .collect()
}

fn register(
    response: &RegistrationResponse,
    challenge: &Challenge,
    relying_party: &RelyingParty,
    policy: &RegistrationPolicy<'_>,
) -> VerifiedRegistration {
    let expected = ExpectedRegistration {
        relying_party,
        challenge,
        origin: None,
        mediation: Mediation::Modal,
    };
    let verified = verify_registration(response, &expected, policy);
    black_box(verified.expect("a valid registration"))
}

fn registration_from_json(
    attestation: AttestationKind,
    attestation_trust: AttestationTrust<'static>,
) -> Box<dyn FnMut()> {
    let relying_party = relying_party();
    let policy = RegistrationPolicy {
        attestation_trust,
        ..RegistrationPolicy::default()
    };
    each(registrations(attestation), move |(json, challenge)| {
        let response = RegistrationResponse::from_json(black_box(json.as_bytes())).unwrap();
        let _ = register(&response, challenge, &relying_party, &policy);
    })
}

fn cose(read: fn(&[u8])) -> Box<dyn FnMut()> {
    each(assertions(-7), move |case| read(black_box(&case.cose)))
}

fn read_by_coset(key: &[u8]) {
    black_box(coset::CoseKey::from_slice(key).expect("a key"));
}

/// What a second reader of each new key would cost (docs/adr/0006-reading-cbor.md).
fn registration_and_coset() -> Box<dyn FnMut()> {
    let (relying_party, policy) = (relying_party(), RegistrationPolicy::default());
    each(registrations(AttestationKind::None), move |(json, challenge)| {
        let response = RegistrationResponse::from_json(black_box(json.as_bytes())).unwrap();
        let verified = register(&response, challenge, &relying_party, &policy);
        read_by_coset(verified.public_key());
    })
}

fn registration_parsed(attestation: AttestationKind) -> Box<dyn FnMut()> {
    let (relying_party, policy) = (relying_party(), RegistrationPolicy::default());
    let items = registrations(attestation)
        .into_iter()
        .map(|(json, challenge)| {
            (
                RegistrationResponse::from_json(json.as_bytes()).unwrap(),
                challenge,
            )
        })
        .collect();
    each(items, move |(response, challenge)| {
        let _ = register(black_box(response), challenge, &relying_party, &policy);
    })
}

fn peer() -> WebauthnCore {
    WebauthnCore::new_unsafe_experts_only(
        "example",
        "example.org",
        vec![ORIGIN.parse().unwrap()],
        Duration::from_secs(60),
        Some(false),
        Some(false),
    )
}

/// A registration that the peer asked for, since it draws the challenge itself.
fn peer_registration(
    peer: &WebauthnCore,
    authenticator: &mut SoftwareAuthenticator,
) -> (String, RegistrationState) {
    let builder = peer
        .new_challenge_register_builder(USER_HANDLE, "user", "user")
        .unwrap()
        .credential_algorithms(vec![COSEAlgorithm::ES256])
        .user_verification_policy(UserVerificationPolicy::Required);
    let (options, state) = peer.generate_challenge_register(builder).unwrap();
    let options = serde_json::to_value(options).unwrap();
    (
        authenticator.register(&options["publicKey"], ORIGIN).to_string(),
        state,
    )
}

fn peer_registrations(peer: &WebauthnCore, attestation: AttestationKind) -> Vec<(String, RegistrationState)> {
    (0..CEREMONIES)
        .map(|number| {
            let mut authenticator = SoftwareAuthenticator::new(format!("registration {number}"));
            authenticator.attestation = attestation;
            peer_registration(peer, &mut authenticator)
        })
        .collect()
}

fn peer_registration_from_json(attestation: AttestationKind, chain: bool) -> Box<dyn FnMut()> {
    let peer = peer();
    let authorities = chain.then(authorities);
    each(peer_registrations(&peer, attestation), move |(json, state)| {
        let response: RegisterPublicKeyCredential = serde_json::from_str(black_box(json)).unwrap();
        let credential = peer.register_credential(&response, state, authorities.as_ref());
        black_box(credential.expect("a valid registration"));
    })
}

fn peer_registration_parsed(attestation: AttestationKind) -> Box<dyn FnMut()> {
    let peer = peer();
    let items: Vec<(RegisterPublicKeyCredential, RegistrationState)> = peer_registrations(&peer, attestation)
        .into_iter()
        .map(|(json, state)| (serde_json::from_str(&json).unwrap(), state))
        .collect();
    each(items, move |(response, state)| {
        let credential = peer.register_credential(black_box(response), state, None);
        black_box(credential.expect("a valid registration"));
    })
}

fn peer_assertions(peer: &WebauthnCore) -> Vec<(String, AuthenticationState)> {
    (0..CEREMONIES)
        .map(|number| {
            let mut authenticator = SoftwareAuthenticator::new(format!("assertion {number}"));
            let (json, state) = peer_registration(peer, &mut authenticator);
            let response: RegisterPublicKeyCredential = serde_json::from_str(&json).unwrap();
            let credential: Credential = peer.register_credential(&response, &state, None).unwrap();
            let builder = peer
                .new_challenge_authenticate_builder(vec![credential], Some(UserVerificationPolicy::Required))
                .unwrap();
            let (options, state) = peer.generate_challenge_authenticate(builder).unwrap();
            let options = serde_json::to_value(options).unwrap();
            (
                authenticator
                    .authenticate(&options["publicKey"], ORIGIN)
                    .to_string(),
                state,
            )
        })
        .collect()
}

fn peer_assertion_from_json() -> Box<dyn FnMut()> {
    let peer = peer();
    each(peer_assertions(&peer), move |(json, state)| {
        let response: PublicKeyCredential = serde_json::from_str(black_box(json)).unwrap();
        let result = peer.authenticate_credential(&response, state);
        black_box(result.expect("a valid assertion"));
    })
}

fn peer_assertion_parsed() -> Box<dyn FnMut()> {
    let peer = peer();
    let items: Vec<(PublicKeyCredential, AuthenticationState)> = peer_assertions(&peer)
        .into_iter()
        .map(|(json, state)| (serde_json::from_str(&json).unwrap(), state))
        .collect();
    each(items, move |(response, state)| {
        let result = peer.authenticate_credential(black_box(response), state);
        black_box(result.expect("a valid assertion"));
    })
}

/// The authority that signs the software authenticator's attestation certificates, as a certificate of its own.
fn root_certificate() -> Vec<u8> {
    const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    let key = SigningKey::new(-7, b"attestation root").unwrap();
    let mut certificate = CertificateDraft::attestation(&key, [0; 16]);
    certificate.subject = certificate.issuer.clone();
    certificate.extensions.truncate(1);
    certificate.extensions[0].value = tlv(0x30, &tlv(0x01, &[0xff]));
    certificate
        .extensions
        .push(keyhaven_testkit::authenticator::Extension {
            oid: KEY_USAGE.to_vec(),
            critical: true,
            // keyCertSign and cRLSign.
            value: tlv(0x03, &[1, 0x06]),
        });
    certificate.sign(&key)
}

/// Trust in that authority, on a day within its certificates' validity.
fn trusted() -> AttestationTrust<'static> {
    let anchor = TrustAnchor::from_der("attestation root", &root_certificate()).unwrap();
    AttestationTrust::Required {
        anchors: Box::leak(Box::new(TrustAnchors::from_iter([anchor]))),
        at: UnixTime::from_millis(1_767_225_600_000),
    }
}

fn authorities() -> AttestationCaList {
    let aaguid = SoftwareAuthenticator::new("").aaguid;
    let mut builder = AttestationCaListBuilder::new();
    builder
        .insert_device_der(
            &root_certificate(),
            uuid::Uuid::from_bytes(aaguid),
            "software authenticator".into(),
            Default::default(),
        )
        .unwrap();
    builder.build()
}
