//! The statements of a login, word for word as `keyhaven-storage-postgres` has them, through a bare client.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::parts::CONNECTIONS;
use crate::people::{Person, derived};
use crate::seed::{self, BORN};

/// Which of the adapter's statements.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Query {
    /// A name's passkeys.
    Candidates,
    /// A passkey and its account.
    Credential,
    /// The whole of a plain login.
    Login,
}

impl Query {
    /// Words that no other statement of the adapter has, and how many parameters it takes.
    const fn signature(self) -> (&'static str, usize) {
        match self {
            Self::Candidates => ("LEFT JOIN credentials c ON c.account_id = coalesce(a.id", 1),
            Self::Credential => ("FROM credentials c JOIN accounts a ON a.id = c.account_id", 1),
            Self::Login => ("SELECT true AS \"committed!\" FROM used", 39),
        }
    }

    /// Its text, from the metadata that is committed beside the adapter.
    pub(crate) fn text(self) -> anyhow::Result<String> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../keyhaven-storage-postgres/.sqlx");
        let (words, parameters) = self.signature();
        for file in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let metadata: serde_json::Value = serde_json::from_slice(&std::fs::read(file?.path())?)?;
            let text = metadata["query"].as_str().unwrap_or_default();
            if text.contains(words) {
                let found = metadata["describe"]["parameters"]["Left"]
                    .as_array()
                    .map(Vec::len);
                ensure!(found == Some(parameters), "{self:?} takes other parameters now");
                return Ok(text.to_owned());
            }
        }
        anyhow::bail!("{self:?} is not among the adapter's statements")
    }
}

/// As the adapter connects.
const SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET statement_timeout = 5000; \
    SET lock_timeout = 5000; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off";

/// Bare connections, each with its statements prepared.
pub(crate) struct Logins {
    connections: Vec<tokio::sync::Mutex<Connection>>,
    people: u64,
    by_name: bool,
}

/// One of them.
pub(crate) struct Connection {
    client: Client,
    candidates: Statement,
    credential: Statement,
    login: Statement,
}

impl Logins {
    pub(crate) async fn connect(url: &str, people: u64, by_name: bool) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(tokio::sync::Mutex::new(Connection::open(url).await?));
        }
        Ok(Self {
            connections,
            people,
            by_name,
        })
    }

    /// One login.
    pub(crate) async fn one(&self, n: u64) -> anyhow::Result<()> {
        let person = Person::new(
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .checked_rem(self.people)
                .unwrap_or(0),
        );
        let index = usize::try_from(n).unwrap_or(0) % self.connections.len().max(1);
        let connection = self.connections.get(index).context("a connection")?;
        if self.by_name {
            // A connection is taken for each statement, as from a pool.
            connection.lock().await.candidates(&person).await?;
        }
        connection.lock().await.login(&person).await
    }
}

impl Connection {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let client = seed::connect(url).await?;
        client.batch_execute(SESSION).await?;
        Ok(Self {
            candidates: client.prepare(&Query::Candidates.text()?).await?,
            credential: client.prepare(&Query::Credential.text()?).await?,
            login: client.prepare(&Query::Login.text()?).await?,
            client,
        })
    }

    pub(crate) async fn candidates(&self, person: &Person) -> anyhow::Result<()> {
        let rows = self.client.query(&self.candidates, &[&person.name]).await?;
        ensure!(rows.len() == 1, "{} has one passkey", person.name);
        Ok(())
    }

    pub(crate) async fn credential(&self, person: &Person) -> anyhow::Result<()> {
        self.client
            .query_one(&self.credential, &[&&person.credential[..]])
            .await?;
        Ok(())
    }

    pub(crate) async fn login(&self, person: &Person) -> anyhow::Result<()> {
        let secret = |what: &str| derived(what, random());
        let (family, token, mac) = (secret("family"), secret("token"), secret("mac"));
        let credential = &person.credential[..];
        let account = seed::account(person.number);
        let session = Uuid::from_u128(u128::from(random()) << 64 | u128::from(random()));
        let now = BORN + i64::from(u32::try_from(random() % 1_000_000_000).unwrap_or(0));
        let event = Uuid::from_u128(u128::from(now.unsigned_abs()) << 80 | u128::from(random()));
        let (none_bytes, none_number, none_text) = (None::<&[u8]>, None::<i64>, None::<&str>);
        let agent = "Mozilla/5.0 (X11; Linux x86_64) load";
        let parameters: [&(dyn ToSql + Sync); 39] = [
            &credential,
            &account,
            &BORN,
            &0_i64,
            &true,
            &true,
            &now,
            &0_i64,
            &true,
            &"Passkey",
            &session,
            &&family[..],
            &&token[..],
            &none_bytes,
            &none_number,
            &now,
            &now,
            &now,
            &now,
            &2_i16,
            &r#"["swk","user","mfa"]"#,
            &credential,
            &agent,
            &"127.0.0.1",
            &event,
            &now,
            &"login.finish",
            &"success",
            &none_text,
            &none_text,
            &account,
            &credential,
            &session,
            // Address, user agent and request id are in what is encrypted.
            &none_text,
            &none_text,
            &none_text,
            &&mac[..],
            &&[0x5a_u8; 140][..],
            &none_text,
        ];
        let committed = self.client.query(&self.login, &parameters).await?;
        ensure!(committed.len() == 1, "{} was not signed in", person.name);
        Ok(())
    }
}

/// No two alike.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapters_statements_are_found_and_take_what_is_given_here() {
        for query in [Query::Candidates, Query::Credential, Query::Login] {
            query.text().unwrap();
        }
    }
}
