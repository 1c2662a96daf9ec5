//! Valid ceremonies by the software authenticator, to be spoiled one way at a time.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

pub(crate) mod statements;

use keyhaven_core::*;
use keyhaven_testkit::authenticator::{
    AssertionDraft, AttestationKind, Cbor, RegistrationDraft, SoftwareAuthenticator, tlv,
};
use serde_json::{Value, json};

pub(crate) const ORIGIN: &str = "https://example.org";
pub(crate) const OTHER_ORIGIN: &str = "https://login.example.org";
pub(crate) const CHALLENGE: &[u8] = &[0xfb, 0xff, 0xbe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
pub(crate) const USER_HANDLE: &[u8] = b"user handle";

/// Code and step of a refusal.
pub(crate) type Refusal = (&'static str, String);

/// A refusal as the contract writes it.
pub(crate) fn refusal(code: &'static str, step: &str) -> Refusal {
    (code, format!("L3 {step}"))
}

/// Trust is required, and there are no anchors.
pub(crate) fn trusting_nobody() -> AttestationTrust<'static> {
    static NOBODY: TrustAnchors = TrustAnchors::new();
    AttestationTrust::Required {
        anchors: &NOBODY,
        at: UnixTime::from_millis(1_767_225_600_000),
    }
}

pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty {
        id: RpId::new("example.org").unwrap(),
        origins: vec![Origin::new(ORIGIN).unwrap(), Origin::new(OTHER_ORIGIN).unwrap()],
        cross_origin: CrossOrigin::Refuse,
    }
}

pub(crate) fn embedded_in(top_origins: &[&str]) -> CrossOrigin {
    CrossOrigin::Allow {
        top_origins: top_origins
            .iter()
            .map(|origin| Origin::new(origin).unwrap())
            .collect(),
    }
}

fn authenticator(algorithm: i64, attestation: AttestationKind) -> SoftwareAuthenticator {
    let mut authenticator = SoftwareAuthenticator::new("seed");
    authenticator.algorithms = vec![algorithm];
    authenticator.attestation = attestation;
    authenticator
}

fn creation_options() -> Value {
    json!({
        "rp": {"id": "example.org"}, "user": {"id": base64url::encode(USER_HANDLE)},
        "challenge": base64url::encode(CHALLENGE),
        "pubKeyCredParams": [{"alg": -7}, {"alg": -8}, {"alg": -35}, {"alg": -257}],
    })
}

/// A registration and what it is judged by. As it is made, it is accepted.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) draft: RegistrationDraft,
    pub(crate) relying_party: RelyingParty,
    pub(crate) challenge: Challenge,
    pub(crate) origin: Option<Origin>,
    pub(crate) mediation: Mediation,
    pub(crate) policy: RegistrationPolicy<'static>,
    /// In place of the draft's own.
    pub(crate) extension_results: Option<Value>,
}

impl Registration {
    pub(crate) fn new(algorithm: i64, attestation: AttestationKind) -> Self {
        let mut authenticator = authenticator(algorithm, attestation);
        Self {
            draft: authenticator
                .draft_registration(&creation_options(), ORIGIN)
                .unwrap(),
            relying_party: relying_party(),
            challenge: Challenge::new(CHALLENGE.to_vec()).unwrap(),
            origin: None,
            mediation: Mediation::Modal,
            policy: RegistrationPolicy {
                canonical_cbor: CanonicalCbor::Strict,
                ..RegistrationPolicy::default()
            },
            extension_results: None,
        }
    }

    pub(crate) fn none() -> Self {
        Self::new(-7, AttestationKind::None)
    }

    pub(crate) fn packed_self() -> Self {
        Self::new(-7, AttestationKind::PackedSelf)
    }

    pub(crate) fn packed_x5c() -> Self {
        Self::new(-7, AttestationKind::PackedX5c(-7))
    }

    pub(crate) fn expected(&self) -> ExpectedRegistration<'_> {
        ExpectedRegistration {
            relying_party: &self.relying_party,
            challenge: &self.challenge,
            origin: self.origin.as_ref(),
            mediation: self.mediation,
        }
    }

    pub(crate) fn judge_json(&self, json: &[u8]) -> Result<VerifiedRegistration, RegistrationError> {
        let response = RegistrationResponse::from_json(json)?;
        let verdict = verify_registration(&response, &self.expected(), &self.policy);
        // The traced twin says the same, and its last entry is the refusal.
        let mut trace = Trace::default();
        let traced = verify_registration_traced(&response, &self.expected(), &self.policy, &mut trace);
        assert_eq!(verdict, traced);
        assert_trace(&trace, verdict.as_ref().err().map(RegistrationError::step));
        verdict
    }

    pub(crate) fn judge(&self) -> Result<VerifiedRegistration, RegistrationError> {
        let mut json = self.draft.finish();
        if let Some(results) = &self.extension_results {
            json["clientExtensionResults"] = results.clone();
        }
        self.judge_json(json.to_string().as_bytes())
    }

    /// Its refusal after one change before signing. Unchanged it is accepted, or the case proves nothing.
    pub(crate) fn spoiled(mut self, spoil: impl FnOnce(&mut Self)) -> Refusal {
        let _ = self.judge().expect("the unspoiled registration is accepted");
        spoil(&mut self);
        refused(self.judge())
    }

    /// Its refusal after one change to the attestation object, made after signing.
    pub(crate) fn spoiled_object(self, spoil: impl FnOnce(&mut Cbor)) -> Refusal {
        let mut object = self.draft.attestation_object();
        let json = |object: &Cbor| self.draft.envelope(&object.encode()).to_string();
        let _ = self
            .judge_json(json(&object).as_bytes())
            .expect("the unspoiled registration is accepted");
        spoil(&mut object);
        refused(self.judge_json(json(&object).as_bytes()))
    }

    /// Its refusal after one change to the JSON.
    pub(crate) fn spoiled_json(self, spoil: impl FnOnce(&mut Value)) -> Refusal {
        let mut json = self.draft.finish();
        let _ = self
            .judge_json(json.to_string().as_bytes())
            .expect("the unspoiled registration is accepted");
        spoil(&mut json);
        refused(self.judge_json(json.to_string().as_bytes()))
    }

    /// Changed in a way that must not matter.
    pub(crate) fn accepted(mut self, change: impl FnOnce(&mut Self)) -> VerifiedRegistration {
        change(&mut self);
        self.judge().expect("accepted")
    }
}

fn refused(verdict: Result<VerifiedRegistration, RegistrationError>) -> Refusal {
    let error = verdict.expect_err("the spoiled registration is refused");
    (error.code(), error.step().to_string())
}

/// An assertion by a stored credential, and what it is judged by. As it is made, it is accepted.
#[derive(Clone)]
pub(crate) struct Assertion {
    pub(crate) draft: AssertionDraft,
    pub(crate) relying_party: RelyingParty,
    pub(crate) challenge: Challenge,
    pub(crate) origin: Option<Origin>,
    pub(crate) allow_credentials: Vec<CredentialId>,
    pub(crate) user: ExpectedUser,
    pub(crate) appid: Option<String>,
    pub(crate) id: CredentialId,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sign_count: u32,
    pub(crate) user_handle: Option<UserHandle>,
    pub(crate) backup_eligible: Option<bool>,
    pub(crate) policy: AssertionPolicy,
    /// In place of the draft's own.
    pub(crate) extension_results: Option<Value>,
}

impl Assertion {
    pub(crate) fn new(algorithm: i64) -> Self {
        let mut authenticator = authenticator(algorithm, AttestationKind::None);
        let _ = authenticator.register(&creation_options(), ORIGIN);
        let options = json!({"rpId": "example.org", "challenge": base64url::encode(CHALLENGE)});
        let draft = authenticator.draft_assertion(&options, ORIGIN).unwrap();
        Self {
            relying_party: relying_party(),
            challenge: Challenge::new(CHALLENGE.to_vec()).unwrap(),
            origin: None,
            allow_credentials: Vec::new(),
            user: ExpectedUser::Discoverable,
            appid: None,
            id: CredentialId::try_from(draft.envelope_id.as_slice()).unwrap(),
            public_key: draft.key.cose().encode(),
            sign_count: 1,
            user_handle: Some(UserHandle::try_from(USER_HANDLE).unwrap()),
            backup_eligible: Some(true),
            policy: AssertionPolicy {
                canonical_cbor: CanonicalCbor::Strict,
                ..AssertionPolicy::default()
            },
            extension_results: None,
            draft,
        }
    }

    pub(crate) fn es256() -> Self {
        Self::new(-7)
    }

    pub(crate) fn judge_json(&self, json: &[u8]) -> Result<VerifiedAssertion, AssertionError> {
        let response = AuthenticationResponse::from_json(json)?;
        let expected = ExpectedAssertion {
            relying_party: &self.relying_party,
            challenge: &self.challenge,
            origin: self.origin.as_ref(),
            allow_credentials: &self.allow_credentials,
            user: self.user,
            appid: self.appid.as_deref(),
        };
        let record = CredentialRecord {
            id: &self.id,
            public_key: &CosePublicKey::new(&self.public_key),
            sign_count: SignCount(self.sign_count),
            user_handle: self.user_handle.as_ref(),
            backup_eligible: self.backup_eligible,
        };
        let verdict = verify_assertion(&response, &expected, &record, &self.policy);
        // The traced twin says the same, and its last entry is the refusal.
        let mut trace = Trace::default();
        let traced = verify_assertion_traced(&response, &expected, &record, &self.policy, &mut trace);
        assert_eq!(verdict, traced);
        assert_trace(&trace, verdict.as_ref().err().map(AssertionError::step));
        verdict
    }

    pub(crate) fn judge(&self) -> Result<VerifiedAssertion, AssertionError> {
        let mut json = self.draft.finish();
        if let Some(results) = &self.extension_results {
            json["clientExtensionResults"] = results.clone();
        }
        self.judge_json(json.to_string().as_bytes())
    }

    /// Its refusal after one change before signing. Unchanged it is accepted, or the case proves nothing.
    pub(crate) fn spoiled(mut self, spoil: impl FnOnce(&mut Self)) -> Refusal {
        let _ = self.judge().expect("the unspoiled assertion is accepted");
        spoil(&mut self);
        refused_assertion(self.judge())
    }

    /// Its refusal after one change to the JSON.
    pub(crate) fn spoiled_json(self, spoil: impl FnOnce(&mut Value)) -> Refusal {
        let mut json = self.draft.finish();
        let _ = self
            .judge_json(json.to_string().as_bytes())
            .expect("the unspoiled assertion is accepted");
        spoil(&mut json);
        refused_assertion(self.judge_json(json.to_string().as_bytes()))
    }

    /// Changed in a way that must not matter.
    pub(crate) fn accepted(mut self, change: impl FnOnce(&mut Self)) -> VerifiedAssertion {
        change(&mut self);
        self.judge().expect("accepted")
    }
}

fn refused_assertion(verdict: Result<VerifiedAssertion, AssertionError>) -> Refusal {
    let error = verdict.expect_err("the spoiled assertion is refused");
    (error.code(), error.step().to_string())
}

/// A trace goes through the numbered steps in ascending order, and fails at its end exactly where the verdict says.
fn assert_trace(trace: &Trace, refused_at: Option<Step>) {
    let numbered: Vec<Step> = trace
        .entries()
        .iter()
        .map(|entry| entry.step)
        .filter(|step| !matches!(step, Step::Statement(_)))
        .collect();
    assert!(numbered.is_sorted(), "{trace:?}");
    let failed = trace
        .entries()
        .iter()
        .position(|entry| entry.outcome == Outcome::Failed);
    match refused_at {
        None => assert_eq!(failed, None, "{trace:?}"),
        Some(step) => {
            assert_eq!(failed, Some(trace.entries().len() - 1), "{trace:?}");
            assert_eq!(
                trace.entries().last().map(|entry| entry.step),
                Some(step),
                "{trace:?}"
            );
        }
    }
}

/// A certificate signed anew: its algorithm replaced by this AlgorithmIdentifier's content, its signature by `sign`'s.
pub(crate) fn signed_with(der: &[u8], algorithm: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let ecdsa_with_sha256 = tlv(
        0x30,
        &tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
    );
    let algorithm = tlv(0x30, algorithm);
    let at = position(der, &ecdsa_with_sha256);
    let end = der
        .windows(ecdsa_with_sha256.len())
        .rposition(|window| window == ecdsa_with_sha256)
        .unwrap();
    // Two headers stand before what is signed, of two bytes and the length's own.
    let header = |der: &[u8]| 2 + usize::from(der[1] & 0x7f) * usize::from(der[1] >> 7);
    let outer = header(der);
    let begin = outer + header(&der[outer..]);
    let content = [
        &der[begin..at],
        &algorithm,
        &der[at + ecdsa_with_sha256.len()..end],
    ]
    .concat();
    let tbs = tlv(0x30, &content);
    let signature = tlv(0x03, &[&[0][..], &sign(&tbs)].concat());
    tlv(0x30, &[tbs, algorithm, signature].concat())
}

/// Where `needle` starts.
pub(crate) fn position(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}

/// Client data members at the places where both ceremonies must refuse them.
pub(crate) fn malformed_client_data() -> Vec<(&'static str, Vec<u8>)> {
    let challenge = base64url::encode(CHALLENGE);
    let with = |members: &str| {
        format!(r#"{{"type":"webauthn.TYPE","challenge":"{challenge}","origin":"{ORIGIN}"{members}}}"#)
            .into_bytes()
    };
    let nested = format!(r#","x":{}{}"#, "[".repeat(16), "]".repeat(16));
    vec![
        ("empty", Vec::new()),
        ("no JSON", b"{".to_vec()),
        ("no object", b"[]".to_vec()),
        ("two objects", [with(""), with("")].concat()),
        (
            "a duplicate known member",
            with(&format!(r#","challenge":"{challenge}""#)),
        ),
        ("a duplicate unknown member", with(r#","x":1,"x":1"#)),
        (
            "a duplicate after unescaping",
            with(&format!(r#","\u006frigin":"{ORIGIN}""#)),
        ),
        ("a duplicate deep inside", with(r#","x":[{"y":1,"y":2}]"#)),
        ("17 levels", with(&nested)),
        (
            "more than 64 KiB",
            with(&format!(r#","x":"{}""#, "x".repeat(65_536))),
        ),
        (
            "no type",
            format!(r#"{{"challenge":"{challenge}","origin":"{ORIGIN}"}}"#).into_bytes(),
        ),
        (
            "no challenge",
            format!(r#"{{"type":"webauthn.TYPE","origin":"{ORIGIN}"}}"#).into_bytes(),
        ),
        (
            "no origin",
            format!(r#"{{"type":"webauthn.TYPE","challenge":"{challenge}"}}"#).into_bytes(),
        ),
        (
            "a type that is no string",
            br#"{"type":1,"challenge":"a","origin":"b"}"#.to_vec(),
        ),
        (
            "a challenge that is no string",
            br#"{"type":"a","challenge":null,"origin":"b"}"#.to_vec(),
        ),
        (
            "an origin that is no string",
            br#"{"type":"a","challenge":"b","origin":["c"]}"#.to_vec(),
        ),
        ("crossOrigin null", with(r#","crossOrigin":null"#)),
        ("crossOrigin text", with(r#","crossOrigin":"false""#)),
        ("crossOrigin number", with(r#","crossOrigin":0"#)),
        ("topOrigin null", with(r#","topOrigin":null"#)),
        ("topOrigin that is no string", with(r#","topOrigin":true"#)),
        ("a trailing comma", with(",")),
        ("a lone surrogate", with(r#","x":"\ud800""#)),
        (
            "white space of another kind",
            [&b"\xc2\xa0"[..], &with("")].concat(),
        ),
    ]
}

/// Origins that are not `https://example.org`, however near they come.
pub(crate) const WRONG_ORIGINS: &[&str] = &[
    "",
    "http://example.org",
    "https://example.org/",
    "https://example.org:443",
    "https://example.org:8443",
    "https://EXAMPLE.org",
    "https://example.org.",
    "https://example.or",
    "https://example.org.evil.example",
    "https://evil.example.org",
    "https://badexample.org",
    "https://example.org@evil.example",
    "https://user@example.org",
    " https://example.org",
    "https://example.org ",
    "https://example.org\0",
    "https://еxample.org",
    "example.org",
    "null",
    "*",
];
