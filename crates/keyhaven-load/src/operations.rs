//! Operations of the store beside the same statement through a bare client, one at a time.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use keyhaven_storage::{
    AccountId, AccountStore as _, AssertionCommit, AssertionOutcome, AuditEvent, AuditOutcome,
    CredentialStore as _, EventId, Remembered, Session, SessionId, TokenHash,
};
use keyhaven_storage_postgres::{PostgresOptions, PostgresStore};
use keyhaven_types::{CredentialId, SignCount, UnixTime};
use uuid::Uuid;

use crate::bench::beside;
use crate::people::{Person, derived};
use crate::seed::{self, BORN};
use crate::signer::Signer;
use crate::site::{Backing, Stores};
use crate::statements::{Connection, random};

/// People in the database.
const PEOPLE: u64 = 5_000;

/// Each operation so often.
const TIMES: u64 = 2_000;

/// A table: the operation, how it compares, and what both took.
pub(crate) async fn measure(signer: &Signer) -> anyhow::Result<String> {
    let backing = Backing::start(Stores::Postgres)?;
    let url = backing.postgres_url("postgres").context("PostgreSQL")?;
    let mut options: PostgresOptions = url.parse()?;
    options.connections = 1;
    let store = PostgresStore::open(&options).await?;
    seed::seed(&url, PEOPLE, signer, None).await?;
    let bare = Connection::open(&url).await?;
    let person = |n: u64| Person::new(n.wrapping_mul(7919) % PEOPLE);

    let mut out = String::from(
        "| store operation, PostgreSQL, one at a time | ÷ bare client | median µs | bare client's |\n|---|---|---|---|\n",
    );
    let mut row = |name: &str, (ratio, ours, bare): (f64, f64, f64)| {
        let _ = writeln!(out, "| {name} | {ratio:.3} | {ours:.0} | {bare:.0} |");
    };
    let candidates = beside(
        TIMES,
        async |n| {
            let found = store.login_candidates(&person(n).name).await?;
            ensure!(found.is_some_and(|found| found.len() == 1), "one passkey");
            Ok(())
        },
        async |n| bare.candidates(&person(n)).await,
    );
    row("a name's passkeys", candidates.await?);
    let credential = beside(
        TIMES,
        async |n| {
            let id = CredentialId::try_from(&person(n).credential[..])?;
            ensure!(store.credential(&id).await?.is_some(), "a passkey");
            Ok(())
        },
        async |n| bare.credential(&person(n)).await,
    );
    row("a passkey and its account", credential.await?);
    let login = beside(
        TIMES,
        async |n| {
            let outcome = store.commit_assertion(login(&person(n))?).await?;
            ensure!(outcome == AssertionOutcome::Committed, "{outcome:?}");
            Ok(())
        },
        // Somebody else, so that neither finds a page that the other has just brought.
        async |n| bare.login(&person(n.wrapping_add(PEOPLE / 2))).await,
    );
    row("the commit of a login", login.await?);
    store.close().await;
    Ok(out)
}

fn login(person: &Person) -> anyhow::Result<AssertionCommit> {
    let account = AccountId(seed::account(person.number));
    let credential = CredentialId::try_from(&person.credential[..])?;
    let now = UnixTime::from_millis(BORN + i64::from(u32::try_from(random() % 1_000_000_000)?));
    let secret = |what: &str| TokenHash(derived(what, random()));
    let agent = Some("Mozilla/5.0 (X11; Linux x86_64) load".to_owned());
    let session = Session {
        id: SessionId(Uuid::from_u128(u128::from(random()) << 64 | u128::from(random()))),
        account,
        token_family: secret("family"),
        token_hash: secret("token"),
        previous_token: None,
        earlier_tokens: Vec::new(),
        created_at: now,
        last_seen_at: now,
        expires_at: now,
        authenticated_at: now,
        aal: 2,
        amr: vec!["swk".into(), "user".into(), "mfa".into()],
        credential: Some(credential.clone()),
        user_agent: agent.clone(),
        ip: Some("127.0.0.1".into()),
    };
    let event = u128::from(now.as_millis().unsigned_abs()) << 80 | u128::from(random());
    Ok(AssertionCommit {
        account,
        expected_sign_count: SignCount(0),
        expected: Remembered {
            account_updated_at: UnixTime::from_millis(BORN),
            backup_eligible: true,
            device_name: "Passkey".into(),
        },
        new_sign_count: SignCount(0),
        backup_eligible: true,
        backup_state: true,
        used_at: now,
        factors: None,
        grant: None,
        rotation: None,
        ends_session: None,
        audit: AuditEvent {
            id: EventId(Uuid::from_u128(event)),
            at: now,
            action: "login.finish".into(),
            outcome: AuditOutcome::Success,
            code: None,
            step: None,
            account: Some(account),
            credential: Some(credential.clone()),
            session: Some(session.id),
            ip: Some("127.0.0.1".into()),
            user_agent: agent,
            request_id: Some("0123456789abcdefghijkl".into()),
            personal: None,
            actor: None,
            mac: derived("mac", random()),
        }
        .into(),
        session: Some(session),
        credential,
    })
}
