//! From what was written to what it means.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ipnet::IpNet;
use keyhaven_api::{ApiSettings, ProxyHeader};
use keyhaven_core::{BackupPolicy, CrossOrigin, RelyingParty, UnsolicitedExtensions};
use keyhaven_service::{AccessTokenSettings, RateLimitSettings, SessionSettings, Settings};
use keyhaven_storage_postgres::PostgresOptions;
use keyhaven_storage_redis::RedisOptions;
use keyhaven_types::{Origin, RpId};
use url::{Host, Url};

use super::raw::{self, Backup, BackupEligibilityChange, Raw, Switch};
use super::{ChallengesUrl, Config, DatabaseUrl, OpenTelemetry, Stop, acceptance, audit};

pub(super) fn check(raw: Raw) -> anyhow::Result<Config> {
    let mut warnings = Vec::new();
    let listen: SocketAddr = raw
        .listen
        .parse()
        .with_context(|| format!("listen: an address such as 127.0.0.1:8080, not {:?}", raw.listen))?;
    let metrics_listen = raw.metrics_listen.as_deref().map(|text| {
        text.parse()
            .with_context(|| format!("metrics_listen: an address such as 127.0.0.1:9090, not {text:?}"))
    });
    let rp_id = rp_id(&raw.rp_id)?;
    let local = rp_id.as_str() == "localhost";
    let origins = origins(&raw, &rp_id, local, listen)?;
    let public_url = public_url(raw.public_url.as_deref(), &origins)?;
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
    let sessions = sessions(&raw)?;
    let access_tokens = access_tokens(&raw)?;
    let challenges = challenges(&raw.challenges_url, &mut warnings)?;
    let rp_name = raw.rp_name.clone().unwrap_or_else(|| rp_id.as_str().to_owned());

    let settings = Settings {
        relying_party: RelyingParty {
            id: rp_id,
            origins,
            cross_origin: cross_origin(&raw.ceremonies)?,
        },
        rp_name,
        public_url,
        ceremony_ttl: Duration::from_secs(raw.ceremony_ttl_seconds),
        challenge_len: raw.ceremonies.challenge_bytes,
        user_verification: raw.ceremonies.user_verification,
        algorithms: acceptance::algorithms(raw.ceremonies.algorithms.as_deref())?,
        attestation: raw.ceremonies.attestation,
        attestation_policy: acceptance::attestation_policy(&raw.attestation),
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
        unsolicited_extensions: match raw.ceremonies.unsolicited_extensions {
            raw::UnsolicitedExtensions::Ignore => UnsolicitedExtensions::Ignore,
            raw::UnsolicitedExtensions::Refuse => UnsolicitedExtensions::Refuse,
        },
        disclose_existence: raw.accounts.disclose_existence,
        sessions,
        access_tokens,
        rate_limits: (raw.rate_limit == Switch::On).then_some(RateLimitSettings {
            per_address: raw.rate_limits.per_address_per_minute,
            per_address_and_account: raw.rate_limits.per_address_and_account_per_minute,
            username_taken: raw.rate_limits.username_taken_per_minute,
            changes_per_account: raw.rate_limits.changes_per_account_per_minute,
        }),
    };
    let api = ApiSettings {
        base_path: base_path(&raw.base_path)?,
        trusted_proxies: raw
            .trusted_proxies
            .iter()
            .map(|text| network(text))
            .collect::<Result<_, _>>()?,
        trusted_proxy_header: match raw.trusted_proxy_header {
            raw::TrustedProxyHeader::Forwarded => ProxyHeader::Forwarded,
            raw::TrustedProxyHeader::XForwardedFor => ProxyHeader::XForwardedFor,
        },
        disclose_verification_step: raw.disclose_verification_step.unwrap_or(local),
        insecure_cookies: local && plain_http,
    };
    Ok(Config {
        listen,
        metrics_listen: metrics_listen.transpose()?,
        database: database(&raw)?,
        challenges,
        anchors: acceptance::anchors(&raw)?,
        audit: audit::audit(&raw.audit)?,
        crosscheck: acceptance::crosscheck(raw.crosscheck)?,
        secret_key_file: raw.secret_key_file,
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

fn rp_id(text: &str) -> anyhow::Result<RpId> {
    let id = RpId::new(text).context("rp_id")?;
    match Host::parse(text) {
        Ok(Host::Domain(domain)) if domain == text => {}
        _ => bail!("rp_id: a domain name, not an address: {text:?}"),
    }
    ensure!(
        text == "localhost" || text.contains('.'),
        "rp_id: {text:?} is a single label; use a registrable domain such as example.org, or localhost"
    );
    Ok(id)
}

/// The origins that ceremonies may come from: own ones under the RP ID, related ones elsewhere, native apps'.
fn origins(raw: &Raw, rp_id: &RpId, local: bool, listen: SocketAddr) -> anyhow::Result<Vec<Origin>> {
    let mut own = raw.origins.clone();
    if own.is_empty() {
        ensure!(
            local,
            "origins: RP ID {rp_id} needs the https origins of its pages, for example https://{rp_id}"
        );
        own.push(format!("http://localhost:{}", listen.port()));
    }
    let mut origins = Vec::new();
    for text in &own {
        if !is_app(text) {
            let url = web_origin(text, local)?;
            let host = url.host_str().unwrap_or("");
            let under = host == rp_id.as_str() || host.ends_with(&format!(".{rp_id}"));
            ensure!(
                under,
                "origins: {text} is not under the RP ID {rp_id}; a page of another domain belongs in related_origins"
            );
        }
        origins.push(Origin::new(text).context("origins")?);
    }
    ensure!(
        own.iter().any(|text| !is_app(text)),
        "origins: at least one web page's, for example https://{rp_id}"
    );
    for text in &raw.related_origins {
        web_origin(text, local).context("related_origins")?;
        origins.push(Origin::new(text).context("related_origins")?);
    }
    Ok(origins)
}

/// The origins native apps use, compared as they stand.
fn is_app(text: &str) -> bool {
    text.starts_with("android:apk-key-hash:") || text.starts_with("ios:bundle-id:")
}

/// A web origin exactly as browsers serialise it.
fn web_origin(text: &str, local: bool) -> anyhow::Result<Url> {
    let url = Url::parse(text).with_context(|| format!("origins: {text:?} is no URL"))?;
    let serialised = url.origin().ascii_serialization();
    ensure!(
        serialised == text,
        "origins: write {text:?} as browsers do: {serialised}"
    );
    match url.scheme() {
        "https" => {}
        "http" if local && is_localhost(&url) => {}
        _ => bail!("origins: {text} must begin with https://; http is only for localhost"),
    }
    Ok(url)
}

fn cross_origin(ceremonies: &raw::Ceremonies) -> anyhow::Result<CrossOrigin> {
    let top_origins = &ceremonies.top_origins;
    if ceremonies.cross_origin == raw::CrossOrigin::Refuse {
        ensure!(
            top_origins.is_empty(),
            "ceremonies.top_origins: only where ceremonies.cross_origin is \"allow\""
        );
        return Ok(CrossOrigin::Refuse);
    }
    let top_origins = top_origins.iter().map(|text| {
        web_origin(text, true).context("ceremonies.top_origins")?;
        Origin::new(text).context("ceremonies.top_origins")
    });
    Ok(CrossOrigin::Allow {
        top_origins: top_origins.collect::<Result<_, _>>()?,
    })
}

fn is_localhost(url: &Url) -> bool {
    matches!(url.host_str(), Some(host) if host == "localhost" || host.ends_with(".localhost"))
}

fn public_url(text: Option<&str>, origins: &[Origin]) -> anyhow::Result<String> {
    let first = origins
        .iter()
        .map(|origin| origin.as_str())
        .find(|text| !is_app(text))
        .unwrap_or_default();
    let Some(text) = text else {
        return Ok(first.to_owned());
    };
    let url = Url::parse(text).with_context(|| format!("public_url: {text:?} is no URL"))?;
    let origin = url.origin().ascii_serialization();
    ensure!(
        origin == text.trim_end_matches('/'),
        "public_url: only scheme, host and port: {origin}; paths go into base_path"
    );
    ensure!(
        origins.iter().any(|allowed| allowed.as_str() == origin),
        "public_url: {origin} must be one of the origins"
    );
    Ok(origin)
}

fn base_path(text: &str) -> anyhow::Result<String> {
    let plain = |segment: &str| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let trimmed = text.trim_matches('/');
    ensure!(
        text.starts_with('/') && (trimmed.is_empty() || trimmed.split('/').all(plain)),
        "base_path: a path such as / or /auth/, not {text:?}"
    );
    Ok(if trimmed.is_empty() {
        "/".to_owned()
    } else {
        format!("/{trimmed}/")
    })
}

fn network(text: &str) -> anyhow::Result<IpNet> {
    let single = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or(single)
        .with_context(|| format!("trusted_proxies: a network such as 10.0.0.0/8, not {text:?}"))
}

fn database(raw: &Raw) -> anyhow::Result<DatabaseUrl> {
    let text = &raw.database_url;
    let Some(("postgres" | "postgresql", _)) = text.split_once(':') else {
        ensure!(
            raw.database_replica_url.is_none() && raw.database_connections.is_none(),
            "database_replica_url, database_connections: only with PostgreSQL"
        );
        return Ok(DatabaseUrl::Sqlite(text.parse().context("database_url")?));
    };
    let mut options: PostgresOptions = text.parse().context("database_url")?;
    if let Some(url) = &raw.database_replica_url {
        options = options.with_replica(url).context("database_replica_url")?;
    }
    if let Some(connections) = raw.database_connections {
        ensure!(
            (1..=1000).contains(&connections),
            "database_connections: 1 to 1000, not {connections}"
        );
        options.connections = connections;
    }
    Ok(DatabaseUrl::Postgres(Box::new(options)))
}

fn challenges(text: &str, warnings: &mut Vec<String>) -> anyhow::Result<ChallengesUrl> {
    match text.split_once(':') {
        Some(("memory", "")) => Ok(ChallengesUrl::Memory),
        Some((scheme, _)) if scheme.starts_with("redis") => {
            let options: RedisOptions = text.parse().context("challenges_url")?;
            if !options.is_private() {
                warnings.push(format!(
                    "what travels to {options} can be read on the way; rediss: encrypts it"
                ));
            }
            Ok(ChallengesUrl::Redis(Box::new(options)))
        }
        _ => bail!("challenges_url: memory: or redis:"),
    }
}

fn sessions(raw: &Raw) -> anyhow::Result<SessionSettings> {
    let sessions = &raw.sessions;
    ensure!(
        (60..=30 * 24 * 3600).contains(&sessions.absolute_seconds),
        "sessions.absolute_seconds: 60 to 2592000 (30 days)"
    );
    ensure!(
        (60..=sessions.absolute_seconds).contains(&sessions.idle_seconds),
        "sessions.idle_seconds: 60 to sessions.absolute_seconds"
    );
    ensure!(
        sessions.fresh_seconds <= 300,
        "sessions.fresh_seconds: at most 300: an old sign-in is no proof of presence"
    );
    Ok(SessionSettings {
        absolute: Duration::from_secs(sessions.absolute_seconds),
        idle: Duration::from_secs(sessions.idle_seconds),
        fresh: Duration::from_secs(sessions.fresh_seconds),
    })
}

fn access_tokens(raw: &Raw) -> anyhow::Result<Option<AccessTokenSettings>> {
    let tokens = &raw.tokens;
    ensure!(
        (30..=3600).contains(&tokens.lifetime_seconds),
        "tokens.lifetime_seconds: 30 to 3600: a token cannot be revoked"
    );
    ensure!(
        (1..=365).contains(&tokens.rotation_days),
        "tokens.rotation_days: 1 to 365"
    );
    Ok((tokens.access_tokens == Switch::On).then(|| AccessTokenSettings {
        lifetime: Duration::from_secs(tokens.lifetime_seconds),
        rotation: Duration::from_secs(tokens.rotation_days.saturating_mul(24 * 3600)),
    }))
}

#[cfg(test)]
mod tests {
    use keyhaven_core::{AttestationFormat, SUPPORTED_ALGORITHMS};
    use keyhaven_types::CoseAlgorithm;
    use keyhaven_types::options::AttestationConveyance;

    use super::*;

    fn checked(change: impl FnOnce(&mut Raw)) -> anyhow::Result<Config> {
        let mut raw = Raw::default();
        change(&mut raw);
        check(raw)
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Raw), naming: &str) {
        let sentence = checked(change).err().map(|error| format!("{error:#}")).unwrap();
        assert!(sentence.contains(naming), "{sentence}");
    }

    fn site(rp_id: &str, origins: &[&str]) -> impl FnOnce(&mut Raw) {
        let (rp_id, origins) = (
            rp_id.to_owned(),
            origins.iter().map(|&text| text.to_owned()).collect(),
        );
        move |raw| {
            raw.rp_id = rp_id;
            raw.origins = origins;
        }
    }

    #[test]
    fn nothing_configured_is_localhost() {
        let config = checked(|_| {}).unwrap();
        assert_eq!(config.settings.public_url, "http://localhost:8080");
        assert!(config.api.insecure_cookies && config.api.disclose_verification_step);
        assert!(config.settings.rate_limits.is_some());
        let elsewhere = checked(|raw| raw.listen = "127.0.0.1:9000".into()).unwrap();
        assert_eq!(
            elsewhere.settings.relying_party.origins[0].as_str(),
            "http://localhost:9000"
        );
    }

    #[test]
    fn a_site_needs_https_origins_under_its_rp_id() {
        let config = checked(site(
            "example.org",
            &["https://login.example.org", "android:apk-key-hash:abc"],
        ))
        .unwrap();
        assert!(!config.api.insecure_cookies && !config.api.disclose_verification_step);
        refused(site("example.org", &[]), "origins");
        refused(site("example.org", &["http://example.org"]), "https");
        refused(site("example.org", &["https://badexample.org"]), "not under");
        refused(
            site("example.org", &["https://example.org.evil.example"]),
            "not under",
        );
        refused(site("example.org", &["https://example.org/"]), "as browsers do");
        refused(site("example.org", &["https://Example.org"]), "as browsers do");
        refused(
            site("example.org", &["https://example.org:443"]),
            "as browsers do",
        );
        refused(site("example.org", &["android:apk-key-hash:abc"]), "web page");
        refused(site("192.0.2.1", &["https://192.0.2.1"]), "rp_id");
        refused(site("org", &["https://example.org"]), "single label");
        refused(site("Example.org", &["https://example.org"]), "rp_id");
    }

    #[test]
    fn related_origins_are_https_and_elsewhere() {
        let config = checked(|raw| {
            site("example.org", &["https://example.org"])(raw);
            raw.related_origins = vec!["https://example.co.uk".into()];
        });
        assert_eq!(config.unwrap().settings.relying_party.origins.len(), 2);
        refused(
            |raw| {
                site("example.org", &["https://example.org"])(raw);
                raw.related_origins = vec!["http://example.co.uk".into()];
            },
            "https",
        );
    }

    #[test]
    fn what_ceremonies_accept_can_be_written() {
        let settings = checked(|raw| {
            raw.ceremonies.algorithms = Some(vec![-8, -7]);
            raw.ceremonies.attestation_formats = vec!["packed".into()];
            raw.ceremonies.backup = Backup::DeviceBound;
            raw.ceremonies.cross_origin = raw::CrossOrigin::Allow;
            raw.ceremonies.top_origins = vec!["https://shop.example".into()];
            raw.ceremonies.unsolicited_extensions = raw::UnsolicitedExtensions::Refuse;
        });
        let settings = settings.unwrap().settings;
        assert_eq!(settings.algorithms, [CoseAlgorithm::EDDSA, CoseAlgorithm::ES256]);
        assert_eq!(settings.attestation_formats, [AttestationFormat::Packed]);
        assert_eq!(settings.backup, BackupPolicy::DeviceBound);
        assert_eq!(settings.unsolicited_extensions, UnsolicitedExtensions::Refuse);
        let CrossOrigin::Allow { top_origins } = settings.relying_party.cross_origin else {
            panic!("embedding is allowed")
        };
        assert_eq!(top_origins, [Origin::new("https://shop.example").unwrap()]);
        assert_eq!(checked(|_| {}).unwrap().settings.algorithms, SUPPORTED_ALGORITHMS);
    }

    #[test]
    fn limits_stay_on_where_there_is_something_to_guess() {
        checked(|raw| raw.rate_limit = Switch::Off).unwrap();
        refused(
            |raw| {
                site("example.org", &["https://example.org"])(raw);
                raw.rate_limit = Switch::Off;
            },
            "rate_limit",
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        refused(|raw| raw.listen = "8080".into(), "listen");
        refused(|raw| raw.stop.notice_seconds = Some(601), "notice_seconds");
        refused(|raw| raw.stop.drain_seconds = 0, "drain_seconds");
        refused(|raw| raw.telemetry.sample_ratio = Some(0.5), "sample_ratio");
        refused(
            |raw| raw.telemetry.traces_url = Some("collector:4318".into()),
            "telemetry.traces_url",
        );
        refused(|raw| raw.ceremony_ttl_seconds = 0, "ceremony_ttl_seconds");
        refused(
            |raw| raw.max_connections_per_address = 0,
            "max_connections_per_address",
        );
        refused(|raw| raw.ceremonies.challenge_bytes = 15, "challenge_bytes");
        refused(|raw| raw.ceremonies.challenge_bytes = 129, "challenge_bytes");
        refused(|raw| raw.sessions.idle_seconds = 1, "idle_seconds");
        refused(|raw| raw.tokens.lifetime_seconds = 86_400, "lifetime_seconds");
        refused(
            |raw| raw.trusted_proxies = vec!["everyone".into()],
            "trusted_proxies",
        );
        refused(|raw| raw.base_path = "auth".into(), "base_path");
        refused(|raw| raw.database_url = "mysql:x".into(), "database_url");
        refused(|raw| raw.database_url = "postgres:x".into(), "database_url");
        refused(|raw| raw.database_connections = Some(4), "only with PostgreSQL");
        refused(
            |raw| raw.database_replica_url = Some("postgres://localhost/x".into()),
            "only with PostgreSQL",
        );
        let postgres = |raw: &mut Raw| raw.database_url = "postgres://localhost/x".into();
        refused(
            |raw| {
                postgres(raw);
                raw.database_connections = Some(0);
            },
            "database_connections",
        );
        refused(
            |raw| {
                postgres(raw);
                raw.database_replica_url = Some("sqlite:x".into());
            },
            "database_replica_url",
        );
        refused(|raw| raw.challenges_url = "memory:x".into(), "challenges_url");
        refused(|raw| raw.challenges_url = "redis:x".into(), "redis://");
        refused(|raw| raw.challenges_url = "redis+sentinel://x".into(), "master");
        refused(
            |raw| raw.public_url = Some("https://elsewhere.example".into()),
            "public_url",
        );
        refused(|raw| raw.metrics_listen = Some("x".into()), "metrics_listen");
        refused(|raw| raw.ceremonies.algorithms = Some(vec![]), "algorithms");
        refused(|raw| raw.attestation.anchors_file = Some("x".into()), "required");
        let required = |change: fn(&mut Raw)| {
            move |raw: &mut Raw| {
                raw.attestation.trust = raw::Trust::Required;
                raw.ceremonies.attestation = AttestationConveyance::Direct;
                raw.attestation.anchors_file = Some("x".into());
                change(raw);
            }
        };
        checked(required(|_| {})).unwrap();
        refused(
            required(|raw| raw.attestation.anchors_file = None),
            "anchors_file",
        );
        refused(
            required(|raw| raw.ceremonies.attestation = AttestationConveyance::None),
            "ask for it",
        );
        refused(
            required(|raw| raw.attestation.mds_file = Some("x".into())),
            "mds_root_file",
        );
        refused(
            required(|raw| raw.attestation.mds_url = Some("https://mds.example".into())),
            "mds_file",
        );
        refused(
            required(|raw| {
                raw.attestation.mds_file = Some("x".into());
                raw.attestation.mds_root_file = Some("x".into());
                raw.attestation.mds_url = Some("http://mds.example".into());
            }),
            "https",
        );
        refused(|raw| raw.ceremonies.algorithms = Some(vec![-65_535]), "-65535");
        refused(
            |raw| raw.ceremonies.attestation_formats = vec!["Packed".into()],
            "attestation_formats",
        );
        refused(
            |raw| raw.ceremonies.top_origins = vec!["https://shop.example".into()],
            "cross_origin",
        );
        refused(
            |raw| {
                raw.ceremonies.cross_origin = raw::CrossOrigin::Allow;
                raw.ceremonies.top_origins = vec!["shop.example".into()];
            },
            "top_origins",
        );
    }

    #[test]
    fn a_database_is_shown_without_its_secrets() {
        let config = checked(|raw| {
            raw.database_url = "postgres://u:secret@localhost/kh".into();
            raw.database_replica_url = Some("postgres://u:secret@localhost:6000/kh".into());
            raw.database_connections = Some(4);
        });
        let config = config.unwrap();
        assert_eq!(config.database.to_string(), "postgres://localhost:5432/kh");
        assert!(!config.describe().contains("secret"));
    }

    #[test]
    fn a_redis_is_shown_without_its_secrets_and_warned_of_where_it_is_far_and_plain() {
        for (url, shown, warned) in [
            ("redis://u:secret@localhost", "redis://localhost:6379", false),
            (
                "rediss://u:secret@r.example.org",
                "rediss://r.example.org:6379",
                false,
            ),
            (
                "redis://u:secret@r.example.org",
                "redis://r.example.org:6379",
                true,
            ),
        ] {
            let config = checked(|raw| raw.challenges_url = url.into()).unwrap();
            let described = config.describe();
            assert!(described.contains(shown), "{described}");
            assert!(!described.contains("secret"));
            assert_eq!(described.contains("can be read on the way"), warned);
        }
    }

    #[test]
    fn a_base_path_ends_with_a_slash() {
        assert_eq!(
            checked(|raw| raw.base_path = "/auth".into())
                .unwrap()
                .api
                .base_path,
            "/auth/"
        );
        assert_eq!(
            checked(|raw| raw.base_path = "/".into()).unwrap().api.base_path,
            "/"
        );
    }
}
