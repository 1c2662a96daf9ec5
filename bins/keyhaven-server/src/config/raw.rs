//! What can be written, as it is written.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use figment::value::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod acceptance;

pub(crate) use acceptance::{
    AndroidKey, Attestation, Backup, BackupEligibilityChange, CanonicalCbor, Ceremonies, Clones, Compound,
    CredProtect, CrossOrigin, Crosscheck, Extensions, Profile, StatusPolicy, Trust, UnknownStatus,
    UnsolicitedExtensions,
};

/// Names beside the configuration's that begin with its prefix: where the file is, and what builds and tests use.
const NOT_CONFIGURATION: [&str; 6] = [
    "config",
    "chromium",
    "postgres_bin",
    "postgres_build_url",
    "sqlite_build_url",
    "test_postgres_url",
];

/// Texts that may be anything, also what looks like a number, a truth value or a list. In the environment that is how they
/// are read else.
const TEXTS: [&str; 10] = [
    "attestation.anchors_file",
    "attestation.crl_file",
    "attestation.mds_file",
    "attestation.mds_root_file",
    "audit.checkpoint_file",
    "mail.authority_file",
    "mail.credentials_file",
    "mail.from",
    "rp_name",
    "secret_key_file",
];

/// All that can be configured. Each name is also an environment variable: `KEYHAVEN_` and the name in capitals, with
/// two underscores between a section and its key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Raw {
    pub(crate) listen: String,
    pub(crate) base_path: String,
    pub(crate) rp_id: String,
    pub(crate) rp_name: Option<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) origins: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) related_origins: Vec<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) database_url: String,
    pub(crate) database_replica_url: Option<String>,
    pub(crate) database_connections: Option<u32>,
    pub(crate) database_migrate: Switch,
    pub(crate) challenges_url: String,
    pub(crate) secret_key_file: Option<PathBuf>,
    #[serde(deserialize_with = "list")]
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) trusted_proxy_header: TrustedProxyHeader,
    pub(crate) max_connections_per_address: u32,
    pub(crate) metrics_listen: Option<String>,
    pub(crate) ceremony_ttl_seconds: u64,
    pub(crate) rate_limit: Switch,
    pub(crate) accounts: Accounts,
    pub(crate) admin: Admin,
    pub(crate) apps: Apps,
    pub(crate) attestation: Attestation,
    pub(crate) audit: Audit,
    pub(crate) ceremonies: Ceremonies,
    pub(crate) crosscheck: Crosscheck,
    pub(crate) log: Log,
    pub(crate) mail: Mail,
    pub(crate) passwords: Passwords,
    pub(crate) rate_limits: RateLimits,
    pub(crate) encryption: Encryption,
    pub(crate) retention: Retention,
    pub(crate) recovery: Recovery,
    pub(crate) sessions: Sessions,
    pub(crate) stop: Stop,
    pub(crate) telemetry: OpenTelemetry,
    pub(crate) tokens: Tokens,
    pub(crate) disclose_verification_step: Option<bool>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            base_path: "/".into(),
            rp_id: "localhost".into(),
            rp_name: None,
            origins: Vec::new(),
            related_origins: Vec::new(),
            public_url: None,
            database_url: "sqlite:keyhaven.db".into(),
            database_replica_url: None,
            database_connections: None,
            database_migrate: Switch::On,
            challenges_url: "memory:".into(),
            secret_key_file: None,
            trusted_proxies: Vec::new(),
            trusted_proxy_header: TrustedProxyHeader::XForwardedFor,
            max_connections_per_address: 256,
            metrics_listen: None,
            ceremony_ttl_seconds: 300,
            rate_limit: Switch::On,
            accounts: Accounts::default(),
            admin: Admin::default(),
            apps: Apps::default(),
            attestation: Attestation::default(),
            audit: Audit::default(),
            ceremonies: Ceremonies::default(),
            crosscheck: Crosscheck::Off,
            log: Log::default(),
            mail: Mail::default(),
            passwords: Passwords::default(),
            rate_limits: RateLimits::default(),
            encryption: Encryption::default(),
            retention: Retention::default(),
            recovery: Recovery::default(),
            sessions: Sessions::default(),
            stop: Stop::default(),
            telemetry: OpenTelemetry::default(),
            tokens: Tokens::default(),
            disclose_verification_step: None,
        }
    }
}

/// Where trusted proxies write whom they heard from.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TrustedProxyHeader {
    Forwarded,
    XForwardedFor,
}

/// Native apps that share the site's passkeys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Apps {
    #[serde(deserialize_with = "list")]
    pub(crate) android: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) apple: Vec<String>,
}

/// What anonymous callers may learn, and what accounts have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Accounts {
    pub(crate) disclose_existence: bool,
    pub(crate) client_key: Demand,
    pub(crate) identifier: Identifier,
}

/// What accounts are called by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Identifier {
    Email,
    #[default]
    Username,
}

/// Keys of personal data.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Encryption {
    #[serde(deserialize_with = "list")]
    pub(crate) key_files: Vec<String>,
}

/// How long what is not needed any more is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retention {
    pub(crate) session_client_days: Option<u64>,
    pub(crate) unused_account_days: Option<u64>,
}

/// What becomes of the audit log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Audit {
    pub(crate) checkpoint_file: Option<PathBuf>,
    pub(crate) checkpoint_seconds: u64,
    pub(crate) checkpoint_url: Option<String>,
    pub(crate) key_rotation_days: u64,
    pub(crate) retention_days: Option<u64>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            checkpoint_file: None,
            checkpoint_seconds: 60,
            checkpoint_url: None,
            key_rotation_days: 365,
            retention_days: None,
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "warn".into(),
            format: LogFormat::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Json,
    Text,
}

/// How mails leave.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    pub(crate) authority_file: Option<PathBuf>,
    pub(crate) credentials_file: Option<PathBuf>,
    pub(crate) from: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) page_url: Option<String>,
    pub(crate) url: Option<String>,
}

/// What administrators can do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    pub(crate) client_key_check: Switch,
    pub(crate) enrolment_hours: u64,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            client_key_check: Switch::Off,
            enrolment_hours: 24,
        }
    }
}

/// What passwords are good for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Passwords {
    pub(crate) fallback: Switch,
    pub(crate) with_passkey: Demand,
    pub(crate) hashes_at_once: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            fallback: Switch::Off,
            with_passkey: Demand::Off,
            hashes_at_once: keyhaven_service::PasswordSettings::default().hashes_at_once,
        }
    }
}

/// Whether a sign-in asks for one more factor.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Demand {
    ByAccount,
    #[default]
    Off,
    Required,
}

/// Attempts per minute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimits {
    pub(crate) per_address_per_minute: u32,
    pub(crate) per_address_and_account_per_minute: u32,
    pub(crate) username_taken_per_minute: u32,
    pub(crate) passwords_per_address_per_minute: u32,
    pub(crate) passwords_per_address_and_account_per_minute: u32,
    pub(crate) changes_per_account_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        let limits = keyhaven_service::RateLimitSettings::default();
        Self {
            per_address_per_minute: limits.per_address,
            per_address_and_account_per_minute: limits.per_address_and_account,
            username_taken_per_minute: limits.username_taken,
            passwords_per_address_per_minute: limits.passwords_per_address,
            passwords_per_address_and_account_per_minute: limits.passwords_per_address_and_account,
            changes_per_account_per_minute: limits.changes_per_account,
        }
    }
}

/// How accounts are recovered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Recovery {
    pub(crate) alarm_failures_per_hour: u64,
    pub(crate) old_passkeys: OldPasskeys,
    pub(crate) wait_hours: u64,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            alarm_failures_per_hour: keyhaven_service::RecoverySettings::default().alarm,
            old_passkeys: OldPasskeys::Review,
            wait_hours: 24,
        }
    }
}

/// What becomes of the passkeys that were there before a recovery.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OldPasskeys {
    Review,
    Revoke,
}

/// How long sessions live.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sessions {
    pub(crate) aal1: SessionLimits,
    pub(crate) aal2: SessionLimits,
    pub(crate) aal3: SessionLimits,
    pub(crate) fresh_seconds: u64,
}

/// Of the sessions of one level; the longest where nothing is written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SessionLimits {
    pub(crate) absolute_seconds: Option<u64>,
    pub(crate) idle_seconds: Option<u64>,
}

impl Default for Sessions {
    fn default() -> Self {
        let settings = keyhaven_service::SessionSettings::default();
        Self {
            aal1: SessionLimits::default(),
            aal2: SessionLimits::default(),
            aal3: SessionLimits::default(),
            fresh_seconds: settings.fresh.as_secs(),
        }
    }
}

/// How the process ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stop {
    pub(crate) notice_seconds: Option<u64>,
    pub(crate) drain_seconds: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            notice_seconds: None,
            drain_seconds: 10,
        }
    }
}

/// Where traces go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpenTelemetry {
    pub(crate) traces_url: Option<String>,
    pub(crate) sample_ratio: Option<f64>,
}

/// Signed access tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tokens {
    pub(crate) access_tokens: Switch,
    pub(crate) lifetime_seconds: u64,
    pub(crate) rotation_days: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_tokens: Switch::Off,
            lifetime_seconds: 300,
            rotation_days: 30,
        }
    }
}

/// `on` or `off` (or a boolean).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Switch {
    Off,
    On,
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Boolean(bool),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Boolean(true) => Ok(Self::On),
            Written::Boolean(false) => Ok(Self::Off),
            Written::Word(word) if word == "on" => Ok(Self::On),
            Written::Word(word) if word == "off" => Ok(Self::Off),
            Written::Word(word) => Err(serde::de::Error::custom(format!("on or off, not {word:?}"))),
        }
    }
}

/// A list, or one text with commas.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    let items = match Written::deserialize(deserializer)? {
        Written::List(items) => items,
        Written::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    Ok(items
        .into_iter()
        .map(|item| item.trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect())
}

/// A list of whole numbers, or one text with commas. One number alone is no text where it comes from the environment.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<i64>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<i64>),
        Number(i64),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::List(numbers)) => Ok(Some(numbers)),
        Some(Written::Number(number)) => Ok(Some(vec![number])),
        Some(Written::Text(text)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let number = |item: &str| {
                let number = item.parse();
                number.map_err(|_| serde::de::Error::custom(format!("a whole number, not {item:?}")))
            };
            items.map(number).collect::<Result<_, _>>().map(Some)
        }
    }
}

/// What the command line can say.
#[derive(Args, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Flags {
    /// Configuration file (TOML). Also KEYHAVEN_CONFIG.
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8080]. Also KEYHAVEN_LISTEN, and so on for the others.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// RP ID: the domain that passkeys belong to [default: localhost].
    #[arg(long, global = true, value_name = "DOMAIN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rp_id: Option<String>,
    /// Origins that may use it, with commas between [default: http://localhost:8080].
    #[arg(long, global = true, value_name = "ORIGINS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<String>,
    /// Where users reach it: issuer of tokens and base of every link [default: the first origin].
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// Accounts, credentials, sessions, audit [default: sqlite:keyhaven.db].
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_url: Option<String>,
    /// PostgreSQL: a replica for lists that may be a moment old.
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_replica_url: Option<String>,
    /// PostgreSQL: connections at most, to each server [default: 16].
    #[arg(long, global = true, value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_connections: Option<u32>,
    /// Leave the database's schema as it is, and refuse to serve where it is not up to date.
    #[arg(long, global = true)]
    #[serde(
        rename = "database_migrate",
        skip_serializing_if = "is_false",
        serialize_with = "off"
    )]
    no_migrate: bool,
    /// Pending ceremonies [default: memory:].
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    challenges_url: Option<String>,
    /// File of 32 random bytes [default: made beside an SQLite database].
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key_file: Option<PathBuf>,
    /// Networks whose X-Forwarded-For headers are believed, with commas between.
    #[arg(long, global = true, value_name = "NETWORKS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_proxies: Option<String>,
    /// Address that serves /metrics.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_listen: Option<String>,
    /// How long a started ceremony can be finished, in seconds [default: 300].
    #[arg(long, global = true, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    ceremony_ttl_seconds: Option<u64>,
    /// Rate limits, on or off; off only where the RP ID is localhost [default: on].
    #[arg(long, global = true, value_name = "on|off")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn off<S: Serializer>(_: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("off")
}

/// Whether a value of the environment is a text anyway; in quotes it is one without them.
fn is_read_as_text(value: &str) -> bool {
    matches!(value.parse(), Ok(Value::String(..)))
}

/// Reads file, environment and flags.
pub(crate) fn read(flags: &Flags) -> anyhow::Result<Raw> {
    let mut figment = Figment::new();
    if let Some(path) = flags
        .config
        .clone()
        .or_else(|| Env::var("KEYHAVEN_CONFIG").map(PathBuf::from))
    {
        anyhow::ensure!(
            path.is_file(),
            "the configuration file {} is not there",
            path.display()
        );
        figment = figment.merge(Toml::file_exact(path));
    }
    let environment = Env::prefixed("KEYHAVEN_").ignore(&NOT_CONFIGURATION).split("__");
    figment = figment.merge(environment.clone());
    for (key, text) in environment.iter() {
        if TEXTS.contains(&key.as_str()) && !is_read_as_text(&text) {
            figment = figment.merge((key.as_str(), text));
        }
    }
    figment
        .merge(Serialized::defaults(flags))
        .extract()
        .map_err(|errors| {
            let all: Vec<_> = errors.into_iter().map(|error| error.to_string()).collect();
            anyhow::anyhow!(all.join("; "))
        })
        .context("the configuration")
}
