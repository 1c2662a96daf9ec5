//! What a server asks of a browser: the JSON shapes of WebAuthn L3 §5.4, §5.5 and §5.10.
//!
//! `PublicKeyCredential.parseCreationOptionsFromJSON()` and `parseRequestOptionsFromJSON()` read them unchanged.

use serde::{Deserialize, Serialize};

use crate::{
    AuthenticatorAttachment, AuthenticatorTransport, Challenge, CoseAlgorithm, CredentialId, RpId, UserHandle,
};

/// What the relying party wants to know about the user's PIN or biometric check.
///
/// Source: WebAuthn L3 §5.8.6. The default is the strict one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserVerification {
    /// Not wanted.
    Discouraged,
    /// Wanted, but its absence is accepted.
    Preferred,
    /// Needed: a response without it is refused.
    #[default]
    Required,
}

/// Which way of showing itself the browser was asked for.
///
/// Source: Credential Management §2.3.2, WebAuthn L3 §5.1.3.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mediation {
    /// In passing: for a registration, user presence may be absent.
    Conditional,
    /// A prompt.
    #[default]
    Modal,
}

/// Which kind of authenticator the page should suggest first.
///
/// Source: WebAuthn L3 §5.8.7.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hint {
    /// The device that runs the browser.
    ClientDevice,
    /// A phone near by.
    Hybrid,
    /// A security key.
    SecurityKey,
}

/// `PublicKeyCredentialCreationOptionsJSON` (§5.4, §5.1.8).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    /// The relying party.
    pub rp: RpEntity,
    /// The account the passkey is for.
    pub user: UserEntity,
    /// The challenge to sign.
    pub challenge: Challenge,
    /// Algorithms the server verifies, best first.
    pub pub_key_cred_params: Vec<CredentialParameters>,
    /// How long the ceremony lives, in milliseconds.
    pub timeout: u64,
    /// Credentials the account has already: an authenticator that holds one refuses.
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What the authenticator must be able to do.
    pub authenticator_selection: AuthenticatorSelection,
    /// Which authenticators to suggest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// Which attestation is wanted.
    pub attestation: AttestationConveyance,
    /// Attestation statement formats that are preferred, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attestation_formats: Vec<&'static str>,
    /// Client extension inputs.
    pub extensions: CreationExtensions,
}

/// `PublicKeyCredentialRequestOptionsJSON` (§5.5, §5.1.9).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    /// The challenge to sign.
    pub challenge: Challenge,
    /// How long the ceremony lives, in milliseconds.
    pub timeout: u64,
    /// The relying party.
    pub rp_id: RpId,
    /// Credentials that may answer; empty for a discoverable credential.
    pub allow_credentials: Vec<CredentialDescriptor>,
    /// Whether the user must be verified.
    pub user_verification: UserVerification,
    /// Client extension inputs.
    #[serde(skip_serializing_if = "RequestExtensions::is_empty")]
    pub extensions: RequestExtensions,
}

/// `PublicKeyCredentialRpEntity` (§5.4.2).
#[derive(Clone, Debug, Serialize)]
pub struct RpEntity {
    /// The RP ID.
    pub id: RpId,
    /// The name a person reads.
    pub name: String,
}

/// `PublicKeyCredentialUserEntityJSON` (§5.4.3).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEntity {
    /// The user handle.
    pub id: UserHandle,
    /// The account's name.
    pub name: String,
    /// The name a person reads.
    pub display_name: String,
}

/// `PublicKeyCredentialParameters` (§5.3).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CredentialParameters {
    /// The algorithm.
    pub alg: CoseAlgorithm,
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
}

/// `PublicKeyCredentialDescriptorJSON` (§5.8.3).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CredentialDescriptor {
    /// The credential.
    pub id: CredentialId,
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// How the authenticator can be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<AuthenticatorTransport>,
}

/// `PublicKeyCredentialType` (§5.8.2): there is one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum CredentialType {
    /// A public key credential.
    #[default]
    #[serde(rename = "public-key")]
    PublicKey,
}

/// `AuthenticatorSelectionCriteria` (§5.4.4).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// Built in or roaming; absent for either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator_attachment: Option<AuthenticatorAttachment>,
    /// Whether the credential must be discoverable.
    pub resident_key: ResidentKey,
    /// The same for Level 1 browsers: true exactly when `resident_key` is `required`.
    pub require_resident_key: bool,
    /// Whether the user must be verified.
    pub user_verification: UserVerification,
}

/// `ResidentKeyRequirement` (§5.4.6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResidentKey {
    /// A server-side credential is wanted.
    Discouraged,
    /// A discoverable credential is wanted, but not needed.
    Preferred,
    /// Only a discoverable credential will do.
    #[default]
    Required,
}

/// `AttestationConveyancePreference` (§5.4.7).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttestationConveyance {
    /// The authenticator's own statement.
    Direct,
    /// One that may identify the device, for managed fleets.
    Enterprise,
    /// The client may anonymise it.
    Indirect,
    /// No attestation.
    #[default]
    None,
}

/// The client extension inputs this server sends with a registration (WebAuthn L3 §10, CTAP 2.2 §12).
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationExtensions {
    /// Do not register an authenticator that holds a U2F credential of this AppID (§10.1.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid_exclude: Option<String>,
    /// Ask whether the credential is discoverable (§10.1.3).
    pub cred_props: bool,
    /// `credProtect`: the protection that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_protection_policy: Option<&'static str>,
    /// `credProtect`: the client makes no credential that is protected less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforce_credential_protection_policy: Option<bool>,
    /// Ask that data can be kept with the credential (§10.1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_blob: Option<LargeBlobInput>,
    /// `minPinLength`: ask for the authenticator's PIN rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_pin_length: Option<bool>,
    /// Ask that the page can derive secrets (§10.1.4). Which, the page says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prf: Option<PrfInput>,
}

/// `AuthenticationExtensionsLargeBlobInputs` at registration (§10.1.5).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LargeBlobInput {
    /// Whether only a credential that can will do.
    pub support: LargeBlobSupport,
}

/// `LargeBlobSupport` (§10.1.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LargeBlobSupport {
    /// Where it can be had.
    Preferred,
    /// Only a credential that can will do.
    Required,
}

/// `AuthenticationExtensionsPRFInputs` without values (§10.1.4).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PrfInput {}

/// The client extension inputs this server sends with a sign-in (§10).
#[derive(Clone, Debug, Default, Serialize)]
pub struct RequestExtensions {
    /// A credential of the U2F API will do, under this AppID (§10.1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
}

impl RequestExtensions {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.appid.is_none()
    }
}
