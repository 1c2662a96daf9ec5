//! A pure verifier of WebAuthn Level 3 ceremonies.
//!
//! Two calls do the work: [`verify_registration`] performs §7.1 of the specification, [`verify_assertion`] §7.2, each in
//! the order of the text, each step with its number. What was verified is a value that only they can make
//! ([`VerifiedRegistration`], [`VerifiedAssertion`]); what was refused names its step and a stable code
//! ([`RegistrationError`], [`AssertionError`]). The `…_traced` twins also write every step down.
//!
//! ```
//! # use keyhaven_core::*;
//! # struct Stored { id: CredentialId, public_key: Vec<u8>, sign_count: SignCount, user_handle: UserHandle, backup_eligible: bool }
//! # fn finish(json: &[u8], challenge: &Challenge, stored: &Stored) -> Result<VerifiedAssertion, Box<dyn std::error::Error>> {
//! let relying_party = RelyingParty {
//!     id: RpId::new("example.org")?,
//!     origins: vec![Origin::new("https://example.org")?],
//!     cross_origin: CrossOrigin::Refuse,
//! };
//! let response = AuthenticationResponse::from_json(json)?; // what the browser sent
//! let expected = ExpectedAssertion {
//!     relying_party: &relying_party, challenge, origin: None, // challenge: what this server issued, used once
//!     allow_credentials: &[], user: ExpectedUser::Identified, appid: None,
//! };
//! let record = CredentialRecord { // what this server stored: at registration, and the sign count at the last assertion
//!     id: &stored.id, public_key: &CosePublicKey::new(&stored.public_key), sign_count: stored.sign_count,
//!     user_handle: Some(&stored.user_handle), backup_eligible: Some(stored.backup_eligible),
//! };
//! let verified = verify_assertion(&response, &expected, &record, &AssertionPolicy::default())?;
//! # Ok(verified)
//! # }
//! # let vectors: serde_json::Value = serde_json::from_str(include_str!("../tests/vectors/w3c-webauthn-l3.json")).unwrap();
//! # let pair = vectors["vectors"].as_array().unwrap().iter().find(|pair| pair["id"] == "none-es256-long-credential-id").unwrap();
//! # let case = &pair["authentication"];
//! # let hex = |text: &str| (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect::<Vec<u8>>();
//! # let challenge = Challenge::new(base64url::decode(case["challenge_b64u"].as_str().unwrap()).unwrap()).unwrap();
//! # let mut stored = Stored {
//! #     id: CredentialId::try_from(base64url::decode(case["response"]["id"].as_str().unwrap()).unwrap().as_slice()).unwrap(),
//! #     public_key: hex(pair["registration"]["expected"]["credential_public_key_cose_hex"].as_str().unwrap()),
//! #     sign_count: SignCount(0), user_handle: UserHandle::try_from(&b"user"[..]).unwrap(), backup_eligible: true,
//! # };
//! # let json = case["response"].to_string();
//! # let verified = finish(json.as_bytes(), &challenge, &stored).unwrap();
//! # stored.backup_eligible = false;
//! # assert!(finish(json.as_bytes(), &challenge, &stored).is_err());
//! ```
//!
//! It takes the JSON of the response and the [`Challenge`] of the ceremony; of the registration before, a server keeps the
//! [`CredentialId`], the COSE key's bytes, the [`SignCount`] and whether the credential may be backed up, all of them in
//! [`VerifiedRegistration`], and the [`UserHandle`] that it chose for the account (`user.id` of the options). After an
//! assertion it keeps the new sign count, of [`VerifiedAssertion`]. Where nothing is given to compare with (`&[]`, `None`), a
//! step is skipped: hand over the passkeys that were asked for.
//!
//! What this crate refuses to know: clocks, random sources, networks, files, storage, async. One input always gives one
//! verdict. Challenges are issued, ceremonies remembered and records stored by the caller.
//!
//! What it refuses by default, beyond the text: duplicate JSON members, CBOR that is not CTAP2 canonical (map key order
//! aside), trailing bytes anywhere, keys that this build could not verify later, an envelope id other than the attested
//! one, a sign count that did not rise, a backup eligibility that changed. What can be relaxed at all is a field of
//! [`RegistrationPolicy`], [`AssertionPolicy`], [`RelyingParty`] or of what the caller expects.
//!
//! Edition: WebAuthn Level 3 editor's draft of 2026-07-30 (w3c/webauthn commit 146d0db0). Formats: all of §8
//! ([`AttestationFormat`]; SafetyNet's only where asked for), judged by [`AttestationPolicy`]. Algorithms:
//! [`SUPPORTED_ALGORITHMS`], as the features `es512`, `es256k`, `ed448` and `ml-dsa` have it. `docs/conformance.md` leads from
//! each step to its code and its tests.

mod aaguid;
mod action;
mod assertion;
mod attestation;
mod authenticator_data;
pub mod cbor;
mod ceremony;
mod client_data;
mod cose_key;
mod crypto;
mod der;
mod error;
mod extensions;
mod json;
mod public_key;
mod registration;
mod relying_party;
mod response;
mod step;
mod trace;
mod trust;

pub use keyhaven_types::{
    Aaguid, AuthenticatorAttachment, AuthenticatorTransport, Backup, Challenge, CoseAlgorithm, CredentialId,
    Flags, Mediation, Origin, RpId, SignCount, UnixTime, UserHandle, UserVerification, base64url,
};

pub use aaguid::{AttestedAaguid, ClaimedAaguid};
pub use action::action_challenge;
pub use assertion::{SignCountCheck, VerifiedAssertion, verify_assertion, verify_assertion_traced};
pub use attestation::{
    AndroidKeyFault, AndroidKeyPolicy, AppleFault, AttestationError, AttestationFormat, AttestationObject,
    AttestationObjectError, AttestationPolicy, AttestationType, CertificateError, CompoundFault,
    CompoundPolicy, EnterpriseAttestation, FidoU2fFault, KeyProtection, Profile, SafetyNetFault,
    SafetyNetPolicy, StatementFault, TpmFault, TpmStructureError,
};
pub use authenticator_data::{AttestedCredentialData, AuthenticatorData, AuthenticatorDataError};
pub use cbor::CanonicalCbor;
pub use client_data::{ClientDataError, CollectedClientData};
pub use cose_key::{CoseKey, CoseKeyError, CoseParameters};
pub use crypto::{KeyMaterialError, Sha1};
pub use error::{AssertionError, Received, RegistrationError};
pub use extensions::{
    ClientExtensionResults, CredProtect, Extension, ExtensionDemands, ExtensionError, ExtensionPolicy,
    ExtensionSet, LargeBlobResults, PrfResults, SignedAssertionExtensions, SignedRegistrationExtensions,
    UnsolicitedExtensions,
};
pub use json::JsonError;
pub use public_key::{PublicKey, PublicKeyError, SUPPORTED_ALGORITHMS};
pub use registration::{VerifiedRegistration, verify_registration, verify_registration_traced};
pub use relying_party::{
    AssertionPolicy, BackupEligibilityChange, BackupPolicy, CosePublicKey, CredentialRecord, CrossOrigin,
    ExpectedAssertion, ExpectedRegistration, ExpectedUser, RegistrationPolicy, RelyingParty,
    SignCountRegression,
};
pub use response::{AuthenticationResponse, EnvelopeError, RegistrationResponse};
pub use step::Step;
pub use trace::{Outcome, Trace, TraceEntry};
pub use trust::{
    AcceptableAnchor, AnchorScope, AnchoredCertificate, AttestationTrust, AuthenticatorRefused,
    InvalidRevocationList, InvalidTrustAnchor, PathError, PathPolicy, RevocationLists, TrustAnchor,
    TrustAnchorSource, TrustAnchors, TrustDecision, TrustError, TrustQuery, TrustedPath, validate_path,
};
