//! What the clients were told against what is stored.

use std::collections::BTreeSet;
use std::fmt;

use keyhaven_storage::{AuditEvent, AuditOutcome, DurableStore};
use keyhaven_types::UnixTime;

use crate::load::{Account, Record, Told};

/// More events than any account of a scenario has.
const ALL: u32 = 100_000;

/// Whatever was answered with success is stored whole, with its event; whatever was refused is not; and what got no answer
/// is either, never half.
pub(crate) async fn check(record: &Record, store: &dyn DurableStore) -> Stored {
    let mut stored = Stored::default();
    for account in &record.accounts {
        check_account(account, store, &mut stored).await;
    }
    assert!(
        stored.sessions > 20,
        "too little was stored to prove anything: {stored}"
    );
    stored
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    accounts: usize,
    sessions: usize,
    /// Registrations and sign-ins that took place without their client hearing of it.
    unheard: usize,
    refusals: u64,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accounts, {} sessions, {} recorded refusals, {} that nobody was told of",
            self.accounts, self.sessions, self.refusals, self.unheard
        )
    }
}

async fn check_account(told: &Account, store: &dyn DurableStore, found: &mut Stored) {
    let name = &told.username;
    let Some(account) = store.account_named(name).await.unwrap() else {
        assert!(
            !matches!(told.registration, Told::Done(_)),
            "{name}: its registration was answered with success, and it is not there"
        );
        assert!(
            !store.username_exists(name).await.unwrap(),
            "{name} is there by half"
        );
        return;
    };
    assert_ne!(
        told.registration,
        Told::Refused,
        "{name}: its registration was refused, and it is there"
    );
    let candidates = store.login_candidates(name).await.unwrap().unwrap();
    assert_eq!(candidates.len(), 1, "{name}: passkeys to sign in with");
    let credentials = store.credentials_of(account.id).await.unwrap();
    let [credential] = &credentials[..] else {
        panic!("{name}: {} passkeys", credentials.len());
    };
    let sessions = store
        .sessions_of(account.id, UnixTime::from_millis(0))
        .await
        .unwrap();
    let sessions: BTreeSet<String> = sessions.iter().map(|session| session.id.to_string()).collect();
    let events = store.events_of(account.id, None, ALL).await.unwrap();

    // Every session has its event and every event its session: nothing is there by half.
    let opened = |action: &str| -> Vec<String> {
        let successes = events
            .iter()
            .filter(|event| event.action == action && event.outcome == AuditOutcome::Success);
        successes
            .map(|event| event.session.unwrap().to_string())
            .collect()
    };
    let (registrations, logins) = (opened("registration.finish"), opened("login.finish"));
    assert_eq!(registrations.len(), 1, "{name}: registrations recorded");
    let recorded: BTreeSet<String> = registrations.iter().chain(&logins).cloned().collect();
    assert_eq!(
        recorded.len(),
        1 + logins.len(),
        "{name}: a session is recorded twice"
    );
    assert_eq!(
        recorded, sessions,
        "{name}: sessions recorded and sessions stored"
    );

    // What was answered with success is there.
    if let Told::Done(session) = &told.registration {
        assert_eq!(
            &registrations[0], session,
            "{name}: the session of its registration"
        );
    }
    let mut unanswered = 0;
    for (signed, login) in &told.logins {
        match login {
            Told::Done(session) => {
                assert!(
                    logins.contains(session),
                    "{name}: sign-in {signed} was answered with success, and is not there"
                );
            }
            Told::Refused => {}
            Told::Unknown => unanswered += 1,
        }
    }
    // And nothing else is: each sign-in counts once, and those that were refused do not.
    let answered = told
        .logins
        .iter()
        .filter(|login| matches!(login.1, Told::Done(_)))
        .count();
    assert!(
        (answered..=answered + unanswered).contains(&logins.len()),
        "{name}: {} sign-ins are stored; {answered} were answered with success and {unanswered} not at all",
        logins.len()
    );
    check_sign_count(told, credential.sign_count.0, logins.len() - answered);
    found.accounts += 1;
    found.sessions += sessions.len();
    found.unheard += logins.len() - answered + usize::from(told.registration == Told::Unknown);
    found.refusals += check_refusals(told, &events);
}

/// The count is that of the last sign-in which took place. `unanswered`: so many took place without their client hearing
/// of it.
fn check_sign_count(told: &Account, stored: u32, unanswered: usize) {
    let name = &told.username;
    let counts = |wanted: fn(&Told) -> bool| {
        told.logins
            .iter()
            .filter(move |login| wanted(&login.1))
            .map(|login| login.0)
    };
    let answered = counts(|told| matches!(told, Told::Done(_))).max().unwrap_or(1);
    assert!(
        stored >= answered,
        "{name}: the sign count {stored} is behind {answered}"
    );
    if stored != answered {
        assert!(
            unanswered > 0 && counts(|told| *told == Told::Unknown).any(|count| count == stored),
            "{name}: nobody signed in with the sign count {stored}"
        );
    }
}

/// Every refusal that was answered is recorded: nothing happens unrecorded.
fn check_refusals(told: &Account, events: &[AuditEvent]) -> u64 {
    let (answered, unanswered) = told.spoiled;
    let recorded = events
        .iter()
        .filter(|event| event.action == "login.finish" && event.code.as_deref() == Some("signature_invalid"))
        .count();
    let recorded = u64::try_from(recorded).unwrap();
    assert!(
        (answered..=answered + unanswered).contains(&recorded),
        "{}: {recorded} refusals are recorded, {answered} were answered and {unanswered} not",
        told.username
    );
    recorded
}
