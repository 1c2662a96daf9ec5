//! What ceremonies accept: algorithms, attestation, trust anchors, a second verdict.

use anyhow::{Context as _, bail, ensure};
use keyhaven_core::{
    AndroidKeyPolicy, AttestationFormat, AttestationPolicy, CompoundPolicy, CredProtect, Profile,
    SUPPORTED_ALGORITHMS, SafetyNetPolicy, Sha1,
};
use keyhaven_mds::{CertificationLevel, Status, StatusPolicy, UnknownStatus};
use keyhaven_service::ExtensionSettings;
use keyhaven_types::options::AttestationConveyance;
use keyhaven_types::{Aaguid, CoseAlgorithm};
use url::{Host, Url};

use super::Enforce;
use super::raw::{self, Raw};
use crate::anchors::{AnchorFiles, MetadataFiles};

/// The algorithms to offer: those written, or all of this build. Browsers need ES256 or RS256 among them.
pub(super) fn algorithms(written: Option<&[i64]>) -> anyhow::Result<Vec<CoseAlgorithm>> {
    let Some(written) = written else {
        return Ok(SUPPORTED_ALGORITHMS.to_vec());
    };
    ensure!(!written.is_empty(), "ceremonies.algorithms: at least one");
    let known = written.iter().map(|&identifier| {
        let algorithm = CoseAlgorithm::new(identifier);
        ensure!(
            SUPPORTED_ALGORITHMS.contains(&algorithm),
            "ceremonies.algorithms: {identifier} is not one that this build verifies"
        );
        Ok(algorithm)
    });
    known.collect()
}

pub(super) fn attestation_policy(written: &raw::Attestation) -> AttestationPolicy {
    AttestationPolicy {
        profile: match written.profile {
            raw::Profile::Fido => Profile::Fido,
            raw::Profile::W3c => Profile::W3c,
        },
        android_key: match written.android_key {
            raw::AndroidKey::Tee => AndroidKeyPolicy::Tee,
            raw::AndroidKey::Union => AndroidKeyPolicy::Union,
        },
        compound: match written.compound {
            raw::Compound::All => CompoundPolicy::All,
            raw::Compound::Any => CompoundPolicy::Any,
        },
        safetynet: if written.allow_safetynet {
            SafetyNetPolicy::Allow
        } else {
            SafetyNetPolicy::Refuse
        },
        sha1: if written.allow_sha1 {
            Sha1::Allow
        } else {
            Sha1::Refuse
        },
        ..AttestationPolicy::default()
    }
}

/// The models that new passkeys must be of, as their attestations prove; none: any.
pub(super) fn allowed_models(written: &raw::Attestation) -> anyhow::Result<Vec<Aaguid>> {
    ensure!(
        written.allowed_aaguids.is_empty() || written.trust == raw::Trust::Required,
        "attestation.allowed_aaguids: anybody can claim a model; attestation.trust = \"required\" makes them prove it"
    );
    let models = written.allowed_aaguids.iter().map(|text| {
        let model: Aaguid = text
            .parse()
            .ok()
            .with_context(|| format!("attestation.allowed_aaguids: {text:?} is no UUID"))?;
        ensure!(
            model != Aaguid::ZERO,
            "attestation.allowed_aaguids: the zero AAGUID is no model, and nothing proves it"
        );
        Ok(model)
    });
    models.collect()
}

/// Which models metadata vouch for.
fn status_policy(written: &raw::StatusPolicy) -> anyhow::Result<StatusPolicy> {
    let default = StatusPolicy::default();
    let refused = written.refused.iter().map(|word| {
        let status = Status::from(word.clone());
        ensure!(
            !matches!(status, Status::Other(_)),
            "attestation.status_policy.refused: {word:?} is no status; see AuthenticatorStatus in the FIDO Metadata Service"
        );
        Ok(status)
    });
    let refused: Vec<Status> = refused.collect::<anyhow::Result<_>>()?;
    Ok(StatusPolicy {
        refused: if refused.is_empty() {
            default.refused
        } else {
            refused
        },
        unknown_status: match written.unknown_status {
            raw::UnknownStatus::Ignore => UnknownStatus::Ignore,
            raw::UnknownStatus::Refuse => UnknownStatus::Refuse,
        },
        minimum_certification: match written.minimum_certification.as_deref() {
            None => default.minimum_certification,
            Some(word) => certification(word)?,
        },
        key_protection_any_of: written.key_protection.clone(),
        max_overdue_days: written.max_overdue_days.or(default.max_overdue_days),
    })
}

fn certification(word: &str) -> anyhow::Result<CertificationLevel> {
    const LEVELS: [CertificationLevel; 8] = [
        CertificationLevel::None,
        CertificationLevel::Functional,
        CertificationLevel::L1,
        CertificationLevel::L1Plus,
        CertificationLevel::L2,
        CertificationLevel::L2Plus,
        CertificationLevel::L3,
        CertificationLevel::L3Plus,
    ];
    let level = LEVELS.into_iter().find(|level| level.to_string() == word);
    level.with_context(|| {
        format!(
            "attestation.status_policy.minimum_certification: none, functional, L1, L1+, L2, L2+, L3 or L3+, not {word:?}"
        )
    })
}

/// What ceremonies ask of authenticators beside the passkey.
pub(super) fn extensions(written: &raw::Extensions) -> anyhow::Result<ExtensionSettings> {
    if let Some(appid) = &written.appid {
        let url =
            Url::parse(appid).with_context(|| format!("ceremonies.extensions.appid: {appid:?} is no URL"))?;
        ensure!(
            url.scheme() == "https",
            "ceremonies.extensions.appid: an AppID of the U2F API begins with https://"
        );
    }
    ensure!(
        written.cred_protect.is_some() || !written.enforce_cred_protect,
        "ceremonies.extensions.enforce_cred_protect: of which cred_protect?"
    );
    if let Some(length) = written.min_pin_length {
        ensure!(
            (4..=63).contains(&length),
            "ceremonies.extensions.min_pin_length: 4 to 63 characters, not {length}"
        );
    }
    Ok(ExtensionSettings {
        appid: written.appid.clone(),
        cred_protect: written.cred_protect.map(|level| match level {
            raw::CredProtect::Optional => CredProtect::UserVerificationOptional,
            raw::CredProtect::OptionalWithCredentialId => {
                CredProtect::UserVerificationOptionalWithCredentialId
            }
            raw::CredProtect::Required => CredProtect::UserVerificationRequired,
        }),
        enforce_cred_protect: written.enforce_cred_protect,
        large_blob: written.large_blob,
        min_pin_length: written.min_pin_length,
        prf: written.prf,
    })
}

/// Where trust anchors are, where trust is required.
pub(super) fn anchors(raw: &Raw) -> anyhow::Result<Option<AnchorFiles>> {
    let written = &raw.attestation;
    if written.trust == raw::Trust::Ignore {
        ensure!(
            written.anchors_file.is_none()
                && !written.anchors_hardware
                && written.mds_file.is_none()
                && written.mds_url.is_none()
                && written.status_policy.is_none()
                && written.crl_file.is_none(),
            "attestation: trust anchors, metadata and revocation lists count only where attestation.trust is \"required\""
        );
        return Ok(None);
    }
    ensure!(
        matches!(
            raw.ceremonies.attestation,
            AttestationConveyance::Direct | AttestationConveyance::Enterprise
        ),
        "attestation.trust: to require it, ask for it: ceremonies.attestation must be \"direct\" or \"enterprise\""
    );
    let metadata = match (&written.mds_file, &written.mds_root_file) {
        (Some(blob), Some(root)) => Some(MetadataFiles {
            blob: blob.clone(),
            root: root.clone(),
            signer: written.mds_signer.clone(),
            url: written.mds_url.as_deref().map(download_url).transpose()?,
            policy: written
                .status_policy
                .as_ref()
                .map(status_policy)
                .transpose()?
                .unwrap_or_default(),
        }),
        (None, None) => None,
        _ => bail!("attestation: mds_file and mds_root_file belong together"),
    };
    ensure!(
        metadata.is_some() || written.mds_url.is_none(),
        "attestation.mds_url: mds_file says where the download is kept"
    );
    ensure!(
        metadata.is_some() || written.status_policy.is_none(),
        "attestation.status_policy: judges models of mds_file"
    );
    ensure!(
        metadata.is_some() || written.anchors_file.is_some(),
        "attestation.trust: \"required\" needs anchors_file, or mds_file and mds_root_file; else nobody could register"
    );
    ensure!(
        written.anchors_file.is_some() || !written.anchors_hardware,
        "attestation.anchors_hardware: speaks of anchors_file"
    );
    Ok(Some(AnchorFiles {
        local: written.anchors_file.clone(),
        local_hardware: written.anchors_hardware,
        metadata,
        revoked: written.crl_file.clone(),
    }))
}

pub(super) fn crosscheck(written: raw::Crosscheck) -> anyhow::Result<Option<Enforce>> {
    ensure!(
        written == raw::Crosscheck::Off || cfg!(feature = "crosscheck"),
        "crosscheck: this binary was built without it; build it with --features crosscheck"
    );
    Ok(match written {
        raw::Crosscheck::Enforce => Some(Enforce(true)),
        raw::Crosscheck::Off => None,
        raw::Crosscheck::Report => Some(Enforce(false)),
    })
}

fn download_url(text: &str) -> anyhow::Result<String> {
    let url = Url::parse(text).with_context(|| format!("attestation.mds_url: {text:?} is no URL"))?;
    ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)),
        "attestation.mds_url: {text} must begin with https://"
    );
    Ok(text.to_owned())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn attestation_formats(names: &[String]) -> anyhow::Result<Vec<AttestationFormat>> {
    let known = names.iter().map(|name| {
        AttestationFormat::from_identifier(name).with_context(|| {
            format!("ceremonies.attestation_formats: {name:?} is not one that this build verifies")
        })
    });
    known.collect()
}
