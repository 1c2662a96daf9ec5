//! Which schema is there, and whether this version may work with it.
//!
//! Processes of two releases run beside each other while one replaces the other, so a newer schema alone is no reason to
//! stop: each step says, in `schema_compatibility`, the oldest version that may still run once it is applied. What an old
//! version still reads or writes goes no sooner than one release after the one that has stopped doing so.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::error::Failure;

/// The steps, one per file; a released step never changes.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Applies the steps that are missing, under sqlx's advisory lock: of several processes one does it, the others wait.
pub(crate) async fn migrate(connection: &mut PgConnection) -> Result<(), Failure> {
    match fits(connection).await {
        Err(Failure::OlderSchema { .. }) => {}
        fits => return fits,
    }
    let mut steps = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    // Of a newer version, which `fits` has found compatible: another process may have applied them since.
    steps.set_ignore_missing(true);
    steps
        .run_direct(None, connection, false)
        .await
        .map_err(Failure::Migration)?;
    fits(connection).await
}

/// Whether this version may work with the schema as it stands.
pub(crate) async fn fits(connection: &mut PgConnection) -> Result<(), Failure> {
    let known = newest();
    // One moment, so that a step that is just being applied is there with all that belongs to it, or not at all.
    let mut moment = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await?;
    let begun: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
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
        let told: bool = sqlx::query_scalar("SELECT to_regclass('schema_compatibility') IS NOT NULL")
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
    moment.rollback().await?;
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
