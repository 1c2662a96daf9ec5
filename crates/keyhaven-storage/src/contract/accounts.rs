use keyhaven_types::{
    Aaguid, AuthenticatorTransport, CoseAlgorithm, CredentialId, RpId, SignCount, UnixTime, UserHandle,
};

use super::DurableSubject;
use super::samples::{
    PURPOSE, account, another, at, credential, credential_id, event, family, newcomer, register,
    register_signed_in, session, signing_key, snapshot, step_up, token,
};
use crate::{
    Account, AssertionOutcome, Credential, CredentialHandle, NewRegistration, OwnedCredential,
    RegistrationAccount, Rotation, Session, SessionId, SignInSession,
};

/// Locked, an account is still found by its id and its name: whether it may sign in is decided at the commit.
pub async fn a_locked_account_is_found(subject: impl DurableSubject) {
    let store = subject.store();
    let locked = Account {
        active: false,
        ..account(1)
    };
    register(
        &*store,
        NewRegistration {
            account: RegistrationAccount::New(locked.clone()),
            ..newcomer(1)
        },
    )
    .await;
    assert_eq!(store.account(locked.id).await.unwrap().as_ref(), Some(&locked));
    assert_eq!(store.account_named("user-1").await.unwrap(), Some(locked));
    assert_eq!(store.login_candidates("user-1").await.unwrap().unwrap().len(), 1);
    assert!(store.username_exists("user-1").await.unwrap());
}

/// A store that works says so.
pub async fn a_store_answers_a_ping(subject: impl DurableSubject) {
    subject.store().ping().await.unwrap();
}

/// All that a registration wrote is found in every way there is.
pub async fn an_account_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.some_rp_id().await.unwrap(), None);
    let (id, session_id) = register_signed_in(&*store, 1).await;
    register_signed_in(&*store, 2).await;
    let stored = store.some_rp_id().await.unwrap();
    assert_eq!(stored, Some(credential(id, 1).rp_id));
    let (account, credential) = (account(1), credential(id, 1));
    let session = Session {
        credential: Some(credential.id.clone()),
        ..session(id, 1)
    };

    assert_eq!(store.account(id).await.unwrap(), Some(account.clone()));
    assert!(store.username_exists("user-1").await.unwrap());
    let named = store.account_named("user-1").await.unwrap();
    assert_eq!(named.as_ref(), Some(&account));
    let candidates = store.login_candidates("user-1").await.unwrap().unwrap();
    let handle = CredentialHandle {
        id: credential.id.clone(),
        transports: credential.transports.clone(),
    };
    assert_eq!(candidates, [handle]);
    let owned = OwnedCredential {
        credential: credential.clone(),
        account: account.clone(),
    };
    assert_eq!(store.credential(&credential.id).await.unwrap(), Some(owned));
    assert_eq!(store.credentials_of(id).await.unwrap(), [credential]);
    assert_eq!(session.id, session_id);
    let signed_in = SignInSession {
        session: session.clone(),
        account,
    };
    assert_eq!(store.session(&family(1)).await.unwrap(), Some(signed_in));
    assert_eq!(store.sessions_of(id, at(0)).await.unwrap(), [session]);
    assert_eq!(store.events_of(id, None, 10).await.unwrap(), [event(1, id)]);
}

/// A login by name starts from active credentials only, in the order of their birth, not of their arrival.
pub async fn candidates_are_active_and_oldest_first(subject: impl DurableSubject) {
    let store = subject.store();
    register(&*store, newcomer(5)).await;
    let id = account(5).id;
    for n in [9, 3, 7] {
        register(&*store, another(id, n)).await;
    }
    let inactive = Credential {
        active: false,
        ..credential(id, 4)
    };
    register(
        &*store,
        NewRegistration {
            credential: inactive,
            ..another(id, 4)
        },
    )
    .await;

    let candidates = store.login_candidates("user-5").await.unwrap().unwrap();
    let order: Vec<_> = candidates.into_iter().map(|handle| handle.id).collect();
    assert_eq!(order, [3, 5, 7, 9].map(credential_id));
    let all: Vec<_> = store
        .credentials_of(id)
        .await
        .unwrap()
        .into_iter()
        .map(|credential| credential.id)
        .collect();
    assert_eq!(all, [3, 4, 5, 7, 9].map(credential_id));
}

/// The largest and the smallest of everything is kept as it came.
pub async fn edge_values_read_back(subject: impl DurableSubject) {
    let store = subject.store();
    // The years 1 and 9999: beyond them databases differ.
    let (first, last) = (
        UnixTime::from_millis(-62_135_596_799_999),
        UnixTime::from_millis(253_402_300_799_999),
    );
    let large = Account {
        user_handle: UserHandle::try_from(&[0xff; 64][..]).unwrap(),
        username: "𝔘".repeat(50),
        display_name: "👩🏽‍🚀é\"'\\;--".chars().cycle().take(64).collect(),
        email: Some(format!("{}@example.org", "a".repeat(243))),
        created_at: first,
        updated_at: last,
        last_login_at: Some(UnixTime::from_millis(-1)),
        ..account(1)
    };
    let credential = Credential {
        id: CredentialId::try_from(&[0; 1023][..]).unwrap(),
        rp_id: RpId::new(&format!("{}.example", "a".repeat(63))).unwrap(),
        public_key: (0..4096_u32).map(|i| i.to_le_bytes()[0]).collect(),
        algorithm: CoseAlgorithm::new(i64::MIN),
        sign_count: SignCount(u32::MAX),
        aaguid: Aaguid::new([0xff; 16]),
        transports: vec![
            AuthenticatorTransport::SmartCard,
            AuthenticatorTransport::Other("a\",[]\\ü".into()),
            AuthenticatorTransport::Other(String::new()),
            // Clients assert these: whatever JSON can say is kept, or a client could make the store fail.
            AuthenticatorTransport::Other("\0\u{7f}\u{202e}".into()),
        ],
        backup_eligible: true,
        backup_state: true,
        uv_initialized: false,
        pin: true,
        attestation_format: "f".repeat(32),
        attestation_type: "uncertain".into(),
        attestation_trusted: true,
        device_name: "密".repeat(64),
        user_agent: Some("ü".repeat(256)),
        created_at: first,
        last_used_at: Some(last),
        ..credential(large.id, 1)
    };
    let session = Session {
        previous_token: Some((token(9), last)),
        created_at: first,
        last_seen_at: first,
        expires_at: last,
        authenticated_at: UnixTime::from_millis(0),
        aal: 3,
        amr: vec![String::new(), "ü,\"]".into()],
        credential: Some(credential.id.clone()),
        user_agent: Some(String::new()),
        ip: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into()),
        ..session(large.id, 1)
    };
    let registration = NewRegistration {
        account: RegistrationAccount::New(large.clone()),
        credential: credential.clone(),
        session: Some(session.clone()),
        ..newcomer(1)
    };
    register(&*store, registration).await;
    assert_eq!(store.account(large.id).await.unwrap(), Some(large.clone()));
    let named = store.account_named(&large.username).await.unwrap();
    assert_eq!(named.as_ref(), Some(&large));
    let owned = OwnedCredential {
        credential,
        account: large.clone(),
    };
    assert_eq!(
        store.credential(&owned.credential.id).await.unwrap().as_ref(),
        Some(&owned)
    );
    let signed_in = SignInSession {
        session,
        account: large,
    };
    assert_eq!(
        store.session(&family(1)).await.unwrap().as_ref(),
        Some(&signed_in)
    );

    let small = Account {
        user_handle: UserHandle::try_from(&[0][..]).unwrap(),
        username: "b".into(),
        display_name: "b".into(),
        email: None,
        ..account(2)
    };
    let credential = Credential {
        id: CredentialId::try_from(&[0][..]).unwrap(),
        rp_id: RpId::new("a").unwrap(),
        public_key: vec![0],
        sign_count: SignCount(0),
        aaguid: Aaguid::ZERO,
        transports: Vec::new(),
        backup_eligible: true,
        device_name: "b".into(),
        user_agent: None,
        ..super::samples::credential(small.id, 2)
    };
    let session = Session {
        id: SessionId(uuid::Uuid::max()),
        aal: 1,
        amr: Vec::new(),
        user_agent: None,
        ip: None,
        ..super::samples::session(small.id, 2)
    };
    let registration = NewRegistration {
        account: RegistrationAccount::New(small.clone()),
        credential: credential.clone(),
        session: Some(session.clone()),
        ..newcomer(2)
    };
    register(&*store, registration).await;
    let owned = OwnedCredential {
        credential,
        account: small.clone(),
    };
    assert_eq!(
        store.credential(&owned.credential.id).await.unwrap().as_ref(),
        Some(&owned)
    );
    assert_eq!(
        store.session(&family(2)).await.unwrap(),
        Some(SignInSession {
            session,
            account: small
        })
    );
}

/// Where a store outlives its process, everything that was answered is there afterwards.
pub async fn everything_survives_a_reopen(mut subject: impl DurableSubject) {
    let store = subject.store();
    let (id, session) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    assert_eq!(
        store.commit_assertion(step_up(id, 2, session)).await.unwrap(),
        AssertionOutcome::Committed
    );
    let rotated = store
        .rotate_session(session, &token(1), &token(2), at(1), event(7, id).into())
        .await
        .unwrap();
    assert_eq!(rotated, Rotation::Rotated);
    assert!(store.add_signing_key(signing_key(1), at(0)).await.unwrap());
    let before = snapshot(&*store, id).await;
    assert_eq!(before.events.len(), 4);
    assert_eq!(before.granted, [true]);
    drop(store);
    if subject.reopen().await {
        let store = subject.store();
        assert_eq!(snapshot(&*store, id).await, before);
        assert!(store.has_grant(session, PURPOSE, at(0)).await.unwrap());
        assert_eq!(
            store.session(&family(1)).await.unwrap().unwrap().session,
            before.sessions[0]
        );
        assert_eq!(store.signing_keys(at(0)).await.unwrap(), [signing_key(1)]);
        assert!(store.username_exists("user-1").await.unwrap());
    }
}

/// What was never stored is none, empty or false, and no error.
pub async fn unknown_records_are_none(subject: impl DurableSubject) {
    let store = subject.store();
    register_signed_in(&*store, 1).await;
    let unknown = account(2).id;
    assert_eq!(store.account(unknown).await.unwrap(), None);
    assert!(!store.username_exists("user-2").await.unwrap());
    assert_eq!(store.account_named("user-2").await.unwrap(), None);
    assert_eq!(store.login_candidates("user-2").await.unwrap(), None);
    assert_eq!(store.credential(&credential_id(2)).await.unwrap(), None);
    assert_eq!(store.credentials_of(unknown).await.unwrap(), []);
    assert_eq!(store.session(&family(2)).await.unwrap(), None);
    assert_eq!(store.sessions_of(unknown, at(0)).await.unwrap(), []);
    assert_eq!(store.events_of(unknown, None, 10).await.unwrap(), []);
    assert_eq!(store.signing_keys(at(0)).await.unwrap(), []);
    assert!(
        !store
            .has_grant(session(unknown, 2).id, PURPOSE, at(0))
            .await
            .unwrap()
    );
}

/// Case mapping and normalisation are the caller's: the store compares code points.
pub async fn usernames_are_compared_exactly(subject: impl DurableSubject) {
    let store = subject.store();
    let names = [
        "name",
        "Name",
        "name ",
        "nam\u{e9}",
        "name\u{301}",
        "ß",
        "ss",
        "n_me",
        "n%",
    ];
    for (n, name) in (1..).zip(names) {
        let named = Account {
            username: name.into(),
            ..account(n)
        };
        register(
            &*store,
            NewRegistration {
                account: RegistrationAccount::New(named),
                ..newcomer(n)
            },
        )
        .await;
    }
    for (n, name) in (1..).zip(names) {
        assert_eq!(
            store.account_named(name).await.unwrap().unwrap().id,
            account(n).id
        );
        let candidates = store.login_candidates(name).await.unwrap().unwrap();
        let ids: Vec<_> = candidates.into_iter().map(|handle| handle.id).collect();
        assert_eq!(ids, [credential_id(n)]);
    }
    for name in ["NAME", "nAme", " name", "SS", "n", ""] {
        assert!(!store.username_exists(name).await.unwrap());
    }
}
