use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Where the database is, and how it is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub(crate) primary: PgConnectOptions,
    pub(crate) replica: Option<PgConnectOptions>,
    /// How many connections to the primary, and as many to the replica, are open at most, at least 1. They are opened
    /// when needed.
    pub connections: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// How long the server works on a statement, and waits for a lock. An operation as a whole takes at most twice as
    /// long, connection included.
    pub statement_timeout: Duration,
}

/// The text is no URL of a PostgreSQL database.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a PostgreSQL URL is postgres://USER:PASSWORD@HOST:PORT/DATABASE, with ?sslmode= and ?sslrootcert= where needed: \
     {reason}"
)]
pub struct InvalidPostgresUrl {
    /// What is wrong with it; never the URL, which may hold a password.
    pub reason: String,
}

impl PostgresOptions {
    /// Sends reads that may be a moment old (lists of sessions and events) to this replica. Where it is away, the
    /// primary answers them.
    ///
    /// # Errors
    /// When the text is no URL.
    pub fn with_replica(mut self, url: &str) -> Result<Self, InvalidPostgresUrl> {
        self.replica = Some(connect_options(url)?.options([("default_transaction_read_only", "on")]));
        Ok(self)
    }
}

/// Reads `postgres://…` or `postgresql://…`, as libpq does: what it does not say is taken from `PGHOST` and its
/// siblings. Where it leaves `sslmode` out, a server on another machine must prove who it is (`verify-full`); to ask
/// for less, it has to be said.
impl FromStr for PostgresOptions {
    type Err = InvalidPostgresUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self {
            primary: connect_options(text)?,
            replica: None,
            connections: 16,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
        })
    }
}

/// Host, port and database; no user, no password.
impl fmt::Display for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        match self.primary.get_socket() {
            Some(directory) => write!(f, "{}", directory.display())?,
            None => write!(f, "{}:{}", self.primary.get_host(), self.primary.get_port())?,
        }
        write!(f, "/{}", self.primary.get_database().unwrap_or_default())
    }
}

fn connect_options(text: &str) -> Result<PgConnectOptions, InvalidPostgresUrl> {
    let refused = |reason: &str| InvalidPostgresUrl {
        reason: reason.to_owned(),
    };
    let (scheme, rest) = text.split_once(':').ok_or_else(|| refused("it has no scheme"))?;
    if !matches!(scheme, "postgres" | "postgresql") || !rest.starts_with("//") {
        return Err(refused("it begins with postgres://"));
    }
    let options: PgConnectOptions = text.parse().map_err(|error| refused(&format!("{error}")))?;
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let says_tls = query
        .split('&')
        .any(|parameter| parameter.starts_with("sslmode=") || parameter.starts_with("ssl-mode="));
    let host = options.get_host();
    let near = options.get_socket().is_some()
        || host.starts_with('/')
        || matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]");
    Ok(if near || says_tls {
        options
    } else {
        options.ssl_mode(PgSslMode::VerifyFull)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> PostgresOptions {
        url.parse().unwrap()
    }

    #[test]
    fn a_url_names_a_database_and_its_secrets_stay_inside() {
        for (url, shown) in [
            (
                "postgres://u:secret@localhost:6000/kh",
                "postgres://localhost:6000/kh",
            ),
            (
                "postgresql://u@db.example.org/kh",
                "postgres://db.example.org:5432/kh",
            ),
            ("postgres://u:secret@%2Frun%2Fpg/kh", "postgres:///run/pg/kh"),
        ] {
            assert_eq!(options(url).to_string(), shown);
        }
        for url in [
            "",
            "postgres:",
            "postgres:x",
            "sqlite:x",
            "postgres//x",
            "mysql://u:secret@h/x",
        ] {
            let refused = url.parse::<PostgresOptions>().unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
        assert!("postgres://u:secret@h:x/y".parse::<PostgresOptions>().is_err());
        assert!(
            "postgres://u:p@h/y?sslmode=perhaps"
                .parse::<PostgresOptions>()
                .is_err()
        );
    }

    #[test]
    fn a_server_elsewhere_proves_who_it_is_unless_told_otherwise() {
        let mode = |url: &str| format!("{:?}", options(url).primary.get_ssl_mode());
        assert_eq!(mode("postgres://u@db.example.org/kh"), "VerifyFull");
        assert_eq!(mode("postgres://u@192.0.2.1/kh?application_name=x"), "VerifyFull");
        assert_eq!(mode("postgres://u@db.example.org/kh?sslmode=require"), "Require");
        for near in ["localhost", "127.0.0.1", "[::1]", "%2Frun%2Fpg"] {
            assert_eq!(mode(&format!("postgres://u@{near}/kh")), "Prefer");
        }
        let replica =
            options("postgres://u@localhost/kh").with_replica("postgres://u@replica.example.org/kh");
        let replica = replica.unwrap().replica.unwrap();
        assert_eq!(format!("{:?}", replica.get_ssl_mode()), "VerifyFull");
    }
}
