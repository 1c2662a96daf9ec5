use super::addresses::new_claim;
use super::passwords::verifier;
use super::samples::{
    PURPOSE, account, announced, another, at, credential_id, event, newcomer, open_session, register,
    register_signed_in, session, snapshot, step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AfterRecovery, AssertionOutcome, ClaimOutcome, CodeAttempt, CodesOutcome,
    CodesReplacement, DurableStore, NewRegistration, OpenedSession, PasswordVerifier, ProofOutcome, Recovery,
    RecoveryOutcome, RecoveryProof, RecoveryStage, RecoveryStep, RegistrationAccount, RegistrationOutcome,
    Session, SessionId, TokenHash,
};

/// Recovery `n` of address 7.
fn recovery(account: Option<AccountId>, n: u8) -> Recovery {
    Recovery {
        id_hash: token(n),
        account,
        address_hash: [7; 32],
        browser: Some(token(0xb0)),
        code_hash: [n; 32],
        tries: 0,
        created_at: at(100),
        code_expires_at: at(1_000),
        stage: RecoveryStage::Asked,
        expires_at: at(100_000),
    }
}

async fn ask(store: &dyn DurableStore, recovery: Recovery) -> bool {
    let n = u128::from(recovery.id_hash.0[0]);
    let who = recovery.account.unwrap_or(account(200).id);
    let audit = announced(7_000 + n, who);
    store.ask_recovery(recovery, 3, at(0), audit).await.unwrap()
}

pub(super) fn opened(session: Session) -> OpenedSession {
    OpenedSession { session, ends: None }
}

/// A try at recovery `n`; event `event`, and mail where it is right. Session 90 + `n` would be opened.
fn attempt(account: AccountId, n: u8, code: u8, event_number: u128) -> CodeAttempt {
    CodeAttempt {
        id_hash: token(n),
        code_hash: [code; 32],
        at: at(500),
        max_tries: 5,
        max_tries_of_address: 10,
        since: at(0),
        step: RecoveryStep::Open(opened(session(account, 90 + n))),
        right: announced(event_number, account),
        wrong: event(event_number, account),
    }
}

async fn attempted(store: &dyn DurableStore, attempt: CodeAttempt) -> RecoveryOutcome {
    store.try_code(attempt).await.unwrap()
}

/// Brings recovery `n` to where it waits, until 2000; token 200 + `n` cancels it.
async fn wait(store: &dyn DurableStore, account: AccountId, n: u8, event: u128) {
    assert!(ask(store, recovery(Some(account), n)).await);
    let waits = CodeAttempt {
        step: RecoveryStep::Wait {
            ready_at: at(2_000),
            cancel: token(200 + n),
        },
        ..attempt(account, n, n, event)
    };
    assert_eq!(attempted(store, waits).await, RecoveryOutcome::Taken);
}

/// At 500, with one event.
fn codes(account: AccountId, session: SessionId, hashes: &[[u8; 32]], event: u128) -> CodesReplacement {
    CodesReplacement {
        account,
        session,
        uses_grant: None,
        hashes: hashes.to_vec(),
        at: at(500),
        audit: announced(event, account),
    }
}

async fn carry_out(
    store: &dyn DurableStore,
    account: AccountId,
    n: u8,
    proof: RecoveryProof,
    now: i64,
    event: u128,
) -> RecoveryOutcome {
    let session = opened(session(account, 90 + n));
    store
        .carry_out_recovery(&token(n), proof, at(now), session, announced(event, account))
        .await
        .unwrap()
}

fn by_code(hash: u8, account: AccountId, wrong: u128) -> RecoveryProof {
    RecoveryProof::Code {
        hash: [hash; 32],
        max_tries: 2,
        wrong: event(wrong, account),
    }
}

/// Whatever its stage, and without an account as well.
pub async fn a_recovery_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    assert_eq!(store.recovery(&token(1)).await.unwrap(), None);
    let native = Recovery {
        browser: None,
        ..recovery(None, 1)
    };
    assert!(ask(&*store, native.clone()).await);
    assert_eq!(store.recovery(&token(1)).await.unwrap(), Some(native));
    wait(&*store, id, 2, 801).await;
    let waiting = Recovery {
        tries: 1,
        stage: RecoveryStage::Waiting {
            ready_at: at(2_000),
            cancel: token(202),
            tries: 0,
        },
        ..recovery(Some(id), 2)
    };
    let found = store.recovery(&token(2)).await.unwrap();
    assert_eq!(found.as_ref(), Some(&waiting));
    assert_eq!(store.recovery_to_cancel(&token(202)).await.unwrap(), found);
    assert_eq!(store.recovery_to_cancel(&token(203)).await.unwrap(), None);
}

/// Three a day, whoever the address belongs to; of racing requests no more are stored, and no mail of the others.
pub async fn an_address_gets_so_many_recovery_codes(subject: impl DurableSubject) {
    let store = subject.store();
    let answers = race(8, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap() + 1;
        Box::pin(async move { ask(&*store, recovery(None, n)).await })
    })
    .await;
    assert_eq!(count(&answers, &true), 3);
    assert_eq!(store.outbox_figures().await.unwrap().waiting, 3);
    let other = Recovery {
        address_hash: [8; 32],
        ..recovery(None, 20)
    };
    assert!(ask(&*store, other).await);
    let audit = announced(7_030, account(1).id);
    let tomorrow = store.ask_recovery(recovery(None, 30), 3, at(100), audit).await;
    assert!(tomorrow.unwrap());
}

/// A right code opens the session and is used up.
pub async fn a_right_code_is_good_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    assert!(ask(&*store, recovery(Some(id), 1)).await);
    let before = snapshot(&*store, id).await;
    assert_eq!(
        attempted(&*store, attempt(id, 1, 9, 801)).await,
        RecoveryOutcome::Wrong
    );
    assert_eq!(store.recovery(&token(1)).await.unwrap().unwrap().tries, 1);
    assert_eq!(snapshot(&*store, id).await.sessions, before.sessions);
    assert_eq!(
        attempted(&*store, attempt(id, 1, 1, 802)).await,
        RecoveryOutcome::Taken
    );
    let after = snapshot(&*store, id).await;
    assert!(after.sessions.contains(&session(id, 91)));
    assert!(after.events.contains(&event(801, id)) && after.events.contains(&event(802, id)));
    assert_eq!(after.waiting_mails, before.waiting_mails + 1);
    assert_eq!(
        attempted(&*store, attempt(id, 1, 1, 803)).await,
        RecoveryOutcome::Refused
    );
    assert_eq!(snapshot(&*store, id).await, after);
    assert_eq!(store.recovery_failures(at(99)).await.unwrap(), 1);
    assert_eq!(store.recovery_failures(at(100)).await.unwrap(), 0);
}

/// Of racing tries no more are made than there are, and of those with the right code one is taken.
pub async fn racing_tries_are_all_counted(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    assert!(ask(&*store, recovery(Some(id), 1)).await);
    let answers = race(12, |n| {
        let store = store.clone();
        let wrong = attempt(id, 1, 9, 800 + u128::try_from(n).unwrap());
        Box::pin(async move { attempted(&*store, wrong).await })
    })
    .await;
    assert_eq!(count(&answers, &RecoveryOutcome::Wrong), 5);
    assert_eq!(count(&answers, &RecoveryOutcome::Refused), 7);
    // The right one comes too late.
    assert_eq!(
        attempted(&*store, attempt(id, 1, 1, 850)).await,
        RecoveryOutcome::Refused
    );

    assert!(ask(&*store, recovery(Some(id), 2)).await);
    let answers = race(8, |n| {
        let store = store.clone();
        let right = CodeAttempt {
            step: RecoveryStep::Open(opened(session(id, 100 + u8::try_from(n).unwrap()))),
            ..attempt(id, 2, 2, 860 + u128::try_from(n).unwrap())
        };
        Box::pin(async move { attempted(&*store, right).await })
    })
    .await;
    assert_eq!(count(&answers, &RecoveryOutcome::Taken), 1, "{answers:?}");
}

/// However many codes it was sent; also where nobody has it.
pub async fn an_address_has_so_many_tries(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    for (n, whose) in [(1, None), (2, Some(id)), (3, Some(id))] {
        assert!(ask(&*store, recovery(whose, n)).await);
    }
    let answers = race(15, |n| {
        let store = store.clone();
        let recovery = u8::try_from(n % 3).unwrap() + 1;
        let wrong = attempt(id, recovery, 99, 800 + u128::try_from(n).unwrap());
        Box::pin(async move { attempted(&*store, wrong).await })
    })
    .await;
    assert_eq!(count(&answers, &RecoveryOutcome::Wrong), 10, "{answers:?}");
    assert_eq!(
        attempted(&*store, attempt(id, 3, 3, 850)).await,
        RecoveryOutcome::Refused
    );
}

/// Expired, nobody's, or of an account that is locked: it opens nothing.
pub async fn a_code_of_nobody_opens_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let locked = Account {
        active: false,
        ..account(2)
    };
    let locked = NewRegistration {
        account: RegistrationAccount::New(locked),
        ..newcomer(2)
    };
    register(&*store, locked).await;
    assert!(ask(&*store, recovery(None, 1)).await);
    assert!(ask(&*store, recovery(Some(account(2).id), 2)).await);
    assert!(ask(&*store, recovery(Some(id), 3)).await);
    assert_eq!(
        attempted(&*store, attempt(id, 1, 1, 801)).await,
        RecoveryOutcome::Wrong
    );
    let of_locked = attempt(account(2).id, 2, 2, 802);
    assert_eq!(attempted(&*store, of_locked).await, RecoveryOutcome::Wrong);
    let late = CodeAttempt {
        at: at(1_000),
        ..attempt(id, 3, 3, 803)
    };
    assert_eq!(attempted(&*store, late).await, RecoveryOutcome::Refused);
    assert_eq!(
        attempted(&*store, attempt(id, 9, 9, 804)).await,
        RecoveryOutcome::Refused
    );
    let sessions = snapshot(&*store, account(2).id).await.sessions;
    assert_eq!(sessions, []);
}

/// Where the event cannot be written the try was not made.
pub async fn a_failed_try_leaves_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    assert!(ask(&*store, recovery(Some(id), 1)).await);
    let before = (
        snapshot(&*store, id).await,
        store.recovery(&token(1)).await.unwrap(),
    );
    for code in [1, 9] {
        // Event 1 is the registration's.
        assert!(store.try_code(attempt(id, 1, code, 1)).await.is_err());
        let after = (
            snapshot(&*store, id).await,
            store.recovery(&token(1)).await.unwrap(),
        );
        assert_eq!(after, before);
    }
}

/// When its time has come, and once.
pub async fn a_waiting_recovery_is_carried_out_when_the_wait_is_over(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    wait(&*store, id, 1, 801).await;
    let waited = || RecoveryProof::Waited;
    let refused = RecoveryOutcome::Refused;
    assert_eq!(carry_out(&*store, id, 1, waited(), 1_999, 802).await, refused);
    assert_eq!(carry_out(&*store, id, 1, waited(), 100_000, 803).await, refused);
    assert_eq!(
        carry_out(&*store, account(2).id, 1, waited(), 2_000, 804).await,
        refused
    );
    let answers = race(6, |n| {
        let store = store.clone();
        let session = Session {
            ..session(id, 100 + u8::try_from(n).unwrap())
        };
        let audit = announced(810 + u128::try_from(n).unwrap(), id);
        Box::pin(async move {
            let proof = RecoveryProof::Waited;
            store
                .carry_out_recovery(&token(1), proof, at(2_000), opened(session), audit)
                .await
                .unwrap()
        })
    })
    .await;
    assert_eq!(count(&answers, &RecoveryOutcome::Taken), 1, "{answers:?}");
    assert_eq!(snapshot(&*store, id).await.sessions.len(), 2);
}

/// Whoever's it is: it was presented by the browser that is let in. A refused recovery ends nothing.
pub async fn a_recovery_ends_the_session_that_was_presented(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (other, theirs) = register_signed_in(&*store, 2).await;
    let left = async |account| {
        let sessions = store.sessions_of(account, at(500)).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    let ending = |ends, n| {
        RecoveryStep::Open(OpenedSession {
            session: session(id, n),
            ends: Some(ends),
        })
    };
    assert!(ask(&*store, recovery(Some(id), 1)).await);
    let wrong = CodeAttempt {
        step: ending(own, 91),
        ..attempt(id, 1, 9, 801)
    };
    assert_eq!(attempted(&*store, wrong).await, RecoveryOutcome::Wrong);
    assert_eq!(left(id).await, [own]);
    let right = CodeAttempt {
        step: ending(own, 91),
        ..attempt(id, 1, 1, 802)
    };
    assert_eq!(attempted(&*store, right).await, RecoveryOutcome::Taken);
    assert_eq!(left(id).await, [session(id, 91).id]);

    wait(&*store, id, 2, 803).await;
    for (now, outcome, event) in [
        (1_999, RecoveryOutcome::Refused, 804),
        (2_000, RecoveryOutcome::Taken, 805),
    ] {
        assert_eq!(left(other).await, [theirs]);
        let opened = OpenedSession {
            session: session(id, 92),
            ends: Some(theirs),
        };
        let (waited, audit) = (RecoveryProof::Waited, announced(event, id));
        let recovery = token(2);
        let answer = store.carry_out_recovery(&recovery, waited, at(now), opened, audit);
        assert_eq!(answer.await.unwrap(), outcome);
    }
    assert!(left(other).await.is_empty());
    assert_eq!(left(id).await.len(), 2);
}

/// Each code works once, of its own account, and not for ever guessing.
pub async fn a_recovery_code_is_good_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (other, theirs) = register_signed_in(&*store, 2).await;
    for (account, session, hashes, event) in [
        (id, own, [[1; 32], [2; 32]], 801),
        (other, theirs, [[3; 32], [4; 32]], 802),
    ] {
        let made = store.replace_recovery_codes(codes(account, session, &hashes, event));
        assert_eq!(made.await.unwrap(), CodesOutcome::Replaced);
    }
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 2);
    wait(&*store, id, 1, 803).await;
    // Somebody else's.
    let wrong = carry_out(&*store, id, 1, by_code(3, id, 804), 600, 805).await;
    assert_eq!(wrong, RecoveryOutcome::Wrong);
    let right = carry_out(&*store, id, 1, by_code(2, id, 806), 600, 807).await;
    assert_eq!(right, RecoveryOutcome::Taken);
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 1);
    let events = store.events_of(id, None, 100).await.unwrap();
    assert!(events.contains(&event(804, id)) && events.contains(&event(807, id)));

    wait(&*store, id, 2, 808).await;
    let used = carry_out(&*store, id, 2, by_code(2, id, 809), 600, 810).await;
    assert_eq!(used, RecoveryOutcome::Wrong);
    let wrong = carry_out(&*store, id, 2, by_code(9, id, 811), 600, 812).await;
    assert_eq!(wrong, RecoveryOutcome::Wrong);
    // It has had its tries.
    let late = carry_out(&*store, id, 2, by_code(1, id, 813), 600, 814).await;
    assert_eq!(late, RecoveryOutcome::Refused);
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 1);
}

/// All of them, and only by who is signed in.
pub async fn recovery_codes_are_replaced(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (_, theirs) = register_signed_in(&*store, 2).await;
    let hashes: Vec<_> = (1..=10).map(|n| [n; 32]).collect();
    let strange = store.replace_recovery_codes(codes(id, theirs, &hashes, 801));
    assert_eq!(strange.await.unwrap(), CodesOutcome::SessionEnded);
    let late = CodesReplacement {
        at: at(1_000_000),
        ..codes(id, own, &hashes, 802)
    };
    let late = store.replace_recovery_codes(late).await;
    assert_eq!(late.unwrap(), CodesOutcome::SessionEnded);
    for event in [803, 804] {
        let made = store.replace_recovery_codes(codes(id, own, &hashes, event));
        assert_eq!(made.await.unwrap(), CodesOutcome::Replaced);
        assert_eq!(store.recovery_codes_left(id).await.unwrap(), 10);
    }
    let failed = store.replace_recovery_codes(codes(id, own, &[], 804)).await;
    assert!(failed.is_err());
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 10);
}

/// One grant, one set of codes; what is refused, or fails, leaves the codes as they were.
pub async fn recovery_codes_use_a_grant_up(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let granted = |hashes: &[[u8; 32]], event| CodesReplacement {
        uses_grant: Some(PURPOSE.into()),
        ..codes(id, own, hashes, event)
    };
    let never_given = store.replace_recovery_codes(granted(&[[1; 32]], 801)).await;
    assert_eq!(never_given.unwrap(), CodesOutcome::GrantMissing);
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 0);

    let given = store.commit_assertion(step_up(id, 1, own)).await.unwrap();
    assert_eq!(given, AssertionOutcome::Committed);
    let of_other_purpose = CodesReplacement {
        uses_grant: Some("export".into()),
        ..granted(&[[1; 32]], 802)
    };
    let of_other_purpose = store.replace_recovery_codes(of_other_purpose).await;
    assert_eq!(of_other_purpose.unwrap(), CodesOutcome::GrantMissing);
    // The number of an event that is there: the grant stays.
    let made = store
        .replace_recovery_codes(codes(id, own, &[[1; 32]], 803))
        .await;
    assert_eq!(made.unwrap(), CodesOutcome::Replaced);
    assert!(store.replace_recovery_codes(granted(&[], 803)).await.is_err());
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 1);

    let answers = race(6, |n| {
        let store = store.clone();
        let n = u8::try_from(n).unwrap();
        let replacement = granted(&[[10 + n; 32], [20 + n; 32]], 810 + u128::from(n));
        Box::pin(async move { store.replace_recovery_codes(replacement).await.unwrap() })
    })
    .await;
    assert_eq!(count(&answers, &CodesOutcome::Replaced), 1, "{answers:?}");
    assert_eq!(count(&answers, &CodesOutcome::GrantMissing), 5, "{answers:?}");
    assert_eq!(store.recovery_codes_left(id).await.unwrap(), 2);
}

/// All that are under way; what was cancelled is never carried out.
pub async fn a_cancelled_recovery_is_over(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let none = store.cancel_recoveries(id, at(500), announced(801, id)).await;
    assert_eq!(none.unwrap(), 0);
    assert!(
        !store
            .events_of(id, None, 10)
            .await
            .unwrap()
            .contains(&event(801, id))
    );
    wait(&*store, id, 1, 802).await;
    assert!(ask(&*store, recovery(Some(id), 2)).await);
    let cancelled = store.cancel_recoveries(id, at(500), announced(801, id)).await;
    assert_eq!(cancelled.unwrap(), 2);
    assert_eq!(store.recovery_to_cancel(&token(201)).await.unwrap(), None);
    let refused = RecoveryOutcome::Refused;
    let waited = RecoveryProof::Waited;
    assert_eq!(carry_out(&*store, id, 1, waited, 2_000, 803).await, refused);
    assert_eq!(attempted(&*store, attempt(id, 2, 2, 804)).await, refused);
    assert_eq!(snapshot(&*store, id).await.sessions.len(), 1);
}

/// As many as asked for.
pub async fn expired_recoveries_are_dropped(subject: impl DurableSubject) {
    let store = subject.store();
    for n in 1..=3 {
        assert!(ask(&*store, recovery(None, n)).await);
    }
    assert_eq!(store.drop_expired_recoveries(at(99_999), 10).await.unwrap(), 0);
    assert_eq!(store.drop_expired_recoveries(at(100_000), 2).await.unwrap(), 2);
    assert_eq!(store.drop_expired_recoveries(at(100_000), 2).await.unwrap(), 1);
    assert_eq!(store.recovery(&token(1)).await.unwrap(), None);
}

/// All other sessions end, and with them, where that is asked for, all other passkeys go, and a password that signs in
/// without one.
pub async fn a_recovered_account_is_signed_out_elsewhere(subject: impl DurableSubject) {
    let store = subject.store();
    for (n, drops_passkeys, with_passkey, password_stays) in [
        (10, false, false, true),
        (20, true, false, false),
        (30, true, true, true),
    ] {
        let id = account(n).id;
        let own = session(id, n).id;
        let password = PasswordVerifier {
            with_passkey,
            ..verifier(id, n)
        };
        let newcomer = NewRegistration {
            password: Some(password),
            session: Some(Session {
                credential: Some(credential_id(n)),
                ..session(id, n)
            }),
            ..newcomer(n)
        };
        register(&*store, newcomer).await;
        register(&*store, another(id, n + 1)).await;
        open_session(&*store, session(id, n + 2), n).await;
        let bystander = register_signed_in(&*store, n + 5).await;
        let opened = Session {
            credential: Some(credential_id(n + 3)),
            ..session(id, n + 3)
        };
        let recovered = NewRegistration {
            recovery: Some(AfterRecovery { drops_passkeys }),
            session: Some(opened.clone()),
            ..another(id, n + 3)
        };
        // Refused, nothing ends.
        let before = snapshot(&*store, id).await;
        let taken = NewRegistration {
            reserved_id: true,
            ..recovered.clone()
        };
        assert_eq!(
            store.commit_registration(taken).await.unwrap(),
            RegistrationOutcome::CredentialExists
        );
        assert_eq!(snapshot(&*store, id).await, before);
        assert!(before.sessions.iter().any(|session| session.id == own));

        wait(&*store, id, n + 4, 8_000 + u128::from(n)).await;
        register(&*store, recovered).await;
        // Nor does a recovery live on that somebody else began.
        let begun = store.recovery(&token(n + 4)).await.unwrap().unwrap();
        assert_eq!(begun.stage, RecoveryStage::Ended);
        let after = snapshot(&*store, id).await;
        assert_eq!(after.sessions, [opened]);
        let left: Vec<_> = after
            .credentials
            .iter()
            .map(|passkey| passkey.id.clone())
            .collect();
        if drops_passkeys {
            assert_eq!(left, [credential_id(n + 3)]);
        } else {
            assert_eq!(left.len(), 3);
        }
        let password = store.password_of(id).await.unwrap();
        assert_eq!(password.is_some(), password_stays);
        let others = snapshot(&*store, bystander.0).await;
        assert_eq!((others.sessions.len(), others.credentials.len()), (1, 1));
    }
    let unknown: Option<Recovery> = store.recovery(&TokenHash([0; 32])).await.unwrap();
    assert_eq!(unknown, None);
}

/// What was begun at the address before, mailed codes and waits alike, leads nowhere once another is proven.
pub async fn a_proven_address_ends_recoveries(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (other, _) = register_signed_in(&*store, 2).await;
    wait(&*store, id, 10, 8_001).await;
    assert!(ask(&*store, recovery(Some(id), 11)).await);
    let bystander = Recovery {
        address_hash: [8; 32],
        ..recovery(Some(other), 12)
    };
    assert!(ask(&*store, bystander).await);
    let claimed = store.claim_address(new_claim(id, own, 3)).await.unwrap();
    assert_eq!(claimed, ClaimOutcome::Claimed);
    let stage = async |n| store.recovery(&token(n)).await.unwrap().unwrap().stage;
    assert_eq!(stage(11).await, RecoveryStage::Asked, "claimed is not proven");
    let audit = announced(8_002, id);
    let proven = store
        .prove_address(id, own, &token(3), None, at(600), audit)
        .await
        .unwrap();
    assert!(matches!(proven, ProofOutcome::Proven(_)));
    assert_eq!(
        (stage(10).await, stage(11).await),
        (RecoveryStage::Ended, RecoveryStage::Ended)
    );
    assert_eq!(stage(12).await, RecoveryStage::Asked);
    let late = carry_out(&*store, id, 10, RecoveryProof::Waited, 3_000, 8_003).await;
    assert_eq!(late, RecoveryOutcome::Refused);
}
