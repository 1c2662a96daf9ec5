use std::collections::BTreeSet;

use super::recovery::opened;
use super::samples::{
    account, announced, another, at, credential_id, event, family, newcomer, open_session, register,
    register_signed_in, session, snapshot, step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AccountLock, AccountStanding, Actor, AdminAct, AdminChange, AdminOutcome,
    AdminSession, AssertionCommit, AssertionOutcome, AuditEvent, DurableStore, Enrolment, EventId,
    NewRegistration, OpenedSession, Recovery, RecoveryStage, RegistrationAccount, Role, Session, SessionId,
    StepUpGrant, TokenHash,
};

const PURPOSE: &str = "admin";

/// By nobody but whoever runs a command; event and mail `n`.
fn change(account: AccountId, act: AdminAct, n: u128) -> AdminChange {
    AdminChange {
        account,
        by: None,
        act,
        at: at(600),
        audit: announced(n, account),
    }
}

fn lock() -> AdminAct {
    AdminAct::Lock {
        reason: "a stolen device".into(),
    }
}

fn role(role: Role) -> AdminAct {
    AdminAct::SetRole { role, first: false }
}

fn first() -> AdminAct {
    AdminAct::SetRole {
        role: Role::Admin,
        first: true,
    }
}

fn link(n: u8) -> AdminAct {
    AdminAct::Enrol {
        token: token(n),
        expires_at: at(1_000),
    }
}

fn enrolment(account: AccountId, n: u8) -> Enrolment {
    Enrolment {
        account,
        token: token(n),
        created_at: at(600),
        expires_at: at(1_000),
    }
}

async fn done(store: &dyn DurableStore, change: AdminChange) {
    assert_eq!(store.administer(change).await.unwrap(), AdminOutcome::Done);
}

/// Nothing of the account changed, and nothing was written anywhere.
async fn refused(store: &dyn DurableStore, change: AdminChange, expected: AdminOutcome) {
    let id = change.account;
    let before = snapshot(store, id).await;
    assert_eq!(store.administer(change).await.unwrap(), expected);
    assert_eq!(snapshot(store, id).await, before);
}

async fn standing(store: &dyn DurableStore, account: AccountId) -> AccountStanding {
    store.account_standing(account, at(700)).await.unwrap()
}

/// Newcomer `n` as an administrator with a session (its second) that holds a grant; events 8000 + `n` and 3000 + `n`.
async fn administrator(store: &dyn DurableStore, n: u8) -> AdminSession {
    let (id, _) = register_signed_in(store, n).await;
    done(store, change(id, role(Role::Admin), 8000 + u128::from(n))).await;
    let own = session(id, 100 + n);
    open_session(store, own.clone(), n).await;
    grant(store, id, n, own.id).await;
    AdminSession {
        account: id,
        session: own.id,
        grant: PURPOSE.into(),
        uses_grant: false,
    }
}

async fn grant(store: &dyn DurableStore, account: AccountId, n: u8, session: SessionId) {
    let id = credential_id(n);
    let known = store.credential(&id).await.unwrap().unwrap();
    let commit = AssertionCommit {
        grant: Some(StepUpGrant {
            session,
            purpose: PURPOSE.into(),
            expires_at: at(300_000),
        }),
        expected_sign_count: known.credential.sign_count,
        expected: crate::Remembered::of(&known),
        new_sign_count: known.credential.sign_count,
        ..step_up(account, n, session)
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        AssertionOutcome::Committed
    );
}

fn by(admin: &AdminSession, change: AdminChange) -> AdminChange {
    AdminChange {
        by: Some(admin.clone()),
        ..change
    }
}

/// Newest first; whoever comes in between makes none appear twice and none be left out.
pub async fn accounts_are_listed_newest_first(subject: impl DurableSubject) {
    let store = subject.store();
    let born = |n: u8, millis: i64| {
        let account = Account {
            created_at: at(millis),
            ..account(n)
        };
        NewRegistration {
            account: RegistrationAccount::New(account),
            ..newcomer(n)
        }
    };
    // Two of one moment.
    for (n, millis) in [(1, 10), (2, 30), (3, 20), (4, 20), (5, 40)] {
        register(&*store, born(n, millis)).await;
    }
    let list = async |after, limit| store.accounts(after, limit).await.unwrap();
    let all: Vec<_> = list(None, 10).await;
    let ids: Vec<_> = all.iter().map(|listed| listed.account.id).collect();
    assert_eq!(ids, [5, 2, 4, 3, 1].map(|n| account(n).id));
    assert!(all.iter().all(|listed| listed.has_passkey));
    assert_eq!(
        Some(&all[0].account),
        store.account(ids[0]).await.unwrap().as_ref()
    );

    let (mut seen, mut after) = (Vec::new(), None);
    for n in 6.. {
        let page = list(after, 2).await;
        let Some(last) = page.last() else { break };
        after = Some((last.account.created_at, last.account.id));
        seen.extend(page.into_iter().map(|listed| listed.account.id));
        // Newer than all, and older than all.
        register(&*store, born(n, 100 + i64::from(n))).await;
        if n < 8 {
            register(&*store, born(n + 100, -i64::from(n))).await;
        }
    }
    assert_eq!(seen[..5], ids);
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len());
    assert!(list(None, 0).await.is_empty());
}

/// Whatever is there, and nothing of who is not there.
pub async fn an_accounts_standing_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let unknown = standing(&*store, account(9).id).await;
    assert_eq!(unknown, AccountStanding::default());
    assert_eq!(standing(&*store, id).await, AccountStanding::default());
    done(&*store, change(id, link(50), 8101)).await;
    let with_link = AccountStanding {
        enrolment: Some(enrolment(id, 50)),
        ..AccountStanding::default()
    };
    assert_eq!(standing(&*store, id).await, with_link);
    // At its end it is over.
    let later = store.account_standing(id, at(1_000)).await.unwrap();
    assert_eq!(later, AccountStanding::default());
}

/// Sessions, link and recovery go; and nothing of it comes back.
pub async fn a_locked_account_has_nothing_left(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let (other, _) = register_signed_in(&*store, 2).await;
    open_session(&*store, session(id, 11), 1).await;
    done(&*store, change(id, link(50), 8101)).await;
    let recovery = Recovery {
        id_hash: token(60),
        account: Some(id),
        address_hash: [7; 32],
        browser: None,
        code_hash: [1; 32],
        tries: 0,
        created_at: at(100),
        code_expires_at: at(1_000),
        stage: RecoveryStage::Asked,
        expires_at: at(100_000),
    };
    let asked = store.ask_recovery(recovery, 3, at(0), announced(8102, id));
    assert!(asked.await.unwrap());

    done(&*store, change(id, lock(), 8103)).await;
    let locked = snapshot(&*store, id).await;
    let account = locked.account.unwrap();
    assert!(!account.active);
    assert_eq!(account.updated_at, at(600));
    assert!(locked.sessions.is_empty());
    assert!(locked.events.contains(&event(8103, id)));
    let reason = AccountLock {
        reason: "a stolen device".into(),
        at: at(600),
    };
    assert_eq!(
        standing(&*store, id).await,
        AccountStanding {
            lock: Some(reason),
            ..AccountStanding::default()
        }
    );
    let ended = store.recovery(&token(60)).await.unwrap().unwrap();
    assert_eq!(ended.stage, RecoveryStage::Ended);
    let spent = token(50);
    let redeemed = store.redeem_enrolment(&spent, at(700), opened(session(id, 12)), announced(8104, id));
    assert!(!redeemed.await.unwrap());
    refused(&*store, change(id, link(51), 8105), AdminOutcome::AccountLocked).await;
    refused(
        &*store,
        change(id, role(Role::Admin), 8106),
        AdminOutcome::AccountLocked,
    )
    .await;
    assert_eq!(snapshot(&*store, other).await.sessions.len(), 1);

    done(&*store, change(id, AdminAct::Unlock, 8107)).await;
    let unlocked = snapshot(&*store, id).await;
    assert!(unlocked.account.unwrap().active);
    assert!(unlocked.sessions.is_empty());
    assert_eq!(standing(&*store, id).await, AccountStanding::default());
    refused(
        &*store,
        change(id, AdminAct::Unlock, 8108),
        AdminOutcome::Unchanged,
    )
    .await;
    refused(
        &*store,
        change(account_of(9), AdminAct::Unlock, 8109),
        AdminOutcome::AccountMissing,
    )
    .await;
}

fn account_of(n: u8) -> AccountId {
    account(n).id
}

/// The role, the account, the session and the grant, as they are at that moment.
pub async fn an_administrator_is_checked_when_it_is_written(subject: impl DurableSubject) {
    let store = subject.store();
    let admin = administrator(&*store, 1).await;
    let (id, own) = register_signed_in(&*store, 2).await;
    let signed_out = || change(id, AdminAct::EndSessions, 8201);
    let as_user = AdminSession {
        account: id,
        session: own,
        ..admin.clone()
    };
    refused(&*store, by(&as_user, signed_out()), AdminOutcome::NotAdmin).await;
    let of_another = AdminSession {
        session: own,
        ..admin.clone()
    };
    refused(&*store, by(&of_another, signed_out()), AdminOutcome::SessionEnded).await;
    let over = AdminChange {
        at: at(1_000_000),
        ..signed_out()
    };
    refused(&*store, by(&admin, over), AdminOutcome::SessionEnded).await;
    let other_purpose = AdminSession {
        grant: "delete_passkey".into(),
        ..admin.clone()
    };
    refused(
        &*store,
        by(&other_purpose, signed_out()),
        AdminOutcome::GrantMissing,
    )
    .await;
    let expired = AdminChange {
        at: at(300_000),
        ..signed_out()
    };
    refused(&*store, by(&admin, expired), AdminOutcome::GrantMissing).await;
    let oneself = change(admin.account, lock(), 8201);
    refused(&*store, by(&admin, oneself), AdminOutcome::OwnAccount).await;

    // A grant serves as often as wanted, until something uses it up.
    done(&*store, by(&admin, signed_out())).await;
    assert!(snapshot(&*store, id).await.sessions.is_empty());
    let using = AdminSession {
        uses_grant: true,
        ..admin.clone()
    };
    done(&*store, by(&using, change(id, link(50), 8202))).await;
    refused(
        &*store,
        by(&admin, change(id, lock(), 8203)),
        AdminOutcome::GrantMissing,
    )
    .await;
    let event = store.events_of(id, None, 10).await.unwrap();
    assert!(event.iter().any(|event| event.id == announced(8202, id).event.id));
}

/// A refusal uses no grant up.
pub async fn a_refused_change_keeps_the_grant(subject: impl DurableSubject) {
    let store = subject.store();
    let admin = administrator(&*store, 1).await;
    let (id, _) = register_signed_in(&*store, 2).await;
    let using = AdminSession {
        uses_grant: true,
        ..admin.clone()
    };
    let remove = |even_last| AdminAct::RemoveCredential {
        credential: credential_id(2),
        even_last,
    };
    refused(
        &*store,
        by(&using, change(id, remove(false), 8301)),
        AdminOutcome::LastCredential,
    )
    .await;
    done(&*store, by(&using, change(id, remove(true), 8301))).await;
    assert!(store.credentials_of(id).await.unwrap().is_empty());
}

/// There is none, then there is one: of racing commands one makes it.
pub async fn the_first_administrator_is_made_once(subject: impl DurableSubject) {
    let store = subject.store();
    for n in 1..=4 {
        register_signed_in(&*store, n).await;
    }
    let outcomes = race(4, |i| {
        let (store, n) = (subject.store(), u8::try_from(i).unwrap() + 1);
        Box::pin(async move {
            let id = account(n).id;
            let change = change(id, first(), 8400 + u128::from(n));
            store.administer(change).await.unwrap()
        })
    })
    .await;
    assert_eq!(count(&outcomes, &AdminOutcome::Done), 1, "{outcomes:?}");
    assert_eq!(count(&outcomes, &AdminOutcome::AdminExists), 3);
}

/// Neither by a command nor by each other at once.
pub async fn the_last_administrator_is_not_locked(subject: impl DurableSubject) {
    let store = subject.store();
    let one = administrator(&*store, 1).await;
    refused(
        &*store,
        change(one.account, lock(), 8501),
        AdminOutcome::LastAdmin,
    )
    .await;
    let two = administrator(&*store, 2).await;
    let outcomes = race(2, |i| {
        let store = subject.store();
        let (admin, other) = if i == 0 { (&one, &two) } else { (&two, &one) };
        let change = by(
            admin,
            change(other.account, lock(), 8502 + u128::try_from(i).unwrap()),
        );
        Box::pin(async move { store.administer(change).await.unwrap() })
    })
    .await;
    assert_eq!(count(&outcomes, &AdminOutcome::Done), 1, "{outcomes:?}");
    assert_eq!(count(&outcomes, &AdminOutcome::NotAdmin), 1, "{outcomes:?}");
    let left = store.account(one.account).await.unwrap().unwrap().active;
    let last = if left { one.account } else { two.account };
    refused(&*store, change(last, lock(), 8504), AdminOutcome::LastAdmin).await;
    // Who is no administrator any more is nobody's last.
    done(&*store, change(last, role(Role::User), 8505)).await;
    done(&*store, change(last, lock(), 8506)).await;
}

/// Its sessions go, those of others stay, and the last one only where that is said.
pub async fn a_passkey_is_removed_for_somebody(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    register(&*store, another(id, 2)).await;
    let by_other = Session {
        credential: Some(credential_id(2)),
        ..session(id, 12)
    };
    open_session(&*store, by_other.clone(), 2).await;
    let remove = |n, even_last| AdminAct::RemoveCredential {
        credential: credential_id(n),
        even_last,
    };
    register_signed_in(&*store, 3).await;
    refused(
        &*store,
        change(id, remove(3, false), 8601),
        AdminOutcome::CredentialMissing,
    )
    .await;
    done(&*store, change(id, remove(1, false), 8601)).await;
    let left = snapshot(&*store, id).await;
    assert_eq!(left.credentials.len(), 1);
    let sessions: Vec<_> = left.sessions.iter().map(|session| session.id).collect();
    assert_eq!(sessions, [by_other.id]);
    refused(
        &*store,
        change(id, remove(2, false), 8602),
        AdminOutcome::LastCredential,
    )
    .await;
    done(&*store, change(id, remove(2, true), 8602)).await;
    assert!(snapshot(&*store, id).await.sessions.is_empty());
}

/// And back.
pub async fn a_new_role_ends_the_sessions(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    assert_eq!(store.account(id).await.unwrap().unwrap().role, Role::User);
    done(&*store, change(id, role(Role::Admin), 8701)).await;
    let raised = snapshot(&*store, id).await;
    assert_eq!(raised.account.unwrap().role, Role::Admin);
    assert!(raised.sessions.is_empty());
    refused(
        &*store,
        change(id, role(Role::Admin), 8702),
        AdminOutcome::Unchanged,
    )
    .await;
    open_session(&*store, session(id, 11), 1).await;
    let found = store.session(&family(11)).await.unwrap().unwrap();
    assert_eq!(found.account.role, Role::Admin);
    let known = store.credential(&credential_id(1)).await.unwrap().unwrap();
    assert_eq!(known.account.role, Role::Admin);
    let named = store.account_named("user-1").await.unwrap().unwrap();
    assert_eq!(named.role, Role::Admin);
    done(&*store, change(id, role(Role::User), 8703)).await;
    let lowered = snapshot(&*store, id).await;
    assert_eq!(lowered.account.unwrap().role, Role::User);
    assert!(lowered.sessions.is_empty());
}

/// Whatever a registration says.
pub async fn nobody_registers_as_an_administrator(subject: impl DurableSubject) {
    let store = subject.store();
    let admin = Account {
        role: Role::Admin,
        ..account(1)
    };
    let registration = NewRegistration {
        account: RegistrationAccount::New(admin),
        ..newcomer(1)
    };
    assert!(store.commit_registration(registration).await.is_err());
    assert_eq!(store.account(account(1).id).await.unwrap(), None);
}

/// Replaced, expired, another's or used it is good for nothing; of racing ones one is.
pub async fn an_enrolment_link_is_good_once(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, _) = register_signed_in(&*store, 1).await;
    let (other, theirs) = register_signed_in(&*store, 2).await;
    assert_eq!(store.enrolment(&token(50)).await.unwrap(), None);
    done(&*store, change(id, link(50), 8801)).await;
    done(&*store, change(id, link(51), 8802)).await;
    assert_eq!(store.enrolment(&token(50)).await.unwrap(), None);
    assert_eq!(
        store.enrolment(&token(51)).await.unwrap(),
        Some(enrolment(id, 51))
    );
    let redeem = async |link: TokenHash, account, millis, n: u8| {
        let audit = announced(8810 + u128::from(n), account);
        store
            .redeem_enrolment(&link, at(millis), opened(session(account, n)), audit)
            .await
            .unwrap()
    };
    assert!(!redeem(token(50), id, 700, 70).await);
    assert!(!redeem(token(51), other, 700, 71).await);
    assert!(!redeem(token(51), id, 1_000, 72).await);
    assert_eq!(snapshot(&*store, id).await.sessions.len(), 1);
    let won = race(4, |i| {
        let (store, n) = (subject.store(), u8::try_from(i).unwrap() + 80);
        Box::pin(async move {
            let audit = announced(8810 + u128::from(n), id);
            let link = token(51);
            let redeemed = store.redeem_enrolment(&link, at(700), opened(session(id, n)), audit);
            redeemed.await.unwrap()
        })
    })
    .await;
    assert_eq!(count(&won, &true), 1);
    let left = snapshot(&*store, id).await;
    assert_eq!(left.sessions.len(), 2);
    assert!(!redeem(token(51), id, 700, 73).await);
    assert_eq!(store.enrolment(&token(51)).await.unwrap(), None);

    // The session that was presented ends, whoever's it is, where another is opened.
    done(&*store, change(id, link(52), 8830)).await;
    for (link, redeemed, event) in [(51, false, 8831), (52, true, 8832)] {
        let instead = OpenedSession {
            session: session(id, 90),
            ends: Some(theirs),
        };
        let audit = announced(event, id);
        let link = token(link);
        let answer = store.redeem_enrolment(&link, at(700), instead, audit);
        assert_eq!(answer.await.unwrap(), redeemed);
        let left = snapshot(&*store, other).await.sessions.len();
        assert_eq!(left, usize::from(!redeemed));
    }
}

/// At their end.
pub async fn expired_enrolment_links_are_dropped(subject: impl DurableSubject) {
    let store = subject.store();
    for n in 1..=3 {
        let (id, _) = register_signed_in(&*store, n).await;
        done(&*store, change(id, link(50 + n), 8900 + u128::from(n))).await;
    }
    assert_eq!(store.drop_expired_enrolments(at(999), 10).await.unwrap(), 0);
    assert_eq!(store.drop_expired_enrolments(at(1_000), 2).await.unwrap(), 2);
    assert_eq!(store.drop_expired_enrolments(at(1_000), 10).await.unwrap(), 1);
    for n in 1..=3 {
        assert_eq!(store.enrolment(&token(50 + n)).await.unwrap(), None);
    }
}

/// Of all and of nobody, highest id first, with who did it.
pub async fn events_of_all_are_listed(subject: impl DurableSubject) {
    let store = subject.store();
    let (one, two) = (account(1).id, account(2).id);
    let by_admin = AuditEvent {
        actor: Some(Actor::Account(one)),
        ..event(3, two)
    };
    let of_nobody = AuditEvent {
        account: None,
        actor: None,
        ..event(4, one)
    };
    for event in [event(1, one), by_admin.clone(), of_nobody.clone(), event(2, two)] {
        store.append_event(event).await.unwrap();
    }
    let list = async |below: Option<EventId>, limit| store.events(below, limit).await.unwrap();
    let all = [of_nobody, by_admin, event(2, two), event(1, one)];
    assert_eq!(list(None, 10).await, all);
    assert_eq!(list(Some(all[0].id), 2).await, all[1..3]);
    assert_eq!(list(Some(all[3].id), 2).await, []);
}
