//! `keyhaven verify`: the verifier on its own. No server, no store, no clock: one JSON object per line in, one out.
//!
//! What is malformed inside `response` is the verifier's to refuse. What is malformed outside it, or a field this contract
//! does not know, is no case at all: the line answers `error`, and nothing is guessed.

use std::io::{self, BufRead, Read as _, Write};
use std::process::ExitCode;

use keyhaven_core::{
    AndroidKeyPolicy, AssertionError, AssertionPolicy, AttestationObject, AttestationPolicy,
    AttestationTrust, AuthenticationResponse, AuthenticatorData, BackupEligibilityChange, BackupPolicy,
    CanonicalCbor, Challenge, CosePublicKey, CredentialId, CredentialRecord, CrossOrigin, ExpectedAssertion,
    ExpectedRegistration, ExpectedUser, Extension, ExtensionPolicy, Flags, Mediation, Origin, Profile,
    PublicKey, RegistrationError, RegistrationPolicy, RegistrationResponse, RelyingParty, RpId,
    SUPPORTED_ALGORITHMS, Sha1, SignCount, SignCountCheck, SignCountRegression, Step, Trace, TrustAnchor,
    TrustAnchors, UnixTime, UnsolicitedExtensions, UserHandle, UserVerification, base64url, verify_assertion,
    verify_assertion_traced, verify_registration, verify_registration_traced,
};
use keyhaven_types::CoseAlgorithm;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Judges every line of `input`. Lines of nothing but white space are skipped.
///
/// # Errors
/// When reading or writing fails. A line that is no case is not an error here: it makes the exit status 2.
pub(crate) fn run(trace: bool, mut input: impl BufRead, mut output: impl Write) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    while let Some(line) = next_line(&mut input)? {
        let answer = match line {
            Line::Blank => continue,
            Line::Text(bytes) => judge(&bytes, trace),
            Line::TooLong => Answer::error(None, format!("the line has more than {MAX_LINE} bytes")),
        };
        if answer.verdict == Verdict::Error {
            code = ExitCode::from(2);
        }
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(code)
}

enum Line {
    Blank,
    Text(Vec<u8>),
    TooLong,
}

/// The next line, of which never more than [`MAX_LINE`] bytes are held.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    if input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let ended = line.ends_with(b"\n");
    if !ended && u64::try_from(line.len()).is_ok_and(|len| len > MAX_LINE) {
        input.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(if line.iter().all(u8::is_ascii_whitespace) {
        Line::Blank
    } else {
        Line::Text(line)
    }))
}

/// One line, as the contract describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case<'a> {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    kind: Kind,
    rp_id: String,
    origins: Vec<String>,
    #[serde(default)]
    cross_origin: CrossOriginField,
    #[serde(default, deserialize_with = "present")]
    top_origins: Option<Vec<String>>,
    challenge: String,
    #[serde(default)]
    user_verification: UserVerification,
    #[serde(default, deserialize_with = "present")]
    mediation: Option<MediationField>,
    #[serde(default)]
    profile: ProfileField,
    #[serde(default, deserialize_with = "present")]
    algorithms: Option<Vec<i64>>,
    #[serde(borrow)]
    response: &'a RawValue,
    #[serde(default, borrow, deserialize_with = "present")]
    credential: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    user_identified: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    allow_credentials: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    appid: Option<String>,
    #[serde(default)]
    backup_eligibility_change: BackupEligibilityChangeField,
    #[serde(default)]
    sign_count_regression: SignCountRegressionField,
    #[serde(default)]
    backup: BackupField,
    #[serde(default, borrow, deserialize_with = "present")]
    extensions: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    attestation: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExtensionsField {
    #[serde(default)]
    requested: Vec<String>,
    #[serde(default)]
    unsolicited: UnsolicitedField,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialField {
    id: String,
    public_key: String,
    #[serde(default)]
    sign_count: u32,
    #[serde(default, deserialize_with = "present")]
    user_handle: Option<String>,
    #[serde(default, deserialize_with = "present")]
    backup_eligible: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AttestationField {
    #[serde(default)]
    policy: AttestationPolicyField,
    #[serde(default, deserialize_with = "present")]
    trust_anchors: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    at: Option<String>,
    #[serde(default)]
    android_key: AndroidKeyField,
    #[serde(default)]
    allow_sha1: bool,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Authentication,
    Registration,
}

#[derive(Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum CrossOriginField {
    Allow,
    #[default]
    Refuse,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum MediationField {
    Conditional,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProfileField {
    Fido,
    #[default]
    W3c,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BackupEligibilityChangeField {
    AllowUpgrade,
    #[default]
    Refuse,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BackupField {
    #[default]
    Any,
    BackedUp,
    DeviceBound,
    Eligible,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnsolicitedField {
    #[default]
    Ignore,
    Refuse,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SignCountRegressionField {
    #[default]
    Refuse,
    Report,
}

#[derive(Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum AttestationPolicyField {
    #[default]
    IgnoreTrust,
    Trusted,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AndroidKeyField {
    Tee,
    #[default]
    Union,
}

/// A field that may be absent; `null` is not absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Why a line is no case, for a person.
type NoCase = String;

fn judge(line: &[u8], trace: bool) -> Answer {
    let Ok(text) = std::str::from_utf8(line) else {
        return Answer::error(None, "the line is not UTF-8".into());
    };
    let case: Case<'_> = match object("the line", text) {
        Ok(case) => case,
        Err(no_case) => return Answer::error(label(text), no_case),
    };
    let judged = match case.kind {
        Kind::Authentication => authentication(&case, trace),
        Kind::Registration => registration(&case, trace),
    };
    match judged {
        Ok(answer) => Answer {
            name: case.name,
            ..answer
        },
        Err(no_case) => Answer::error(case.name, no_case),
    }
}

/// Reads a JSON object. (serde would also take an array of a struct's fields in order.)
fn object<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, NoCase> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("{what}: {error}"))
    } else {
        Err(format!("{what}: not a JSON object"))
    }
}

/// The name of a line that is no case, where it can be read.
fn label(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Label {
        name: String,
    }
    object::<Label>("the line", text).ok().map(|label| label.name)
}

fn registration(case: &Case<'_>, trace: bool) -> Result<Answer, NoCase> {
    let only = "only an authentication has";
    refuse_field(case.credential.is_some(), only, "credential")?;
    refuse_field(case.user_identified.is_some(), only, "userIdentified")?;
    refuse_field(case.allow_credentials.is_some(), only, "allowCredentials")?;
    refuse_field(case.appid.is_some(), only, "appid")?;
    let relying_party = relying_party(case)?;
    let challenge = challenge(case)?;
    let expected = ExpectedRegistration {
        relying_party: &relying_party,
        challenge: &challenge,
        origin: None,
        mediation: match case.mediation {
            Some(MediationField::Conditional) => Mediation::Conditional,
            None => Mediation::Modal,
        },
    };
    let attestation = Attestation::read(case.attestation, &case.profile)?;
    let policy = RegistrationPolicy {
        user_verification: case.user_verification,
        algorithms: match &case.algorithms {
            None => SUPPORTED_ALGORITHMS.to_vec(),
            Some(identifiers) => identifiers.iter().copied().map(CoseAlgorithm::new).collect(),
        },
        attestation: attestation.policy,
        attestation_trust: attestation.trust(),
        backup: backup(case.backup),
        extensions: extensions(case.extensions)?,
        canonical_cbor: CanonicalCbor::AnyKeyOrder,
    };
    let mut steps = trace.then(Trace::default);
    let response = match RegistrationResponse::from_json(case.response.get().as_bytes()) {
        Ok(response) => response,
        Err(error) => {
            return Ok(Answer::reject(error.code(), error.step(), error.to_string()).with_trace(steps));
        }
    };
    let verdict = match &mut steps {
        None => verify_registration(&response, &expected, &policy),
        Some(steps) => verify_registration_traced(&response, &expected, &policy, steps),
    };
    let answer = match verdict {
        Ok(verified) => Answer {
            fmt: Some(verified.attestation_format().to_owned()),
            attestation_type: Some(verified.attestation_type().as_str()),
            attestation_trusted: Some(verified.attestation_trusted()),
            alg: Some(verified.algorithm().identifier()),
            aaguid: Some(verified.claimed_aaguid().to_string()),
            sign_count: Some(verified.sign_count().0),
            flags: Some(verified.flags().into()),
            credential_id: Some(verified.credential_id().to_string()),
            public_key: Some(base64url::encode(verified.public_key())),
            ..Answer::new(Verdict::Ok)
        },
        Err(error) => refused_registration(&response, &error),
    };
    Ok(answer.with_trace(steps))
}

/// A refusal, with what the response says of itself where that was read before the step that refused.
fn refused_registration(response: &RegistrationResponse, error: &RegistrationError) -> Answer {
    let answer = Answer::reject(error.code(), error.step(), error.to_string());
    let read = error.step() > Step::Registration(13);
    match AttestationObject::parse(response.attestation_object(), CanonicalCbor::AnyKeyOrder) {
        Ok(object) if read => {
            let data = object.authenticator_data();
            let attested = data.attested_credential_data();
            Answer {
                fmt: Some(object.format().to_owned()),
                alg: attested.map(|attested| attested.public_key().algorithm().identifier()),
                aaguid: attested.map(|attested| attested.aaguid().to_string()),
                sign_count: Some(data.sign_count().0),
                flags: Some(data.flags().into()),
                credential_id: attested.map(|attested| base64url::encode(attested.credential_id())),
                public_key: attested.map(|attested| base64url::encode(attested.public_key().as_bytes())),
                ..answer
            }
        }
        Ok(_) | Err(_) => answer,
    }
}

fn authentication(case: &Case<'_>, trace: bool) -> Result<Answer, NoCase> {
    let only = "only a registration has";
    refuse_field(case.mediation.is_some(), only, "mediation")?;
    refuse_field(case.algorithms.is_some(), only, "algorithms")?;
    let relying_party = relying_party(case)?;
    let challenge = challenge(case)?;
    Attestation::read(case.attestation, &case.profile)?;
    let credential = case.credential.ok_or("credential: an authentication needs one")?;
    let credential: CredentialField = object("credential", credential.get())?;
    let id = credential_id("credential.id", &credential.id)?;
    let public_key = bytes("credential.publicKey", &credential.public_key)?;
    let user_handle = credential.user_handle.as_deref().map(user_handle).transpose()?;
    let allow_credentials = case
        .allow_credentials
        .iter()
        .flatten()
        .map(|text| credential_id("allowCredentials", text))
        .collect::<Result<Vec<_>, _>>()?;
    let expected = ExpectedAssertion {
        relying_party: &relying_party,
        challenge: &challenge,
        origin: None,
        allow_credentials: &allow_credentials,
        user: if case.user_identified == Some(false) {
            ExpectedUser::Discoverable
        } else {
            ExpectedUser::Identified
        },
        appid: case.appid.as_deref(),
    };
    let record = CredentialRecord {
        id: &id,
        public_key: &CosePublicKey::new(&public_key),
        sign_count: SignCount(credential.sign_count),
        user_handle: user_handle.as_ref(),
        backup_eligible: credential.backup_eligible,
    };
    let policy = AssertionPolicy {
        user_verification: case.user_verification,
        backup_eligibility_change: match case.backup_eligibility_change {
            BackupEligibilityChangeField::AllowUpgrade => BackupEligibilityChange::AllowUpgrade,
            BackupEligibilityChangeField::Refuse => BackupEligibilityChange::Refuse,
        },
        sign_count_regression: match case.sign_count_regression {
            SignCountRegressionField::Refuse => SignCountRegression::Refuse,
            SignCountRegressionField::Report => SignCountRegression::Report,
        },
        backup: backup(case.backup),
        extensions: extensions(case.extensions)?,
        canonical_cbor: CanonicalCbor::AnyKeyOrder,
    };
    let mut steps = trace.then(Trace::default);
    let response = match AuthenticationResponse::from_json(case.response.get().as_bytes()) {
        Ok(response) => response,
        Err(error) => {
            return Ok(Answer::reject(error.code(), error.step(), error.to_string()).with_trace(steps));
        }
    };
    let verdict = match &mut steps {
        None => verify_assertion(&response, &expected, &record, &policy),
        Some(steps) => verify_assertion_traced(&response, &expected, &record, &policy, steps),
    };
    let answer = match verdict {
        Ok(verified) => Answer {
            alg: Some(verified.algorithm().identifier()),
            sign_count: Some(match verified.sign_count() {
                SignCountCheck::Regressed { received, .. } => received.0,
                SignCountCheck::Advanced | SignCountCheck::NotSupported => verified.new_sign_count().0,
            }),
            sign_count_verdict: Some(verified.sign_count().as_str()),
            flags: Some(verified.flags().into()),
            credential_id: Some(verified.credential_id().to_string()),
            ..Answer::new(Verdict::Ok)
        },
        Err(error) => refused_assertion(&response, &record, &error),
    };
    Ok(answer.with_trace(steps))
}

/// A refusal, with what the response says of itself where that was read before the step that refused.
fn refused_assertion(
    response: &AuthenticationResponse,
    record: &CredentialRecord<'_>,
    error: &AssertionError,
) -> Answer {
    let answer = Answer::reject(error.code(), error.step(), error.to_string());
    let read = error.step() > Step::Assertion(7);
    match AuthenticatorData::parse(response.authenticator_data(), CanonicalCbor::AnyKeyOrder) {
        Ok(data) if read => Answer {
            alg: PublicKey::from_cose(record.public_key.as_bytes())
                .ok()
                .map(|key| key.algorithm().identifier()),
            sign_count: Some(data.sign_count().0),
            sign_count_verdict: matches!(error, AssertionError::CounterRegression { .. })
                .then_some("regressed"),
            flags: Some(data.flags().into()),
            credential_id: Some(record.id.to_string()),
            ..answer
        },
        Ok(_) | Err(_) => answer,
    }
}

fn refuse_field(is_there: bool, only: &str, field: &str) -> Result<(), NoCase> {
    if is_there {
        Err(format!("{field}: {only} one"))
    } else {
        Ok(())
    }
}

fn relying_party(case: &Case<'_>) -> Result<RelyingParty, NoCase> {
    if case.origins.is_empty() {
        return Err("origins: at least one is needed".into());
    }
    Ok(RelyingParty {
        id: RpId::new(&case.rp_id).map_err(|error| format!("rpId: {error}"))?,
        origins: origins("origins", &case.origins)?,
        cross_origin: match (&case.cross_origin, &case.top_origins) {
            (CrossOriginField::Allow, listed) => CrossOrigin::Allow {
                top_origins: origins("topOrigins", listed.as_deref().unwrap_or_default())?,
            },
            (CrossOriginField::Refuse, None) => CrossOrigin::Refuse,
            (CrossOriginField::Refuse, Some(_)) => {
                return Err("topOrigins: only where crossOrigin is \"allow\"".into());
            }
        },
    })
}

fn origins(field: &str, texts: &[String]) -> Result<Vec<Origin>, NoCase> {
    texts
        .iter()
        .map(|text| Origin::new(text).map_err(|error| format!("{field}: {error}")))
        .collect()
}

fn challenge(case: &Case<'_>) -> Result<Challenge, NoCase> {
    Challenge::new(bytes("challenge", &case.challenge)?).map_err(|error| format!("challenge: {error}"))
}

const fn backup(field: BackupField) -> BackupPolicy {
    match field {
        BackupField::Any => BackupPolicy::Any,
        BackupField::BackedUp => BackupPolicy::BackedUp,
        BackupField::DeviceBound => BackupPolicy::DeviceBound,
        BackupField::Eligible => BackupPolicy::Eligible,
    }
}

fn extensions(field: Option<&RawValue>) -> Result<ExtensionPolicy, NoCase> {
    let field: ExtensionsField = match field {
        None => ExtensionsField::default(),
        Some(raw) => object("extensions", raw.get())?,
    };
    let known = |name: &String| {
        Extension::from_identifier(name).ok_or_else(|| format!("extensions.requested: {name:?} is not known"))
    };
    Ok(ExtensionPolicy {
        requested: field.requested.iter().map(known).collect::<Result<_, _>>()?,
        unsolicited: match field.unsolicited {
            UnsolicitedField::Ignore => UnsolicitedExtensions::Ignore,
            UnsolicitedField::Refuse => UnsolicitedExtensions::Refuse,
        },
    })
}

/// What `attestation` asks for, with its anchors read.
struct Attestation {
    /// The moment to judge at, where trust is required.
    trusted_at: Option<UnixTime>,
    anchors: TrustAnchors,
    policy: AttestationPolicy,
}

impl Attestation {
    fn read(field: Option<&RawValue>, profile: &ProfileField) -> Result<Self, NoCase> {
        use base64::Engine as _;
        let field: AttestationField = match field {
            None => AttestationField::default(),
            Some(raw) => object("attestation", raw.get())?,
        };
        let anchors = field
            .trust_anchors
            .iter()
            .flatten()
            .enumerate()
            .map(|(index, text)| {
                let der = base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .map_err(|_| "attestation.trustAnchors: not base64 with padding".to_owned())?;
                TrustAnchor::from_der(&format!("trustAnchors[{index}]"), &der)
                    .map_err(|error| format!("attestation.trustAnchors: {error}"))
            })
            .collect::<Result<TrustAnchors, NoCase>>()?;
        let at = field.at.as_deref().map(moment).transpose()?;
        let trusted_at = match field.policy {
            AttestationPolicyField::IgnoreTrust => None,
            AttestationPolicyField::Trusted if field.trust_anchors.is_none() || at.is_none() => {
                return Err("attestation: policy \"trusted\" needs trustAnchors and at".into());
            }
            AttestationPolicyField::Trusted => at,
        };
        Ok(Self {
            trusted_at,
            anchors,
            policy: AttestationPolicy {
                profile: match profile {
                    ProfileField::Fido => Profile::Fido,
                    ProfileField::W3c => Profile::W3c,
                },
                android_key: match field.android_key {
                    AndroidKeyField::Tee => AndroidKeyPolicy::Tee,
                    AndroidKeyField::Union => AndroidKeyPolicy::Union,
                },
                sha1: if field.allow_sha1 {
                    Sha1::Allow
                } else {
                    Sha1::Refuse
                },
                ..AttestationPolicy::default()
            },
        })
    }

    fn trust(&self) -> AttestationTrust<'_> {
        match self.trusted_at {
            None => AttestationTrust::Ignore,
            Some(at) => AttestationTrust::Required {
                anchors: &self.anchors,
                at,
            },
        }
    }
}

fn moment(text: &str) -> Result<UnixTime, NoCase> {
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .map_err(|_| "attestation.at: not an RFC 3339 time".to_owned())?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000))
        .map(UnixTime::from_millis)
        .map_err(|_| "attestation.at: out of range".to_owned())
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, NoCase> {
    base64url::decode(text).map_err(|error| format!("{field}: {error}"))
}

fn credential_id(field: &str, text: &str) -> Result<CredentialId, NoCase> {
    CredentialId::try_from(bytes(field, text)?.as_slice()).map_err(|error| format!("{field}: {error}"))
}

fn user_handle(text: &str) -> Result<UserHandle, NoCase> {
    let field = "credential.userHandle";
    UserHandle::try_from(bytes(field, text)?.as_slice()).map_err(|error| format!("{field}: {error}"))
}

#[derive(Clone, Copy, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Error,
    Ok,
    Reject,
}

/// One line of output; what does not apply is absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fmt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation_trusted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aaguid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_count_verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<FlagsField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<TraceField>>,
}

#[derive(Serialize)]
struct FlagsField {
    up: bool,
    uv: bool,
    be: bool,
    bs: bool,
    at: bool,
    ed: bool,
}

#[derive(Serialize)]
struct TraceField {
    step: String,
    outcome: &'static str,
    detail: String,
}

impl Answer {
    const fn new(verdict: Verdict) -> Self {
        Self {
            name: None,
            verdict,
            code: None,
            step: None,
            detail: None,
            fmt: None,
            attestation_type: None,
            attestation_trusted: None,
            alg: None,
            aaguid: None,
            sign_count: None,
            sign_count_verdict: None,
            flags: None,
            credential_id: None,
            public_key: None,
            trace: None,
        }
    }

    fn error(name: Option<String>, no_case: NoCase) -> Self {
        Self {
            name,
            detail: Some(no_case),
            ..Self::new(Verdict::Error)
        }
    }

    fn reject(code: &'static str, step: Step, detail: String) -> Self {
        Self {
            code: Some(code),
            step: Some(step.to_string()),
            detail: Some(detail),
            ..Self::new(Verdict::Reject)
        }
    }

    /// Adds the steps, where they were asked for. A response that could not be read was refused at its first one.
    fn with_trace(mut self, steps: Option<Trace>) -> Self {
        let Some(steps) = steps else {
            return self;
        };
        let mut entries: Vec<TraceField> = steps
            .entries()
            .iter()
            .map(|entry| TraceField {
                step: entry.step.to_string(),
                outcome: entry.outcome.as_str(),
                detail: entry.detail.clone(),
            })
            .collect();
        if entries.is_empty()
            && let (Some(step), Some(detail)) = (&self.step, &self.detail)
        {
            entries.push(TraceField {
                step: step.clone(),
                outcome: "failed",
                detail: detail.clone(),
            });
        }
        self.trace = Some(entries);
        self
    }
}

impl From<Flags> for FlagsField {
    fn from(flags: Flags) -> Self {
        Self {
            up: flags.user_present(),
            uv: flags.user_verified(),
            be: flags.backup_eligible(),
            bs: flags.backup_state(),
            at: flags.attested_credential_data(),
            ed: flags.extension_data(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(input: &[u8]) -> (Vec<serde_json::Value>, ExitCode) {
        let mut output = Vec::new();
        let code = run(false, input, &mut output).unwrap();
        let lines = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        (
            lines.map(|line| serde_json::from_slice(line).unwrap()).collect(),
            code,
        )
    }

    #[test]
    fn a_line_that_is_no_case_answers_so_and_the_next_is_read() {
        let (lines, code) = output(b"no json\n\n  \t\n{\"name\":\"a\",\"unknown\":1}\n\xff\n[1]\n");
        assert_eq!(lines.len(), 4);
        assert!(
            lines
                .iter()
                .all(|line| line["verdict"] == "error" && line["detail"].is_string())
        );
        assert_eq!(lines[1]["name"], "a");
        assert_eq!(code, ExitCode::from(2));
    }

    #[test]
    fn a_line_is_bounded() {
        let len = usize::try_from(MAX_LINE).unwrap();
        let input = [vec![b'x'; len + 1], b"\n1\n".to_vec(), vec![b'y'; 3 * len]].concat();
        let (lines, code) = output(&input);
        assert_eq!(lines.len(), 3);
        assert!(lines[0]["detail"].as_str().unwrap().contains("more than"));
        assert!(!lines[1]["detail"].as_str().unwrap().contains("more than"));
        assert_eq!(code, ExitCode::from(2));
        // Exactly as long as a line may be, its end of line aside.
        let (lines, _) = output(&[vec![b'x'; len], b"\n".to_vec()].concat());
        assert!(!lines[0]["detail"].as_str().unwrap().contains("more than"));
    }

    #[test]
    fn nothing_in_nothing_out() {
        let (lines, code) = output(b"");
        assert_eq!((lines.len(), code), (0, ExitCode::SUCCESS));
    }
}
