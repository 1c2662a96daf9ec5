//! What a sign-in costs, counted on the wire.

use std::sync::{Arc, Mutex};

use keyhaven_storage::observed::{Observed, StoreCall, StoreObserver};
use keyhaven_storage::{
    AccountStore as _, AssertionOutcome, AuditStore as _, CredentialStore as _, NewRegistration,
    RegistrationOutcome, Removal, RemovalOutcome, SessionStore as _, SigningKey, SigningKeyStore as _,
    TokenHash,
};
use keyhaven_storage_encrypted::{Encrypted, KeyRing, Walk};
use keyhaven_testkit::postgres::Database;
use keyhaven_types::CredentialId;
use zeroize::Zeroizing;

use crate::proxy::Proxy;
use crate::records::{AT, addition, anna, event, login, session};
use crate::{open, register_anna};

/// Each call is one round trip once its statement is prepared, and nothing is asked between the calls: not when a
/// connection is taken, and not when it comes back.
#[tokio::test]
async fn each_call_is_one_round_trip() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = open(&proxy.url).await;
    register_anna(&store).await;
    let id = anna().credential.id;
    let sign_in = async |n| {
        store.login_candidates("anna").await.unwrap().unwrap();
        store.credential(&id).await.unwrap().unwrap();
        let outcome = store.commit_assertion(login(n)).await.unwrap();
        assert_eq!(outcome, AssertionOutcome::Committed);
    };
    // The first time it connects, asks for types and prepares.
    sign_in(0).await;
    assert!(proxy.round_trips() > 3);

    for n in 1..=20 {
        sign_in(n).await;
        // A connection that comes back is given the time to be asked something.
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.round_trips(), 20 * 3, "a sign-in that begins with a name");

    let refused = store.commit_assertion(login(3)).await.unwrap();
    assert_eq!(refused, AssertionOutcome::RecordChanged);
    // The first of its kind prepares the statement that judges.
    proxy.round_trips();
    let refused = store.commit_assertion(login(3)).await.unwrap();
    assert_eq!(refused, AssertionOutcome::RecordChanged);
    assert_eq!(proxy.round_trips(), 2, "a refused commit");

    // The same statement as Anna's, prepared by then.
    let taken = store.commit_registration(anna()).await;
    assert!(taken.is_err() || taken.is_ok_and(|outcome| outcome == RegistrationOutcome::UsernameTaken));
    proxy.round_trips();
    for _ in 0..2 {
        proxy.round_trips();
        store.session(&TokenHash([1; 32])).await.unwrap().unwrap();
        store
            .append_event(event(1000 + u128::from(proxy.round_trips())))
            .await
            .unwrap();
        store.ping().await.unwrap();
    }
    assert_eq!(proxy.round_trips(), 2, "an event, and a ping");
}

/// Encryption asks the database nothing. Only where the passkey's name is still under an older key of the ring is the
/// commit refused once and made again, until the name was encrypted anew.
#[tokio::test]
async fn a_sign_in_costs_the_same_where_personal_data_is_encrypted() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = Arc::new(open(&proxy.url).await);
    let (old, new) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
    let ring = |keys: &[Zeroizing<[u8; 32]>]| Arc::new(KeyRing::new(&[9; 32], keys).unwrap());
    let id = anna().credential.id;
    let sign_in = async |store: &Encrypted<_>, n| {
        store.login_candidates("anna").await.unwrap().unwrap();
        store.credential(&id).await.unwrap().unwrap();
        let outcome = store.commit_assertion(login(n)).await.unwrap();
        assert_eq!(outcome, AssertionOutcome::Committed);
    };
    let before = Encrypted::new(Arc::clone(&store), ring(std::slice::from_ref(&old)));
    let registered = before.commit_registration(anna()).await.unwrap();
    assert_eq!(registered, RegistrationOutcome::Committed);
    sign_in(&before, 0).await;
    proxy.round_trips();
    sign_in(&before, 1).await;
    assert_eq!(proxy.round_trips(), 3, "under the one key");

    let ring = ring(&[new, old]);
    let after = Encrypted::new(Arc::clone(&store), Arc::clone(&ring));
    // Prepares the statement that judges.
    sign_in(&after, 2).await;
    proxy.round_trips();
    sign_in(&after, 3).await;
    assert_eq!(proxy.round_trips(), 3 + 2, "under an older key");
    let walked = Walk::new(&*store, &ring, 100).renew(|_| ()).await.unwrap();
    assert!(walked.rewritten >= 2);
    proxy.round_trips();
    sign_in(&after, 4).await;
    assert_eq!(proxy.round_trips(), 3, "encrypted anew");
}

/// Keeps what was called, and how many round trips it is said to have taken.
#[derive(Default)]
struct Calls(Mutex<Vec<(&'static str, &'static str, u32)>>);

impl StoreObserver for Calls {
    fn called(&self, call: &StoreCall) {
        let call = (call.operation, call.outcome, call.round_trips);
        self.0.lock().unwrap().push(call);
    }
}

/// One more passkey for Anna, and its session.
fn another(n: u8) -> NewRegistration {
    let mut registration = anna();
    registration.account = addition(registration.credential.account);
    registration.credential.id = CredentialId::try_from(&[100 + n; 16][..]).unwrap();
    registration.session = Some(session(100 + n));
    registration.audit = event(100 + u128::from(n)).into();
    registration
}

/// And away with it.
fn removal(n: u8) -> Removal {
    let credential = another(n).credential;
    Removal {
        account: credential.account,
        credentials: vec![credential.id],
        password_suffices: false,
        keeps_session: None,
        uses_grant: None,
        audit: event(200 + u128::from(n)).into(),
    }
}

fn signing_key(n: u8) -> SigningKey {
    SigningKey {
        id: n.to_string(),
        algorithm: "ES256".into(),
        public_jwk: "{}".into(),
        sealed_private_key: vec![n],
        created_at: AT,
        expires_at: AT,
    }
}

/// What an operator is told about round trips is what the wire has seen.
#[tokio::test]
async fn round_trips_are_counted_as_they_are() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = Arc::new(open(&proxy.url).await);
    let calls = Arc::new(Calls::default());
    let store = Observed::new(store, "postgresql", calls.clone());
    let work = async |n: u8| {
        // Of one statement, and of several in a transaction.
        store.login_candidates("anna").await.unwrap().unwrap();
        let commit = store.commit_assertion(login(n - 1)).await.unwrap();
        assert_eq!(commit, AssertionOutcome::Committed);
        let added = store.commit_registration(another(n)).await.unwrap();
        assert_eq!(added, RegistrationOutcome::Committed);
        let removed = store.remove_credentials(removal(n)).await.unwrap();
        assert_eq!(removed, RemovalOutcome::Removed);
        store.purge_expired_sessions(AT, 10).await.unwrap();
        store.signing_keys(AT).await.unwrap();
        store.add_signing_key(signing_key(n), AT).await.unwrap();
    };
    let registered = store.commit_registration(anna()).await.unwrap();
    assert_eq!(registered, RegistrationOutcome::Committed);
    // The first time statements are prepared, which is one more round trip each, and of no operation's doing.
    work(1).await;
    calls.0.lock().unwrap().clear();
    proxy.round_trips();
    work(2).await;
    let seen = proxy.round_trips();
    let calls = calls.0.lock().unwrap();
    let told: u32 = calls.iter().map(|(_, _, round_trips)| round_trips).sum();
    assert_eq!(u64::from(told), seen, "{calls:?}");
    assert!(
        calls.contains(&("account.commit_assertion", "ok", 1)),
        "{calls:?}"
    );
    assert!(calls.iter().all(|(_, outcome, _)| *outcome == "ok"), "{calls:?}");
    assert_eq!(calls.len(), 7);
}

#[tokio::test]
async fn what_failed_or_was_abandoned_is_told_as_such() {
    let database = Database::fresh();
    let proxy = Proxy::before(database.url()).await;
    let store = Arc::new(open(&proxy.url).await);
    let calls = Arc::new(Calls::default());
    let watched = Observed::new(store.clone(), "postgresql", calls.clone());
    let asked = watched.ping();
    drop(asked);
    assert!(calls.0.lock().unwrap().is_empty(), "it was never begun");
    tokio::select! {
        biased;
        _ = watched.ping() => panic!("an answer at once"),
        () = std::future::ready(()) => {}
    }
    store.close().await;
    watched.ping().await.unwrap_err();
    let calls = calls.0.lock().unwrap();
    let told: Vec<_> = calls.iter().map(|(name, outcome, _)| (*name, *outcome)).collect();
    assert_eq!(told, [("store.ping", "abandoned"), ("store.ping", "closed")]);
}
