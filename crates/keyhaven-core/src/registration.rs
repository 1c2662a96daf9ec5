use keyhaven_types::{
    Backup, CoseAlgorithm, CredentialId, Flags, Mediation, Origin, SignCount, UserVerification, base64url,
};

use crate::aaguid::{AttestedAaguid, ClaimedAaguid};
use crate::attestation::{AttestationFormat, AttestationObject, AttestationObjectError, AttestationType};
use crate::authenticator_data::AuthenticatorDataError;
use crate::ceremony::{self, TopOrigin};
use crate::client_data::CollectedClientData;
use crate::crypto::sha256;
use crate::error::{Received, RegistrationError};
use crate::extensions::SignedRegistrationExtensions;
use crate::public_key::PublicKey;
use crate::relying_party::{ExpectedRegistration, RegistrationPolicy};
use crate::response::RegistrationResponse;
use crate::trace::{NoTrace, Trace, Tracer};
use crate::trust::{self, AttestationTrust, TrustDecision};
use crate::{SUPPORTED_ALGORITHMS, Step};

/// A registration that was verified: what to store as the credential record (WebAuthn L3 §7.1 step 27).
///
/// Only [`verify_registration`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct VerifiedRegistration {
    credential_id: CredentialId,
    public_key: Vec<u8>,
    algorithm: CoseAlgorithm,
    sign_count: SignCount,
    claimed_aaguid: ClaimedAaguid,
    attested_aaguid: Option<AttestedAaguid>,
    flags: Flags,
    backup: Backup,
    attestation_format: AttestationFormat,
    attestation_type: AttestationType,
    trust: TrustDecision,
    enterprise_serial_number: Option<Box<[u8]>>,
    origin: Origin,
    signed_extensions: SignedRegistrationExtensions,
}

/// Verifies a registration response.
///
/// Pure: time, randomness and storage are the caller's. Follows WebAuthn L3 §7.1; steps 1, 2, 26 (the credential id is
/// not registered yet) and 29 are the caller's.
///
/// # Errors
/// The first step that does not hold.
pub fn verify_registration(
    response: &RegistrationResponse,
    expected: &ExpectedRegistration<'_>,
    policy: &RegistrationPolicy<'_>,
) -> Result<VerifiedRegistration, RegistrationError> {
    verify(response, expected, policy, &mut NoTrace)
}

/// [`verify_registration`], which also writes down each step with what it compared.
///
/// # Errors
/// The first step that does not hold; it is the trace's last entry.
pub fn verify_registration_traced(
    response: &RegistrationResponse,
    expected: &ExpectedRegistration<'_>,
    policy: &RegistrationPolicy<'_>,
    trace: &mut Trace,
) -> Result<VerifiedRegistration, RegistrationError> {
    verify(response, expected, policy, trace)
        .inspect_err(|error| trace.refuse(error.step(), &error.to_string()))
}

fn verify(
    response: &RegistrationResponse,
    expected: &ExpectedRegistration<'_>,
    policy: &RegistrationPolicy<'_>,
    trace: &mut impl Tracer,
) -> Result<VerifiedRegistration, RegistrationError> {
    let step = Step::Registration;
    let relying_party = expected.relying_party;

    // Steps 1 and 2 are the server's and the page's.

    // Step 3. The response is an attestation response: RegistrationResponse::from_json saw to that.
    trace.check(step(3), || {
        "type \"public-key\", with clientDataJSON and attestationObject".into()
    });

    // Step 4. The client extension results are kept in the response.
    trace.check(step(4), || format!("{:?}", response.client_extension_results()));

    // Step 5. The client data as UTF-8, without a byte order mark.
    trace.check(step(5), || {
        format!("clientDataJSON: {} bytes", response.client_data_json().len())
    });
    let client_data_text = CollectedClientData::decode(response.client_data_json())?;

    // Step 6. C: the text as JSON, unknown members allowed.
    trace.check(step(6), || client_data_text.to_owned());
    let client_data = CollectedClientData::from_text(client_data_text)?;

    // Step 7. C.type is webauthn.create.
    trace.check(step(7), || {
        format!(
            "type: expected \"webauthn.create\", received {:?}",
            client_data.kind()
        )
    });
    if client_data.kind() != "webauthn.create" {
        return Err(RegistrationError::CeremonyTypeMismatch {
            received: Received::new(client_data.kind()),
        });
    }

    // Step 8. C.challenge is the challenge that was issued.
    trace.check(step(8), || {
        let issued = base64url::encode(expected.challenge.as_bytes());
        format!(
            "challenge: expected {issued:?}, received {:?}",
            client_data.challenge()
        )
    });
    if !expected.challenge.matches(client_data.challenge()) {
        return Err(RegistrationError::ChallengeMismatch);
    }

    // Step 9. C.origin is an origin we expect.
    trace.check(step(9), || {
        let origins = ceremony::expected_origins(relying_party, expected.origin);
        format!(
            "origin: expected one of {origins:?}, received {:?}",
            client_data.origin()
        )
    });
    let origin =
        ceremony::expected_origin(relying_party, expected.origin, client_data.origin()).ok_or_else(|| {
            RegistrationError::OriginMismatch {
                received: Received::new(client_data.origin()),
            }
        })?;

    // Step 10. C.crossOrigin is true only where cross-origin use is expected.
    trace.check(step(10), || {
        format!(
            "crossOrigin: {:?}, policy {:?}",
            client_data.cross_origin(),
            relying_party.cross_origin
        )
    });
    if !ceremony::cross_origin_allowed(relying_party, &client_data) {
        return Err(RegistrationError::CrossOriginNotAllowed);
    }

    // Step 11. C.topOrigin, where present: cross-origin use is expected, and by this page.
    match ceremony::top_origin(relying_party, &client_data) {
        TopOrigin::Absent => trace.skip(step(11), || "topOrigin: absent".into()),
        TopOrigin::Expected(received) => trace.check(step(11), || format!("topOrigin: {received:?}")),
        TopOrigin::Unexpected(received) => {
            trace.check(step(11), || format!("topOrigin: {received:?}"));
            return Err(RegistrationError::TopOriginNotAllowed {
                received: Received::new(received),
            });
        }
    }

    // Step 12. The hash of the client data as received.
    let client_data_hash = sha256(response.client_data_json());
    trace.check(step(12), || {
        format!(
            "SHA-256(clientDataJSON): {}",
            base64url::encode(&client_data_hash)
        )
    });

    // Step 13. The attestation object: fmt, authData, attStmt. A registration has attested credential data.
    trace.check(step(13), || {
        format!("attestationObject: {} bytes", response.attestation_object().len())
    });
    let attestation = AttestationObject::parse(response.attestation_object(), policy.canonical_cbor)?;
    let auth_data = attestation.authenticator_data();
    let attested = auth_data
        .attested_credential_data()
        .ok_or(AttestationObjectError::AuthenticatorData(
            AuthenticatorDataError::AttestedCredentialDataMissing,
        ))?;
    let flags = auth_data.flags();

    // Step 14. rpIdHash is the hash of our RP ID.
    let rp_id_hash = sha256(relying_party.id.as_str().as_bytes());
    trace.check(step(14), || {
        ceremony::compared_hashes(&rp_id_hash, auth_data.rp_id_hash())
    });
    if *auth_data.rp_id_hash() != rp_id_hash {
        return Err(RegistrationError::RpIdMismatch);
    }

    // Step 15. UP is set, unless the server asked for a conditional registration.
    match expected.mediation {
        Mediation::Conditional => {
            trace.skip(step(15), || {
                format!("UP: {}, conditional mediation", flags.user_present())
            });
        }
        Mediation::Modal => {
            trace.check(step(15), || format!("UP: {}", flags.user_present()));
            if !flags.user_present() {
                return Err(RegistrationError::UserPresenceMissing);
            }
        }
    }

    // Step 16. UV is set where user verification is required.
    trace.check(step(16), || {
        format!(
            "UV: {}, policy {:?}",
            flags.user_verified(),
            policy.user_verification
        )
    });
    if policy.user_verification == UserVerification::Required && !flags.user_verified() {
        return Err(RegistrationError::UserVerificationMissing);
    }

    // Step 17. BE clear implies BS clear.
    trace.check(step(17), || {
        format!("BE: {}, BS: {}", flags.backup_eligible(), flags.backup_state())
    });
    let backup = flags.backup().ok_or(RegistrationError::BackupFlagsInvalid)?;

    // Step 18. Policy on BE.
    trace.check(step(18), || {
        format!("BE: {}, policy {:?}", flags.backup_eligible(), policy.backup)
    });
    if !policy.backup.allows_eligibility(backup.is_eligible()) {
        return Err(RegistrationError::BackupEligibilityNotAllowed);
    }

    // Step 19. Policy on BS.
    trace.check(step(19), || {
        format!("BS: {}, policy {:?}", flags.backup_state(), policy.backup)
    });
    if !policy.backup.allows_state(backup.is_backed_up()) {
        return Err(RegistrationError::BackupStateNotAllowed);
    }

    // Step 20. The key's algorithm is one that was offered; and one this build verifies, with a key that can be used,
    // so that nobody is registered who could never sign in.
    let cose_key = attested.public_key();
    let algorithm = cose_key.algorithm();
    trace.check(step(20), || {
        let offered: Vec<i64> = policy
            .algorithms
            .iter()
            .map(|offered| offered.identifier())
            .collect();
        format!("alg: {algorithm}, offered {offered:?}")
    });
    if !SUPPORTED_ALGORITHMS.contains(&algorithm) {
        return Err(RegistrationError::UnsupportedAlgorithm { algorithm });
    }
    if !policy.algorithms.contains(&algorithm) {
        return Err(RegistrationError::AlgorithmNotAllowed { algorithm });
    }
    let public_key = PublicKey::import(cose_key)?;

    // Step 21. fmt is a format we support, compared case by case.
    trace.check(step(21), || format!("fmt: {:?}", attestation.format()));
    let format = AttestationFormat::from_identifier(attestation.format())
        .filter(|format| policy.attestation.supports(*format))
        .ok_or_else(|| RegistrationError::UnsupportedFormat {
            received: Received::new(attestation.format()),
        })?;

    // Step 22. That format's procedure over attStmt, authData and the hash.
    trace.check(step(22), || format!("procedure of {}", format.step()));
    let attested_by = attestation.verify_statement(
        format,
        attested,
        &public_key,
        &client_data_hash,
        &policy.attestation,
    )?;
    let attestation_type = attested_by.attestation_type;
    if format == AttestationFormat::Compound {
        for member in &attested_by.members {
            trace.check(member.format.step(), || {
                format!("attestation type {:?}", member.attestation_type.as_str())
            });
        }
    }
    trace.check(format.step(), || {
        format!("attestation type {:?}", attestation_type.as_str())
    });

    // Steps 23 and 24. The anchors acceptable for this authenticator; and trust: a path to one of them. `none` and `self`
    // are acceptable only where the policy ignores trust.
    let claimed_aaguid = ClaimedAaguid::new(attested.aaguid());
    let (trust, attested_aaguid) = match policy.attestation_trust {
        AttestationTrust::Ignore => {
            trace.skip(step(23), || "policy ignores trust".into());
            trace.skip(step(24), || "policy ignores trust".into());
            (TrustDecision::Ignored, None)
        }
        AttestationTrust::Required { anchors, at } => {
            let sha1 = policy.attestation.sha1;
            let (paths, proven) = trust::judge(&attested_by, claimed_aaguid, (anchors, at), sha1, trace)?;
            (TrustDecision::Trusted(paths), proven)
        }
    };

    // Step 25. The credential id has 1 to 1023 bytes, and is the one in the envelope.
    trace.check(step(25), || {
        let [attested, envelope] =
            [attested.credential_id(), response.credential_id()].map(base64url::encode);
        format!("credential id: attested {attested:?}, envelope {envelope:?}")
    });
    let credential_id = CredentialId::try_from(attested.credential_id())
        .map_err(|error| RegistrationError::CredentialIdLength { len: error.len })?;
    if attested.credential_id() != response.credential_id() {
        return Err(RegistrationError::CredentialIdMismatch);
    }

    // Step 26 is the storage's: the id is not registered yet.

    // Step 27. The credential record.
    trace.check(step(27), || {
        format!(
            "signCount: {}, aaguid: {}",
            auth_data.sign_count(),
            attested.aaguid()
        )
    });

    // Step 28. Extension outputs: well formed as CBOR since step 13; what was not asked for is ignored or refused.
    let client_extensions = response.client_extension_results();
    trace.check(step(28), || {
        ceremony::extension_names(client_extensions, auth_data)
    });
    policy
        .extensions
        .check_unsolicited(client_extensions, auth_data)?;
    let signed_extensions = SignedRegistrationExtensions::read(auth_data, &policy.extensions)?;
    policy
        .extensions
        .check_demands(client_extensions, &signed_extensions)?;

    // Step 29 is the service's: store the record.
    Ok(VerifiedRegistration {
        credential_id,
        public_key: cose_key.as_bytes().to_vec(),
        algorithm,
        sign_count: auth_data.sign_count(),
        claimed_aaguid,
        attested_aaguid,
        flags,
        backup,
        attestation_format: format,
        attestation_type,
        trust,
        enterprise_serial_number: attested_by
            .members
            .into_iter()
            .find_map(|member| member.serial_number),
        origin: origin.clone(),
        signed_extensions,
    })
}

impl VerifiedRegistration {
    /// The attested credential id, which is also the envelope's.
    #[must_use]
    pub const fn credential_id(&self) -> &CredentialId {
        &self.credential_id
    }

    /// The credential public key: the COSE_Key exactly as received, to be stored.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The key's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> CoseAlgorithm {
        self.algorithm
    }

    /// The first sign count.
    #[must_use]
    pub const fn sign_count(&self) -> SignCount {
        self.sign_count
    }

    /// The authenticator's model as it says itself: proof of nothing.
    #[must_use]
    pub const fn claimed_aaguid(&self) -> ClaimedAaguid {
        self.claimed_aaguid
    }

    /// The authenticator's model, where the attestation proves it.
    #[must_use]
    pub const fn attested_aaguid(&self) -> Option<AttestedAaguid> {
        self.attested_aaguid
    }

    /// The flags byte.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    /// BE and BS.
    #[must_use]
    pub const fn backup(&self) -> Backup {
        self.backup
    }

    /// UV: the user was verified. The first value of the record's `uvInitialized`.
    #[must_use]
    pub const fn user_verified(&self) -> bool {
        self.flags.user_verified()
    }

    /// The attestation statement format's identifier.
    #[must_use]
    pub const fn attestation_format(&self) -> &'static str {
        self.attestation_format.as_str()
    }

    /// What kind of key signed the attestation.
    #[must_use]
    pub const fn attestation_type(&self) -> AttestationType {
        self.attestation_type
    }

    /// The serial number of the device, out of an enterprise attestation (§8.2.2): one or more bytes, unique within the
    /// model. `None` unless asked for, by [`EnterpriseAttestation::Requested`](crate::EnterpriseAttestation::Requested),
    /// and told. Only a claim where [`Self::attestation_trusted`] is false: then anybody may have signed the certificate.
    #[must_use]
    pub fn enterprise_serial_number(&self) -> Option<&[u8]> {
        self.enterprise_serial_number.as_deref()
    }

    /// How trust in the attestation was decided, and by which anchors.
    #[must_use]
    pub const fn trust(&self) -> &TrustDecision {
        &self.trust
    }

    /// Whether the attestation led to a trust anchor.
    #[must_use]
    pub const fn attestation_trusted(&self) -> bool {
        self.trust.is_trusted()
    }

    /// Whether a trusted attestation says that the key is kept by hardware.
    #[must_use]
    pub fn attestation_hardware(&self) -> bool {
        self.trust.is_hardware()
    }

    /// The expected origin the ceremony ran on.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the authenticator signed of extensions.
    #[must_use]
    pub const fn signed_extensions(&self) -> &SignedRegistrationExtensions {
        &self.signed_extensions
    }
}
