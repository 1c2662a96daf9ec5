use keyhaven_api::ProxyHeader;
use keyhaven_core::cbor::CanonicalCbor;
use keyhaven_core::{
    AndroidKeyPolicy, AttestationFormat, BackupEligibilityChange, BackupPolicy, CompoundPolicy, CredProtect,
    CrossOrigin, Profile, SUPPORTED_ALGORITHMS, UnsolicitedExtensions,
};
use keyhaven_mds::{CertificationLevel, Status, StatusPolicy, UnknownStatus};
use keyhaven_service::{ClonePolicy, Demand, Identifier, OldPasskeys};
use keyhaven_types::options::{AttestationConveyance, UserVerification};
use keyhaven_types::{CoseAlgorithm, Origin};
use serde_json::json;

use super::check::check;
use super::raw::{self, Backup, Raw, Switch};
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
fn metrics_are_served_elsewhere() {
    for (listen, metrics, meets) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "0.0.0.0:8080", true),
        ("[::]:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "127.0.0.1:9090", false),
        ("192.0.2.1:8080", "127.0.0.1:8080", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ] {
        let addresses = |raw: &mut Raw| {
            raw.listen = listen.into();
            raw.metrics_listen = Some(metrics.into());
        };
        if meets {
            refused(addresses, "another port");
        } else {
            let config = checked(addresses).unwrap();
            assert_eq!(config.metrics_listen, Some(metrics.parse().unwrap()));
        }
    }
    refused(|raw| raw.metrics_listen = Some("9090".into()), "metrics_listen");
}

/// Whoever names only the origin of a page of their own has a built-in page that does nothing but fail.
#[test]
fn a_built_in_page_that_is_no_origin_is_noted() {
    let own = "http://localhost:5173";
    for (origins, listen, noted) in [
        (&[own][..], "127.0.0.1:8080", true),
        (&["http://localhost:8080", own], "127.0.0.1:8080", false),
        (&["http://localhost:8080", own], "127.0.0.1:9000", true),
        (&["https://localhost"], "127.0.0.1:8080", false),
        (&[], "127.0.0.1:9000", false),
    ] {
        let config = checked(|raw| {
            site("localhost", origins)(raw);
            raw.listen = listen.into();
        });
        let described = config.unwrap().describe();
        assert_eq!(
            described.contains("is not among the origins"),
            noted,
            "{described}"
        );
    }
    let site = checked(site("example.org", &["https://example.org"])).unwrap();
    assert!(!site.describe().contains("is not among the origins"));
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
    refused(
        |raw| raw.sessions.aal2.idle_seconds = Some(1),
        "sessions.aal2.idle_seconds",
    );
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
        |raw| {
            site("example.org", &["https://example.org"])(raw);
            raw.database_url = "memory:".into();
        },
        "memory:",
    );
    checked(|raw| raw.database_url = "memory:".into()).unwrap();
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
    refused(|raw| raw.attestation.crl_file = Some("x".into()), "required");
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
    let models = |models: &[&str]| models.iter().map(|model| (*model).to_owned()).collect();
    let some_model = "01020304-0506-0708-0102-030405060708";
    refused(
        |raw| raw.attestation.allowed_aaguids = models(&[some_model]),
        "attestation.trust",
    );
    let allowed = |written: &[&str]| {
        checked(|raw| {
            required(|_| {})(raw);
            raw.attestation.allowed_aaguids = models(written);
        })
    };
    assert_eq!(allowed(&[some_model]).unwrap().settings.allowed_models.len(), 1);
    for bad in ["Solo 2", "00000000-0000-0000-0000-000000000000"] {
        assert!(allowed(&[some_model, bad]).is_err(), "{bad}");
    }
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

/// As it is written in the file.
fn written(configuration: serde_json::Value) -> Config {
    check(serde_json::from_value(configuration).unwrap()).unwrap()
}

/// Each word is the policy that the documentation says it is.
#[test]
fn words_are_the_policies_that_they_name() {
    for (word, policy) in [
        ("refuse", ClonePolicy::Refuse),
        ("report", ClonePolicy::Report),
        ("revoke", ClonePolicy::Revoke),
        ("suspend", ClonePolicy::Suspend),
    ] {
        let config = written(json!({"ceremonies": {"clones": word}}));
        assert_eq!(config.settings.clones, policy, "{word}");
    }
    for (word, policy) in [
        ("refuse", BackupEligibilityChange::Refuse),
        ("allow-upgrade", BackupEligibilityChange::AllowUpgrade),
    ] {
        let config = written(json!({"ceremonies": {"backup_eligibility_change": word}}));
        assert_eq!(config.settings.backup_eligibility_change, policy, "{word}");
    }
    for (word, policy) in [("review", OldPasskeys::Review), ("revoke", OldPasskeys::Revoke)] {
        let config = written(json!({"recovery": {"old_passkeys": word}}));
        assert_eq!(config.settings.recovery.old_passkeys, policy, "{word}");
    }
    for (word, policy) in [
        ("any", BackupPolicy::Any),
        ("backed-up", BackupPolicy::BackedUp),
        ("device-bound", BackupPolicy::DeviceBound),
        ("eligible", BackupPolicy::Eligible),
    ] {
        let config = written(json!({"ceremonies": {"backup": word}}));
        assert_eq!(config.settings.backup, policy, "{word}");
    }
    for (word, policy) in [
        ("ignore", UnsolicitedExtensions::Ignore),
        ("refuse", UnsolicitedExtensions::Refuse),
    ] {
        let config = written(json!({"ceremonies": {"unsolicited_extensions": word}}));
        assert_eq!(config.settings.unsolicited_extensions, policy, "{word}");
    }
    for (word, policy) in [
        ("off", Demand::Off),
        ("by-account", Demand::ByAccount),
        ("required", Demand::Required),
    ] {
        let config = written(json!({"accounts": {"client_key": word}, "passwords": {"with_passkey": word}}));
        assert_eq!(config.settings.client_key, policy, "{word}");
        assert_eq!(config.settings.passwords.with_passkey, policy, "{word}");
    }
    for (word, policy) in [("username", Identifier::Username), ("email", Identifier::Email)] {
        let config = written(json!({"accounts": {"identifier": word}}));
        assert_eq!(config.settings.identifier, policy, "{word}");
    }
    for (word, policy) in [
        ("discouraged", UserVerification::Discouraged),
        ("preferred", UserVerification::Preferred),
        ("required", UserVerification::Required),
    ] {
        let config = written(json!({"ceremonies": {"user_verification": word}}));
        assert_eq!(config.settings.user_verification, policy, "{word}");
    }
    for (word, policy) in [
        ("optional", CredProtect::UserVerificationOptional),
        (
            "optional-with-credential-id",
            CredProtect::UserVerificationOptionalWithCredentialId,
        ),
        ("required", CredProtect::UserVerificationRequired),
    ] {
        let config = written(json!({"ceremonies": {"extensions": {"cred_protect": word}}}));
        assert_eq!(config.settings.extensions.cred_protect, Some(policy), "{word}");
    }
    for (word, policy) in [("fido", Profile::Fido), ("w3c", Profile::W3c)] {
        let config = written(json!({"attestation": {"profile": word}}));
        assert_eq!(config.settings.attestation_policy.profile, policy, "{word}");
    }
    for (word, policy) in [("tee", AndroidKeyPolicy::Tee), ("union", AndroidKeyPolicy::Union)] {
        let config = written(json!({"attestation": {"android_key": word}}));
        assert_eq!(config.settings.attestation_policy.android_key, policy, "{word}");
    }
    for (word, policy) in [("all", CompoundPolicy::All), ("any", CompoundPolicy::Any)] {
        let config = written(json!({"attestation": {"compound": word}}));
        assert_eq!(config.settings.attestation_policy.compound, policy, "{word}");
    }
    for (word, policy) in [
        ("any-key-order", CanonicalCbor::AnyKeyOrder),
        ("strict", CanonicalCbor::Strict),
    ] {
        let config = written(json!({"ceremonies": {"canonical_cbor": word}}));
        assert_eq!(config.settings.canonical_cbor, policy, "{word}");
    }
    for (word, policy) in [
        ("forwarded", ProxyHeader::Forwarded),
        ("x-forwarded-for", ProxyHeader::XForwardedFor),
    ] {
        let config = written(json!({"trusted_proxy_header": word}));
        assert_eq!(config.api.trusted_proxy_header, policy, "{word}");
    }
    for (word, on) in [("on", true), ("off", false)] {
        let config = written(json!({"passwords": {"fallback": word}, "database_migrate": word}));
        assert_eq!(config.settings.passwords.fallback, on, "{word}");
        assert_eq!(config.migrate, on, "{word}");
    }
}

#[test]
fn which_models_metadata_vouch_for_can_be_written() {
    let with = |policy: serde_json::Value| {
        let written = json!({
            "attestation": {"trust": "required", "mds_file": "x", "mds_root_file": "x", "status_policy": policy},
            "ceremonies": {"attestation": "direct"},
        });
        let config = check(serde_json::from_value(written)?)?;
        anyhow::Ok(config.anchors.unwrap().metadata.unwrap().policy)
    };
    assert_eq!(with(json!(null)).unwrap(), StatusPolicy::default());
    assert_eq!(with(json!({})).unwrap(), StatusPolicy::default());
    let policy = with(json!({
        "key_protection": ["hardware", "secure_element"],
        "max_overdue_days": 0,
        "minimum_certification": "L1+",
        "refused": "REVOKED, UPDATE_AVAILABLE",
        "unknown_status": "refuse",
    }));
    let expected = StatusPolicy {
        refused: vec![Status::Revoked, Status::UpdateAvailable],
        unknown_status: UnknownStatus::Refuse,
        minimum_certification: CertificationLevel::L1Plus,
        key_protection_any_of: vec!["hardware".into(), "secure_element".into()],
        max_overdue_days: Some(0),
    };
    assert_eq!(policy.unwrap(), expected);
    for (bad, naming) in [
        (json!({"minimum_certification": "L4"}), "minimum_certification"),
        (json!({"refused": ["Revoked"]}), "Revoked"),
        (json!({"refuse": ["REVOKED"]}), "refuse"),
    ] {
        let sentence = format!("{:#}", with(bad).unwrap_err());
        assert!(sentence.contains(naming), "{sentence}");
    }
    // Nothing to judge.
    let policy = || Some(raw::StatusPolicy::default());
    refused(
        |raw| raw.attestation.status_policy = policy(),
        "attestation.trust",
    );
    refused(
        |raw| {
            raw.attestation.trust = raw::Trust::Required;
            raw.ceremonies.attestation = AttestationConveyance::Direct;
            raw.attestation.anchors_file = Some("x".into());
            raw.attestation.status_policy = policy();
        },
        "mds_file",
    );
}
