//! Which schema is there, and whether this version may work with it.
//!
//! Processes of two releases run beside each other while one replaces the other, so a newer schema alone is no reason to
//! stop: each step says, in `schema_compatibility`, the oldest version that may still run once it is applied. What an old
//! version still reads or writes goes no sooner than one release after the one that has stopped doing so.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Row as _, SqliteConnection};

use crate::SqliteStore;
use crate::error::Failure;
use crate::store::patiently;

/// The steps, one per file; a released step never changes.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Applies the steps that are missing, in one transaction, so that of several processes one does it.
pub(crate) async fn migrate(store: &SqliteStore) -> Result<(), Failure> {
    match look(store).await {
        Err(Failure::OlderSchema { .. }) => {}
        fits => return fits,
    }
    // Which another process that migrates may have.
    let mut transaction = patiently(|| store.write()).await?;
    match fits(&mut transaction).await {
        Err(Failure::OlderSchema { .. }) => {}
        // Another process was faster.
        fits => return fits,
    }
    let mut steps = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    // Of a newer version, which `fits` has found compatible.
    steps.set_ignore_missing(true);
    steps
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(Failure::Migration)?;
    fits(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

/// Whether this version may work with the schema as it stands, looked at in one moment.
pub(crate) async fn look(store: &SqliteStore) -> Result<(), Failure> {
    fits(&mut *store.writer.begin().await?).await
}

/// The connection is in a transaction.
async fn fits(moment: &mut SqliteConnection) -> Result<(), Failure> {
    let known = newest();
    let begun: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')")
            .fetch_one(&mut *moment)
            .await?;
    if !begun {
        return Err(Failure::OlderSchema {
            found: 0,
            needed: known,
        });
    }
    let applied = sqlx::query("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut *moment)
        .await?;
    let mut versions = Vec::new();
    for row in &applied {
        let (version, checksum, success): (i64, Vec<u8>, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if !success {
            return Err(Failure::Migration(MigrateError::Dirty(version)));
        }
        match MIGRATIONS.iter().find(|step| step.version == version) {
            Some(step) if *step.checksum != *checksum => {
                return Err(Failure::Migration(MigrateError::VersionMismatch(version)));
            }
            None if version <= known => {
                return Err(Failure::Migration(MigrateError::VersionMissing(version)));
            }
            Some(_) | None => versions.push(version),
        }
    }
    let found = versions.last().copied().unwrap_or(0);
    if found > known {
        let told: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_compatibility')",
        )
        .fetch_one(&mut *moment)
        .await?;
        let oldest: i64 = if told {
            sqlx::query_scalar("SELECT oldest FROM schema_compatibility")
                .fetch_one(&mut *moment)
                .await?
        } else {
            found
        };
        if oldest > known {
            return Err(Failure::NewerSchema { found, oldest, known });
        }
    }
    if MIGRATIONS.iter().all(|step| versions.contains(&step.version)) {
        Ok(())
    } else {
        Err(Failure::OlderSchema { found, needed: known })
    }
}

/// The newest step that this version knows.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}
