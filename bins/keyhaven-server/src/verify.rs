//! `keyhaven verify`: the verifier on its own. No server, no store, no clock: one JSON object per line in, one out.
//!
//! What is malformed inside `response` is the verifier's to refuse. What is malformed outside it, or a field this contract
//! does not know, is no case at all: the line answers `error`, and nothing is guessed.

mod answer;
mod case;

use std::io::{self, BufRead, Read as _, Write};
use std::process::ExitCode;

use keyhaven_core::{
    AssertionError, AssertionPolicy, AttestationObject, AuthenticationResponse, AuthenticatorData,
    BackupEligibilityChange, CanonicalCbor, CoseAlgorithm, CosePublicKey, CredentialRecord,
    ExpectedAssertion, ExpectedRegistration, ExpectedUser, Mediation, PublicKey, RegistrationError,
    RegistrationPolicy, RegistrationResponse, SUPPORTED_ALGORITHMS, SignCount, SignCountCheck,
    SignCountRegression, Step, Trace, base64url, verify_assertion, verify_assertion_traced,
    verify_registration, verify_registration_traced,
};

use answer::{Answer, Verdict};
use case::{
    Attestation, BackupEligibilityChangeField, Case, CredentialField, Kind, MediationField, NoCase,
    SignCountRegressionField, backup, bytes, canonical_cbor, challenge, credential_id, extensions, label,
    object, refuse_field, relying_party, user_handle,
};

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

fn registration(case: &Case<'_>, trace: bool) -> Result<Answer, NoCase> {
    let only = "only an authentication has";
    refuse_field(case.credential.is_some(), only, "credential")?;
    refuse_field(case.user_identified.is_some(), only, "userIdentified")?;
    refuse_field(case.allow_credentials.is_some(), only, "allowCredentials")?;
    refuse_field(case.appid.is_some(), only, "appid")?;
    refuse_field(case.action.is_some(), only, "action")?;
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
        extensions: extensions(case)?,
        canonical_cbor: canonical_cbor(&case.canonical_cbor),
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
        extensions: extensions(case)?,
        canonical_cbor: canonical_cbor(&case.canonical_cbor),
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
