//! Many accounts at once, by COPY.

use std::fmt::Write as _;
use std::pin::pin;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::SinkExt as _;
use keyhaven_storage_encrypted::{Column, KeyRing, Place};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::people::{Person, derived};
use crate::signer::Signer;

/// Rows sent at once.
const BATCH: u64 = 2000;

/// When everybody was born and last changed: in 2026.
pub(crate) const BORN: i64 = 1_780_000_000_000;

/// Connects; the connection ends with the runtime or the client.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

/// The name of a database that `people` live in, made where it is not there.
pub(crate) async fn database(administrator: &Client, people: u64) -> anyhow::Result<String> {
    let name = format!("people_{people}");
    let there = administrator
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await?;
    if there.is_none() {
        administrator
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
    }
    Ok(name)
}

/// Puts so many people, each with one passkey, into an empty database whose schema is up to date; with a ring as a server
/// stores them, else in the clear.
pub(crate) async fn seed(
    url: &str,
    people: u64,
    signer: &Signer,
    ring: Option<&KeyRing>,
) -> anyhow::Result<()> {
    let stored = |column, row: &[u8], text: &str| match ring {
        None => Ok(text.to_owned()),
        Some(ring) => ring.encrypt(Place { column, row }, text),
    };
    let client = connect(url).await?;
    // What triggers and foreign keys would look up row by row is right by construction.
    client
        .batch_execute("SET session_replication_role = replica; SET synchronous_commit = off")
        .await?;
    copy(
        &client,
        "COPY accounts (id, user_handle, username, display_name, email_verified, has_passkey, active, created_at, \
         updated_at) FROM STDIN",
        people,
        |person, out| {
            let id = account(person.number);
            writeln!(
                out,
                "{id}\t\\\\x{}\t{}\t{}\tf\tt\tt\t{BORN}\t{BORN}",
                hex(&person.handle),
                stored(Column::Username, id.as_bytes(), &person.name)?,
                stored(Column::DisplayName, id.as_bytes(), &person.name)?,
            )?;
            Ok(())
        },
    )
    .await?;
    copy(
        &client,
        "COPY credentials (credential_id, account_id, rp_id, public_key, algorithm, sign_count, aaguid, transports, \
         backup_eligible, backup_state, uv_initialized, attestation_format, attestation_type, attestation_trusted, \
         device_name, user_agent, created_at, active) FROM STDIN",
        people,
        |person, out| {
            writeln!(
                out,
                "\\\\x{}\t{}\tlocalhost\t\\\\x{}\t-7\t0\t00000000-0000-0000-0000-000000000000\t[\"internal\",\"hybrid\"]\tt\tt\tt\t\
                 none\tnone\tf\t{}\t{}\t{BORN}\tt",
                hex(&person.credential),
                account(person.number),
                hex(signer.public_key(person.number)),
                stored(Column::DeviceName, &person.credential, "Passkey")?,
                stored(
                    Column::RegisteredBy,
                    &person.credential,
                    "Mozilla/5.0 (X11; Linux x86_64) load"
                )?,
            )?;
            Ok(())
        },
    )
    .await?;
    for statement in ["VACUUM (ANALYZE) accounts, credentials", "CHECKPOINT"] {
        client.batch_execute(statement).await?;
    }
    Ok(())
}

async fn copy(
    client: &Client,
    statement: &str,
    people: u64,
    row: impl Fn(&Person, &mut String) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut sink = pin!(client.copy_in::<_, Bytes>(statement).await?);
    let mut next = 0;
    while next < people {
        let end = people.min(next.saturating_add(BATCH));
        let mut text = String::new();
        for number in next..end {
            row(&Person::new(number), &mut text)?;
        }
        sink.send(Bytes::from(text)).await?;
        next = end;
    }
    let copied = sink.finish().await.context("COPY")?;
    anyhow::ensure!(copied == people, "{copied} rows of {people}");
    Ok(())
}

/// The account id of a person.
pub(crate) fn account(number: u64) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(derived("account", number).get(..16).unwrap_or(&[0; 16]));
    Uuid::from_bytes(bytes)
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
