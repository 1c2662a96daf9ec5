//! Somebody who has the whole database: reads and writes what they like, past every trigger.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "tests")]

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _};

/// A database, by its URL: `sqlite:` and a path, or `postgres:` as its administrator.
#[derive(Clone, Debug)]
pub struct Intruder {
    url: String,
}

impl Intruder {
    /// Into this database.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Runs these statements with no trigger in their way.
    pub fn execute(&self, statements: &[impl AsRef<str>]) {
        self.run(statements, true);
    }

    /// Runs these statements; triggers are what they are.
    pub fn execute_with_triggers(&self, statements: &[impl AsRef<str>]) {
        self.run(statements, false);
    }

    fn run(&self, statements: &[impl AsRef<str>], past_triggers: bool) {
        let statements: Vec<String> = statements.iter().map(|sql| sql.as_ref().to_owned()).collect();
        self.block_on(async {
            if let Some(path) = self.url.strip_prefix("sqlite:") {
                let mut connection = sqlite(path).connect().await.expect("the file");
                if past_triggers {
                    let triggers = connection
                        .fetch_all("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                        .await
                        .expect("the schema");
                    for trigger in triggers {
                        let name: String = trigger.get(0);
                        let drop = AssertSqlSafe(format!("DROP TRIGGER {name}"));
                        connection.execute(drop).await.expect("a trigger");
                    }
                }
                for sql in statements {
                    let done = connection.execute(AssertSqlSafe(sql.clone())).await;
                    done.expect(&sql);
                }
                connection.close().await.expect("the file");
            } else {
                let mut connection = PgConnection::connect(&self.url).await.expect("the server");
                if past_triggers {
                    connection
                        .execute("SET session_replication_role = replica")
                        .await
                        .expect("an administrator");
                }
                for sql in statements {
                    let done = connection.execute(AssertSqlSafe(sql.clone())).await;
                    done.expect(&sql);
                }
                connection.close().await.expect("the server");
            }
        });
    }

    /// Applies the schema's steps up to this one, as a version of then would have; SQLite's file is made.
    pub fn migrate(&self, steps: &std::path::Path, last: i64) {
        self.block_on(async {
            let steps = sqlx::migrate::Migrator::new(steps).await.expect("the steps");
            let done = if let Some(path) = self.url.strip_prefix("sqlite:") {
                let options = sqlite(path);
                let mut connection = options.create_if_missing(true).connect().await.expect("the file");
                let done = steps.run_direct(Some(last), &mut connection, false).await;
                connection.close().await.expect("the file");
                done
            } else {
                let mut connection = PgConnection::connect(&self.url).await.expect("the server");
                let done = steps.run_direct(Some(last), &mut connection, false).await;
                connection.close().await.expect("the server");
                done
            };
            done.expect("the schema");
        });
    }

    /// The first column of what a query answers, as text.
    #[must_use]
    pub fn texts(&self, query: &str) -> Vec<String> {
        self.block_on(async {
            if let Some(path) = self.url.strip_prefix("sqlite:") {
                let mut connection = sqlite(path).connect().await.expect("the file");
                let rows = connection.fetch_all(AssertSqlSafe(query.to_owned())).await;
                connection.close().await.expect("its end");
                rows.expect(query).iter().map(|row| row.get(0)).collect()
            } else {
                let mut connection = PgConnection::connect(&self.url).await.expect("the server");
                let rows = connection.fetch_all(AssertSqlSafe(query.to_owned())).await;
                connection.close().await.expect("its end");
                rows.expect(query).iter().map(|row| row.get(0)).collect()
            }
        })
    }

    /// Bytes as this database writes them.
    #[must_use]
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.is_sqlite() {
            format!("X'{hex}'")
        } else {
            format!("'\\x{hex}'::bytea")
        }
    }

    /// An id that an SQL expression (or a column) has, as text.
    #[must_use]
    pub fn id_text(&self, column: &str) -> String {
        if self.is_sqlite() {
            format!("lower(hex({column}))")
        } else {
            format!("replace({column}::text, '-', '')")
        }
    }

    /// Whether this is an SQLite file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(work)
    }
}

/// A server may be at work on the file: it is waited for as long as a busy machine needs.
fn sqlite(path: &str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(60))
}
