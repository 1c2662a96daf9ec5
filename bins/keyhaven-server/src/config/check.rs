//! From what was written to what it means.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use keyhaven_api::{ApiSettings, ProxyHeader};
use keyhaven_core::cbor::CanonicalCbor;
use keyhaven_core::{BackupPolicy, RelyingParty, UnsolicitedExtensions};
use keyhaven_mail::Sender;
use keyhaven_service::{ClonePolicy, MailSettings, RateLimitSettings, Settings};
use url::Url;

use super::raw::{self, Backup, BackupEligibilityChange, Raw, Switch};
use super::{
    Config, MailConfig, OpenTelemetry, Stop, acceptance, admin, apps, audit, mail, passwords, privacy,
    sessions, site, stores,
};

pub(super) fn check(raw: Raw) -> anyhow::Result<Config> {
    let mut warnings = Vec::new();
    let listen: SocketAddr = raw
        .listen
        .parse()
        .with_context(|| format!("listen: an address such as 127.0.0.1:8080, not {:?}", raw.listen))?;
    let metrics_listen = raw.metrics_listen.as_deref();
    let metrics_listen = metrics_listen
        .map(|text| metrics_address(text, listen))
        .transpose()?;
    let rp_id = site::rp_id(&raw.rp_id)?;
    let local = rp_id.as_str() == "localhost";
    let origins = site::origins(&raw, &rp_id, local, listen)?;
    let public_url = site::public_url(raw.public_url.as_deref(), &origins)?;
    let plain_http = public_url.starts_with("http://");
    ensure!(
        local || !plain_http,
        "public_url: passkeys need https, except on localhost"
    );
    if local && !listen.ip().is_loopback() {
        warnings.push(format!(
            "listening on {listen} for RP ID localhost: only this machine's browsers can use it"
        ));
    }
    let built_in = format!("http://localhost:{}", listen.port());
    if local && plain_http && !origins.iter().any(|origin| origin.as_str() == built_in) {
        warnings.push(format!(
            "{built_in} is not among the origins: the page that is served there cannot sign anybody in, and links in \
            mails lead to {public_url}"
        ));
    }
    ensure!(
        local || raw.rate_limit == Switch::On,
        "rate_limit: off is only for RP ID localhost; here it would open the door to guessing"
    );
    ensure!(
        (1..=3600).contains(&raw.ceremony_ttl_seconds),
        "ceremony_ttl_seconds: 1 to 3600, not {}",
        raw.ceremony_ttl_seconds
    );
    ensure!(
        (16..=128).contains(&raw.ceremonies.challenge_bytes),
        "ceremonies.challenge_bytes: 16 to 128, not {}",
        raw.ceremonies.challenge_bytes
    );
    ensure!(
        raw.ceremonies.max_pending > 0,
        "ceremonies.max_pending: at least 1"
    );
    ensure!(
        raw.max_connections_per_address > 0,
        "max_connections_per_address: at least 1"
    );
    let sessions = sessions::sessions(&raw)?;
    let access_tokens = sessions::access_tokens(&raw)?;
    let challenges = stores::challenges(&raw.challenges_url, &mut warnings)?;
    let base_path = site::base_path(&raw.base_path)?;
    let mail = mail::mail(&raw.mail, &rp_id, &origins, &format!("{public_url}{base_path}"))?;
    let rp_name = raw.rp_name.clone().unwrap_or_else(|| rp_id.as_str().to_owned());

    let apps = apps::apps(&raw.apps, &origins)?;
    let passwords = passwords::passwords(&raw.passwords)?;
    let settings = Settings {
        relying_party: RelyingParty {
            id: rp_id,
            origins,
            cross_origin: site::cross_origin(&raw.ceremonies)?,
        },
        rp_name: rp_name.clone(),
        public_url,
        ceremony_ttl: Duration::from_secs(raw.ceremony_ttl_seconds),
        challenge_len: raw.ceremonies.challenge_bytes,
        user_verification: raw.ceremonies.user_verification,
        algorithms: acceptance::algorithms(raw.ceremonies.algorithms.as_deref())?,
        attestation: raw.ceremonies.attestation,
        attestation_policy: acceptance::attestation_policy(&raw.attestation),
        allowed_models: acceptance::allowed_models(&raw.attestation)?,
        attestation_formats: acceptance::attestation_formats(&raw.ceremonies.attestation_formats)?,
        backup: match raw.ceremonies.backup {
            Backup::Any => BackupPolicy::Any,
            Backup::BackedUp => BackupPolicy::BackedUp,
            Backup::DeviceBound => BackupPolicy::DeviceBound,
            Backup::Eligible => BackupPolicy::Eligible,
        },
        backup_eligibility_change: match raw.ceremonies.backup_eligibility_change {
            BackupEligibilityChange::AllowUpgrade => keyhaven_core::BackupEligibilityChange::AllowUpgrade,
            BackupEligibilityChange::Refuse => keyhaven_core::BackupEligibilityChange::Refuse,
        },
        canonical_cbor: match raw.ceremonies.canonical_cbor {
            raw::CanonicalCbor::AnyKeyOrder => CanonicalCbor::AnyKeyOrder,
            raw::CanonicalCbor::Strict => CanonicalCbor::Strict,
        },
        extensions: acceptance::extensions(&raw.ceremonies.extensions)?,
        unsolicited_extensions: match raw.ceremonies.unsolicited_extensions {
            raw::UnsolicitedExtensions::Ignore => UnsolicitedExtensions::Ignore,
            raw::UnsolicitedExtensions::Refuse => UnsolicitedExtensions::Refuse,
        },
        clones: match raw.ceremonies.clones {
            raw::Clones::Refuse => ClonePolicy::Refuse,
            raw::Clones::Report => ClonePolicy::Report,
            raw::Clones::Revoke => ClonePolicy::Revoke,
            raw::Clones::Suspend => ClonePolicy::Suspend,
        },
        known_credentials: raw.ceremonies.known_credentials,
        disclose_existence: raw.accounts.disclose_existence,
        identifier: privacy::identifier(&raw.accounts, mail.transport.is_some())?,
        retention: privacy::retention(&raw.retention)?,
        mail: mail.transport.is_some().then(|| MailSettings {
            sender: Sender {
                service: rp_name.clone(),
                from: mail.from,
            },
            language: mail.language,
        }),
        page: mail.page,
        administration: admin::administration(&raw.admin)?,
        recovery: mail::recovery(&raw.recovery)?,
        sessions,
        access_tokens,
        client_key: passwords::client_key(&raw.accounts, &passwords)?,
        passwords,
        rate_limits: (raw.rate_limit == Switch::On).then_some(RateLimitSettings {
            per_address: raw.rate_limits.per_address_per_minute,
            per_address_and_account: raw.rate_limits.per_address_and_account_per_minute,
            username_taken: raw.rate_limits.username_taken_per_minute,
            passwords_per_address: raw.rate_limits.passwords_per_address_per_minute,
            passwords_per_address_and_account: raw.rate_limits.passwords_per_address_and_account_per_minute,
            changes_per_account: raw.rate_limits.changes_per_account_per_minute,
        }),
    };
    let api = ApiSettings {
        base_path,
        apps,
        trusted_proxies: raw
            .trusted_proxies
            .iter()
            .map(|text| site::network(text))
            .collect::<Result<_, _>>()?,
        trusted_proxy_header: match raw.trusted_proxy_header {
            raw::TrustedProxyHeader::Forwarded => ProxyHeader::Forwarded,
            raw::TrustedProxyHeader::XForwardedFor => ProxyHeader::XForwardedFor,
        },
        disclose_verification_step: raw.disclose_verification_step.unwrap_or(local),
        mail_folder: match &mail.transport {
            Some(MailConfig::Folder(path)) if local => Some(path.clone()),
            _ => None,
        },
        insecure_cookies: local && plain_http,
    };
    Ok(Config {
        listen,
        metrics_listen,
        database: stores::database(&raw, local)?,
        challenges,
        anchors: acceptance::anchors(&raw)?,
        audit: audit::audit(&raw.audit)?,
        crosscheck: acceptance::crosscheck(raw.crosscheck)?,
        secret_key_file: raw.secret_key_file,
        encryption_key_files: raw.encryption.key_files.into_iter().map(Into::into).collect(),
        mail: mail.transport,
        max_connections_per_address: raw.max_connections_per_address,
        migrate: raw.database_migrate == Switch::On,
        stop: stop(&raw.stop, local)?,
        telemetry: telemetry(&raw.telemetry)?,
        max_pending_ceremonies: raw.ceremonies.max_pending,
        settings,
        api,
        log: raw.log,
        warnings,
    })
}

fn metrics_address(text: &str, listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    let address: SocketAddr = text
        .parse()
        .with_context(|| format!("metrics_listen: an address such as 127.0.0.1:9090, not {text:?}"))?;
    let (own, others) = (address.ip(), listen.ip());
    // Port 0 is any that is free. An address that stands for all of them leaves no other one its port.
    let meet = own == others || own.is_unspecified() || others.is_unspecified();
    ensure!(
        address.port() == 0 || address.port() != listen.port() || !meet,
        "metrics_listen: {address} is where the API listens ({listen}): another port"
    );
    Ok(address)
}

fn stop(stop: &raw::Stop, local: bool) -> anyhow::Result<Stop> {
    // Nobody balances load before localhost.
    let notice = stop.notice_seconds.unwrap_or(if local { 0 } else { 5 });
    ensure!(notice <= 600, "stop.notice_seconds: at most 600, not {notice}");
    ensure!(
        (1..=600).contains(&stop.drain_seconds),
        "stop.drain_seconds: 1 to 600, not {}",
        stop.drain_seconds
    );
    Ok(Stop {
        notice: Duration::from_secs(notice),
        drain: Duration::from_secs(stop.drain_seconds),
    })
}

fn telemetry(telemetry: &raw::OpenTelemetry) -> anyhow::Result<Option<OpenTelemetry>> {
    let sample_ratio = telemetry.sample_ratio.unwrap_or(1.0);
    ensure!(
        (0.0..=1.0).contains(&sample_ratio),
        "telemetry.sample_ratio: 0 to 1, not {sample_ratio}"
    );
    let Some(text) = &telemetry.traces_url else {
        ensure!(
            telemetry.sample_ratio.is_none(),
            "telemetry.sample_ratio: only with telemetry.traces_url"
        );
        return Ok(None);
    };
    ensure!(
        cfg!(feature = "otlp"),
        "telemetry.traces_url: this build sends no traces; it needs the feature otlp"
    );
    let url = Url::parse(text).with_context(|| format!("telemetry.traces_url: {text:?} is no URL"))?;
    ensure!(
        matches!(url.scheme(), "http" | "https"),
        "telemetry.traces_url: http:// or https://, for example http://127.0.0.1:4318/v1/traces"
    );
    Ok(Some(OpenTelemetry { url, sample_ratio }))
}
