//! One line of input: a case, as the contract describes it, and what it means to the verifier.

use std::sync::Arc;

use keyhaven_core::{
    AndroidKeyPolicy, AttestationPolicy, AttestationTrust, BackupPolicy, CanonicalCbor, Challenge,
    CompoundPolicy, CredProtect, CredentialId, CrossOrigin, EnterpriseAttestation, Extension,
    ExtensionDemands, ExtensionPolicy, Origin, Profile, RelyingParty, RevocationLists, RpId, SafetyNetPolicy,
    Sha1, TrustAnchor, TrustAnchors, UnixTime, UnsolicitedExtensions, UserHandle, UserVerification,
    action_challenge, base64url,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One line, as the contract describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case<'a> {
    #[serde(default, deserialize_with = "present")]
    pub(super) name: Option<String>,
    pub(super) kind: Kind,
    pub(super) rp_id: String,
    pub(super) origins: Vec<String>,
    #[serde(default)]
    pub(super) cross_origin: CrossOriginField,
    #[serde(default, deserialize_with = "present")]
    pub(super) top_origins: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) challenge: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) action: Option<ActionField>,
    #[serde(default)]
    pub(super) user_verification: UserVerification,
    #[serde(default, deserialize_with = "present")]
    pub(super) mediation: Option<MediationField>,
    #[serde(default)]
    pub(super) profile: ProfileField,
    #[serde(default, deserialize_with = "present")]
    pub(super) algorithms: Option<Vec<i64>>,
    #[serde(borrow)]
    pub(super) response: &'a RawValue,
    #[serde(default, borrow, deserialize_with = "present")]
    pub(super) credential: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    pub(super) user_identified: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub(super) allow_credentials: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) appid: Option<String>,
    #[serde(default)]
    pub(super) backup_eligibility_change: BackupEligibilityChangeField,
    #[serde(default)]
    pub(super) sign_count_regression: SignCountRegressionField,
    #[serde(default)]
    pub(super) backup: BackupField,
    #[serde(default, borrow, deserialize_with = "present")]
    pub(super) extensions: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) canonical_cbor: CanonicalCborField,
    #[serde(default, borrow, deserialize_with = "present")]
    pub(super) attestation: Option<&'a RawValue>,
}

/// What the challenge was made from, where the assertion confirms an action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionField {
    hash: String,
    nonce: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExtensionsField {
    #[serde(default)]
    pub(super) requested: Vec<String>,
    #[serde(default)]
    pub(super) unsolicited: UnsolicitedField,
    #[serde(default, deserialize_with = "present")]
    pub(super) demands: Option<DemandsField>,
}

/// What the outputs of a registration must say.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DemandsField {
    #[serde(default, deserialize_with = "present")]
    pub(super) cred_protect: Option<CredProtectField>,
    #[serde(default)]
    pub(super) large_blob: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) min_pin_length: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CredentialField {
    pub(super) id: String,
    pub(super) public_key: String,
    #[serde(default)]
    pub(super) sign_count: u32,
    #[serde(default, deserialize_with = "present")]
    pub(super) user_handle: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) backup_eligible: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AttestationField {
    #[serde(default)]
    pub(super) policy: AttestationPolicyField,
    #[serde(default, deserialize_with = "present")]
    pub(super) trust_anchors: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) revocation_lists: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) at: Option<String>,
    #[serde(default)]
    pub(super) android_key: AndroidKeyField,
    #[serde(default)]
    pub(super) allow_sha1: bool,
    #[serde(default)]
    pub(super) allow_safetynet: bool,
    #[serde(default)]
    pub(super) compound: CompoundField,
    #[serde(default)]
    pub(super) enterprise: bool,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Authentication,
    Registration,
}

#[derive(Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum CrossOriginField {
    Allow,
    #[default]
    Refuse,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MediationField {
    Conditional,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProfileField {
    Fido,
    #[default]
    W3c,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BackupEligibilityChangeField {
    AllowUpgrade,
    #[default]
    Refuse,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BackupField {
    #[default]
    Any,
    BackedUp,
    DeviceBound,
    Eligible,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CanonicalCborField {
    #[default]
    AnyKeyOrder,
    Strict,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CompoundField {
    #[default]
    All,
    Any,
}

/// As `credentialProtectionPolicy` names them.
#[derive(Deserialize)]
pub(super) enum CredProtectField {
    #[serde(rename = "userVerificationOptional")]
    Optional,
    #[serde(rename = "userVerificationOptionalWithCredentialIDList")]
    OptionalWithCredentialId,
    #[serde(rename = "userVerificationRequired")]
    Required,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnsolicitedField {
    #[default]
    Ignore,
    Refuse,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SignCountRegressionField {
    #[default]
    Refuse,
    Report,
}

#[derive(Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AttestationPolicyField {
    #[default]
    IgnoreTrust,
    Trusted,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AndroidKeyField {
    Tee,
    #[default]
    Union,
}

/// A field that may be absent; `null` is not absent.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Why a line is no case, for a person.
pub(super) type NoCase = String;

/// Reads a JSON object. (serde would also take an array of a struct's fields in order.)
pub(super) fn object<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, NoCase> {
    if text.trim_start().starts_with('{') {
        // With the path of the member that is wrong.
        let mut text = serde_json::Deserializer::from_str(text);
        let object =
            serde_path_to_error::deserialize(&mut text).map_err(|error| format!("{what}: {error}"))?;
        text.end().map_err(|error| format!("{what}: {error}"))?;
        Ok(object)
    } else {
        Err(format!("{what}: not a JSON object"))
    }
}

/// The name of a line that is no case, where it can be read.
pub(super) fn label(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Label {
        name: String,
    }
    object::<Label>("the line", text).ok().map(|label| label.name)
}

pub(super) fn refuse_field(is_there: bool, only: &str, field: &str) -> Result<(), NoCase> {
    if is_there {
        Err(format!("{field}: {only} one"))
    } else {
        Ok(())
    }
}

pub(super) fn relying_party(case: &Case<'_>) -> Result<RelyingParty, NoCase> {
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

pub(super) fn origins(field: &str, texts: &[String]) -> Result<Vec<Origin>, NoCase> {
    texts
        .iter()
        .map(|text| Origin::new(text).map_err(|error| format!("{field}: {error}")))
        .collect()
}

/// The challenge as it stands in the case, or made from the action: never both, so that they cannot contradict.
pub(super) fn challenge(case: &Case<'_>) -> Result<Challenge, NoCase> {
    match (&case.challenge, &case.action) {
        (Some(text), None) => {
            Challenge::new(bytes("challenge", text)?).map_err(|error| format!("challenge: {error}"))
        }
        (None, Some(action)) => {
            let hash = bytes32("action.hash", &action.hash)?;
            let nonce = bytes32("action.nonce", &action.nonce)?;
            Ok(action_challenge(&nonce, &hash))
        }
        (None, None) => Err("challenge: missing".into()),
        (Some(_), Some(_)) => Err("action: the challenge is made from it; leave challenge out".into()),
    }
}

pub(super) const fn backup(field: BackupField) -> BackupPolicy {
    match field {
        BackupField::Any => BackupPolicy::Any,
        BackupField::BackedUp => BackupPolicy::BackedUp,
        BackupField::DeviceBound => BackupPolicy::DeviceBound,
        BackupField::Eligible => BackupPolicy::Eligible,
    }
}

pub(super) const fn canonical_cbor(field: &CanonicalCborField) -> CanonicalCbor {
    match field {
        CanonicalCborField::AnyKeyOrder => CanonicalCbor::AnyKeyOrder,
        CanonicalCborField::Strict => CanonicalCbor::Strict,
    }
}

/// What a case says of extensions. Only a registration can demand something of outputs; `appid` itself says that the
/// extension was requested.
pub(super) fn extensions(case: &Case<'_>) -> Result<ExtensionPolicy, NoCase> {
    let field: ExtensionsField = match case.extensions {
        None => ExtensionsField::default(),
        Some(raw) => object("extensions", raw.get())?,
    };
    refuse_field(
        case.kind == Kind::Authentication && field.demands.is_some(),
        "only a registration has",
        "extensions.demands",
    )?;
    let demands = field.demands.unwrap_or_default();
    let known = |name: &String| {
        Extension::from_identifier(name).ok_or_else(|| format!("extensions.requested: {name:?} is not known"))
    };
    Ok(ExtensionPolicy {
        requested: field
            .requested
            .iter()
            .map(known)
            .chain(case.appid.iter().map(|_| Ok(Extension::AppId)))
            .collect::<Result<_, _>>()?,
        unsolicited: match field.unsolicited {
            UnsolicitedField::Ignore => UnsolicitedExtensions::Ignore,
            UnsolicitedField::Refuse => UnsolicitedExtensions::Refuse,
        },
        demands: ExtensionDemands {
            cred_protect: demands.cred_protect.map(|level| match level {
                CredProtectField::Optional => CredProtect::UserVerificationOptional,
                CredProtectField::OptionalWithCredentialId => {
                    CredProtect::UserVerificationOptionalWithCredentialId
                }
                CredProtectField::Required => CredProtect::UserVerificationRequired,
            }),
            large_blob: demands.large_blob,
            min_pin_length: demands.min_pin_length,
        },
    })
}

/// Standard base64 with padding.
fn base64(field: &str, text: &str) -> Result<Vec<u8>, NoCase> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| format!("{field}: not base64 with padding"))
}

/// What `attestation` asks for, with its anchors read.
pub(super) struct Attestation {
    /// The moment to judge at, where trust is required.
    pub(super) trusted_at: Option<UnixTime>,
    pub(super) anchors: TrustAnchors,
    pub(super) policy: AttestationPolicy,
}

impl Attestation {
    pub(super) fn read(field: Option<&RawValue>, profile: &ProfileField) -> Result<Self, NoCase> {
        let field: AttestationField = match field {
            None => AttestationField::default(),
            Some(raw) => object("attestation", raw.get())?,
        };
        let mut anchors = field
            .trust_anchors
            .iter()
            .flatten()
            .enumerate()
            .map(|(index, text)| {
                let der = base64("attestation.trustAnchors", text)?;
                TrustAnchor::from_der(&format!("trustAnchors[{index}]"), &der)
                    .map_err(|error| format!("attestation.trustAnchors: {error}"))
            })
            .collect::<Result<TrustAnchors, NoCase>>()?;
        if let Some(lists) = &field.revocation_lists {
            let lists = lists
                .iter()
                .map(|text| base64("attestation.revocationLists", text))
                .collect::<Result<Vec<_>, NoCase>>()?;
            let lists = RevocationLists::from_der(lists.iter().map(Vec::as_slice))
                .map_err(|error| format!("attestation.revocationLists: {error}"))?;
            anchors = anchors.with_revocation_lists(Arc::new(lists));
        }
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
                compound: match field.compound {
                    CompoundField::All => CompoundPolicy::All,
                    CompoundField::Any => CompoundPolicy::Any,
                },
                enterprise: if field.enterprise {
                    EnterpriseAttestation::Requested
                } else {
                    EnterpriseAttestation::NotRequested
                },
                safetynet: if field.allow_safetynet {
                    SafetyNetPolicy::Allow
                } else {
                    SafetyNetPolicy::Refuse
                },
            },
        })
    }

    pub(super) fn trust(&self) -> AttestationTrust<'_> {
        match self.trusted_at {
            None => AttestationTrust::Ignore,
            Some(at) => AttestationTrust::Required {
                anchors: &self.anchors,
                at,
            },
        }
    }
}

pub(super) fn moment(text: &str) -> Result<UnixTime, NoCase> {
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .map_err(|_| "attestation.at: not an RFC 3339 time".to_owned())?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000))
        .map(UnixTime::from_millis)
        .map_err(|_| "attestation.at: out of range".to_owned())
}

pub(super) fn bytes(field: &str, text: &str) -> Result<Vec<u8>, NoCase> {
    base64url::decode(text).map_err(|error| format!("{field}: {error}"))
}

fn bytes32(field: &str, text: &str) -> Result<[u8; 32], NoCase> {
    bytes(field, text)?
        .try_into()
        .map_err(|_| format!("{field}: 32 bytes are needed"))
}

pub(super) fn credential_id(field: &str, text: &str) -> Result<CredentialId, NoCase> {
    CredentialId::try_from(bytes(field, text)?.as_slice()).map_err(|error| format!("{field}: {error}"))
}

pub(super) fn user_handle(text: &str) -> Result<UserHandle, NoCase> {
    let field = "credential.userHandle";
    UserHandle::try_from(bytes(field, text)?.as_slice()).map_err(|error| format!("{field}: {error}"))
}
