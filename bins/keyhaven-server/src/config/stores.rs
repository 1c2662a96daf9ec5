//! Where things are kept.

use anyhow::{Context as _, bail, ensure};
use keyhaven_storage_postgres::PostgresOptions;
use keyhaven_storage_redis::RedisOptions;

use super::raw::Raw;
use super::{ChallengesUrl, DatabaseUrl};

pub(super) fn database(raw: &Raw, local: bool) -> anyhow::Result<DatabaseUrl> {
    let text = &raw.database_url;
    let Some(("postgres" | "postgresql", _)) = text.split_once(':') else {
        ensure!(
            raw.database_replica_url.is_none() && raw.database_connections.is_none(),
            "database_replica_url, database_connections: only with PostgreSQL"
        );
        if text == "memory:" {
            ensure!(
                local,
                "database_url: memory: forgets everybody when the process ends; it is for RP ID localhost"
            );
            return Ok(DatabaseUrl::Memory);
        }
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

pub(super) fn challenges(text: &str, warnings: &mut Vec<String>) -> anyhow::Result<ChallengesUrl> {
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
