//! What a sign-in costs, counted on the wire.

use keyhaven_storage::{
    AccountStore as _, AssertionOutcome, AuditStore as _, CredentialStore as _, RegistrationOutcome,
    SessionStore as _, TokenHash,
};
use keyhaven_testkit::postgres::Database;

use crate::proxy::Proxy;
use crate::records::{anna, event, login};
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
