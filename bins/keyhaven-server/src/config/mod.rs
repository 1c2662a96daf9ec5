//! Configuration: a TOML file, the environment, flags, in that order of rising precedence; then checked as a whole.
//!
//! [`raw`] is what can be written, `deny_unknown_fields` throughout; [`Config`] is what it means. A value that makes no
//! sense, or no sense with another, is refused here with a sentence, never later.

mod acceptance;
mod admin;
mod apps;
mod audit;
mod check;
mod mail;
mod passwords;
mod privacy;
mod raw;
mod sessions;
mod site;
mod stores;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use keyhaven_api::ApiSettings;
use keyhaven_mail::SmtpOptions;
use keyhaven_service::Settings;
use keyhaven_storage_postgres::PostgresOptions;
use keyhaven_storage_redis::RedisOptions;
use keyhaven_storage_sqlite::SqliteOptions;
use url::Url;

use crate::anchors::AnchorFiles;

pub(crate) use raw::{Flags, LogFormat};

/// The configuration in force.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) database: DatabaseUrl,
    pub(crate) challenges: ChallengesUrl,
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Keys of personal data, the first of which encrypts.
    pub(crate) encryption_key_files: Vec<PathBuf>,
    /// Where trust anchors are; `None`: trust is not judged.
    pub(crate) anchors: Option<AnchorFiles>,
    pub(crate) audit: AuditConfig,
    /// How mails leave; `None`: none are sent.
    pub(crate) mail: Option<MailConfig>,
    pub(crate) max_connections_per_address: u32,
    /// Whether servers bring the schema up to date when they start.
    pub(crate) migrate: bool,
    pub(crate) stop: Stop,
    #[cfg_attr(
        not(feature = "otlp"),
        expect(
            dead_code,
            reason = "checked in every build, so that a file is right or wrong in all of them"
        )
    )]
    pub(crate) telemetry: Option<OpenTelemetry>,
    /// Whether a second implementation judges what was accepted, and whether its objection refuses.
    pub(crate) crosscheck: Option<Enforce>,
    pub(crate) max_pending_ceremonies: usize,
    pub(crate) settings: Settings,
    pub(crate) api: ApiSettings,
    pub(crate) log: raw::Log,
    warnings: Vec<String>,
}

/// What becomes of the audit log.
#[derive(Clone, Debug)]
pub(crate) struct AuditConfig {
    /// Checkpoints are appended to this file.
    pub(crate) checkpoint_file: Option<PathBuf>,
    /// Checkpoints are posted there.
    pub(crate) checkpoint_url: Option<String>,
    /// How often at most.
    pub(crate) checkpoint_interval: Duration,
    /// How long one key signs.
    pub(crate) key_rotation: Duration,
    /// Events that were sealed longer ago are dropped; `None`: none are.
    pub(crate) retention: Option<Duration>,
}

/// How mails leave.
#[derive(Clone)]
pub(crate) enum MailConfig {
    /// Into this folder.
    Folder(PathBuf),
    /// To this server.
    Smtp(SmtpOptions),
}

impl fmt::Display for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "kept in {} (nothing is sent)", path.display()),
            Self::Smtp(options) => options.fmt(f),
        }
    }
}

/// Whether an objection refuses, or is only logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Enforce(pub(crate) bool);

/// How the process ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// So long requests are still taken, while `/ready` says that it is stopping.
    pub(crate) notice: Duration,
    /// So long requests under way may then take.
    pub(crate) drain: Duration,
}

/// Where traces go.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "otlp"),
    expect(
        dead_code,
        reason = "checked in every build, so that a file is right or wrong in all of them"
    )
)]
pub(crate) struct OpenTelemetry {
    /// The collector's address for traces, OTLP over HTTP.
    pub(crate) url: Url,
    /// The share of the traces begun here that is sent, 0 to 1.
    pub(crate) sample_ratio: f64,
}

/// Where accounts, credentials, sessions and audit events live.
#[derive(Clone, Debug)]
pub(crate) enum DatabaseUrl {
    /// Forgotten when the process ends: for measurements, on localhost only.
    Memory,
    Postgres(Box<PostgresOptions>),
    Sqlite(SqliteOptions),
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory: (in this process; all is forgotten when it ends)"),
            Self::Postgres(options) => options.fmt(f),
            Self::Sqlite(options) => write!(f, "sqlite:{}", options.path.display()),
        }
    }
}

/// Where pending ceremonies live, and attempts are counted.
#[derive(Clone, Debug)]
pub(crate) enum ChallengesUrl {
    Memory,
    Redis(Box<RedisOptions>),
}

impl fmt::Display for ChallengesUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory: (in this process; a ceremony does not survive a restart)"),
            Self::Redis(options) => write!(f, "{options} (with the rate limits, for all processes)"),
        }
    }
}

impl Config {
    /// Reads file, environment and flags, and checks them.
    ///
    /// # Errors
    /// A sentence that names the value and what it must be.
    pub(crate) fn load(flags: &Flags) -> anyhow::Result<Self> {
        check::check(raw::read(flags)?)
    }

    /// What is in force, for a person.
    pub(crate) fn describe(&self) -> String {
        let relying_party = &self.settings.relying_party;
        let origins: Vec<_> = relying_party
            .origins
            .iter()
            .map(|origin| origin.as_str())
            .collect();
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn fmt::Display| {
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        line("listen", &self.listen);
        line("public URL", &self.settings.public_url);
        line("RP ID", &relying_party.id);
        line("origins", &origins.join(", "));
        line("database", &self.database);
        line("challenges", &self.challenges);
        line(
            "rate limits",
            &if self.settings.rate_limits.is_some() {
                "on"
            } else {
                "off"
            },
        );
        match &self.mail {
            None => line("mail", &"off"),
            Some(mail) => line("mail", mail),
        }
        for warning in &self.warnings {
            line("note", warning);
        }
        text
    }

    /// What to say when the server is up.
    pub(crate) fn greeting(&self, address: SocketAddr) -> String {
        let page = format!("{}{}", self.settings.public_url, self.api.base_path);
        let mails = match self.api.mail_folder {
            None => String::new(),
            Some(_) => format!("  mails        {page}dev/mails\n"),
        };
        let described = self.describe();
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "Keyhaven {version} is up on {address}.\n  page         {page}\n  API          {page}docs\n{mails}{described}"
        )
    }
}
