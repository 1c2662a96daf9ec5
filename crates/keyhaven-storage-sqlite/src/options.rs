use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where the file is, and how it is used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SqliteOptions {
    /// The file. Made when missing; its directory must exist.
    pub path: PathBuf,
    /// How many connections read at once, at least 1. Connections are opened when needed.
    pub readers: u32,
    /// How long an operation waits for others before it gives up.
    pub busy_timeout: Duration,
}

impl SqliteOptions {
    /// This file, with the defaults: 4 readers, 5 seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// The text is no `sqlite:` URL of a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a SQLite URL is sqlite: and the path of a file, such as sqlite:keyhaven.db or sqlite:///var/lib/keyhaven.db, not {text:?}"
)]
pub struct InvalidSqliteUrl {
    /// What was received.
    pub text: String,
}

/// Reads `sqlite:path` or `sqlite://path`; the path is taken as it stands, and parameters are refused.
impl FromStr for SqliteOptions {
    type Err = InvalidSqliteUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text
            .strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']) => {
                Ok(Self::new(path))
            }
            Some(_) | None => Err(InvalidSqliteUrl {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        for (url, path) in [
            ("sqlite:keyhaven.db", "keyhaven.db"),
            ("sqlite://keyhaven.db", "keyhaven.db"),
            ("sqlite:///var/lib/keyhaven.db", "/var/lib/keyhaven.db"),
            ("sqlite:/var/lib/key haven.db", "/var/lib/key haven.db"),
        ] {
            assert_eq!(url.parse(), Ok(SqliteOptions::new(path)), "{url}");
        }
        for url in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:a.db?mode=ro",
            "postgres://x/y",
            "a.db",
        ] {
            assert!(url.parse::<SqliteOptions>().is_err(), "{url}");
        }
    }
}
