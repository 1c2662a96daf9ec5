use super::samples::{
    PURPOSE, account, announced, at, event, login, newcomer, register, register_signed_in, session, snapshot,
    step_up, token,
};
use super::{DurableSubject, count, race};
use crate::{
    Account, AccountId, AddressClaim, AssertionOutcome, ClaimOutcome, Deletion, DeletionGround,
    DeletionOutcome, DurableStore, NewClaim, NewRegistration, ProofOutcome, RegistrationAccount, SessionId,
};

pub(super) fn claim(account: AccountId, n: u8) -> AddressClaim {
    AddressClaim {
        account,
        address: format!("Claimed-{n}@example.org"),
        address_hash: [n; 32],
        token_hash: token(n),
        token_expires_at: at(10_000),
        mails: 1,
        mailed_at: at(100),
        expires_at: at(50_000),
    }
}

/// Claim `n` by this session; event and mail `700 + n`.
pub(super) fn new_claim(account: AccountId, session: SessionId, n: u8) -> NewClaim {
    NewClaim {
        claim: claim(account, n),
        mailed_since: at(100),
        session,
        uses_grant: None,
        renews: None,
        at: at(500),
        audit: announced(700 + u128::from(n), account),
    }
}

async fn prove(
    store: &dyn DurableStore,
    (account, session): (AccountId, SessionId),
    n: u8,
    event: u128,
) -> ProofOutcome {
    let audit = announced(event, account);
    store
        .prove_address(account, session, &token(n), None, at(600), audit)
        .await
        .unwrap()
}

/// It is found with its account by whoever renews it, and is the account's unproven address.
pub async fn a_claim_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let first = NewRegistration {
        account: RegistrationAccount::New(Account {
            email: Some(claim(id, 1).address),
            ..account(1)
        }),
        claim: Some(claim(id, 1)),
        session: Some(session(id, 1)),
        ..newcomer(1)
    };
    register(&*store, first).await;
    assert_eq!(store.address_claim(id).await.unwrap(), Some(claim(id, 1)));
    assert_eq!(store.address_claim(account(2).id).await.unwrap(), None);
    let other = NewClaim {
        claim: AddressClaim {
            mails: u32::MAX,
            ..claim(id, 2)
        },
        ..new_claim(id, session(id, 1).id, 2)
    };
    let outcome = store.claim_address(other.clone()).await.unwrap();
    assert_eq!(outcome, ClaimOutcome::Claimed);
    assert_eq!(store.address_claim(id).await.unwrap(), Some(other.claim));
    let found = store.account(id).await.unwrap().unwrap();
    assert_eq!(found.email.as_deref(), Some("Claimed-2@example.org"));
    assert!(!found.email_verified);
    assert_eq!(found.updated_at, at(500));
    assert_eq!(store.address_owner("Claimed-2@example.org").await.unwrap(), None);
}

/// Another account's claim in a registration is a mistake.
pub async fn a_claim_is_the_new_accounts_own(subject: impl DurableSubject) {
    let store = subject.store();
    let odd = NewRegistration {
        claim: Some(claim(account(2).id, 1)),
        ..newcomer(1)
    };
    assert!(store.commit_registration(odd).await.is_err());
    assert_eq!(store.account(account(1).id).await.unwrap(), None);
}

/// Of whoever is not signed in, or is locked out, or has not stepped up, nothing is written.
pub async fn a_claim_needs_who_asked(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (other, theirs) = register_signed_in(&*store, 2).await;
    let before = snapshot(&*store, id).await;
    let granted = |claim: NewClaim| NewClaim {
        uses_grant: Some(PURPOSE.to_owned()),
        ..claim
    };
    for (refused, outcome) in [
        (new_claim(id, theirs, 1), ClaimOutcome::SessionEnded),
        (
            NewClaim {
                at: at(1_000_000),
                ..new_claim(id, own, 1)
            },
            ClaimOutcome::SessionEnded,
        ),
        (new_claim(account(9).id, own, 1), ClaimOutcome::AccountUnavailable),
        (granted(new_claim(id, own, 1)), ClaimOutcome::GrantMissing),
        (
            NewClaim {
                renews: Some(token(1)),
                ..new_claim(id, own, 1)
            },
            ClaimOutcome::ClaimMissing,
        ),
    ] {
        assert_eq!(store.claim_address(refused).await.unwrap(), outcome);
        assert_eq!(store.address_claim(id).await.unwrap(), None);
        assert_eq!(snapshot(&*store, id).await, before);
    }
    // With everything, and once for each grant.
    let given = store.commit_assertion(step_up(id, 1, own)).await.unwrap();
    assert_eq!(given, AssertionOutcome::Committed);
    let first = store.claim_address(granted(new_claim(id, own, 1))).await.unwrap();
    assert_eq!(first, ClaimOutcome::Claimed);
    let second = store.claim_address(granted(new_claim(id, own, 2))).await.unwrap();
    assert_eq!(second, ClaimOutcome::GrantMissing);
    let renewed = NewClaim {
        renews: Some(token(1)),
        ..new_claim(id, own, 3)
    };
    assert_eq!(store.claim_address(renewed).await.unwrap(), ClaimOutcome::Claimed);
    assert_eq!(store.address_claim(other).await.unwrap(), None);
}

/// Only with the newest token, in its time, and once.
pub async fn an_address_is_proven_by_its_token(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let other = register_signed_in(&*store, 2).await;
    let made = store.claim_address(new_claim(id, own, 3)).await.unwrap();
    assert_eq!(made, ClaimOutcome::Claimed);
    let before = snapshot(&*store, id).await;
    assert_eq!(
        prove(&*store, (id, own), 4, 801).await,
        ProofOutcome::ClaimMissing
    );
    // What one account was mailed is of no use to another.
    assert_eq!(prove(&*store, other, 3, 802).await, ProofOutcome::ClaimMissing);
    let late = store
        .prove_address(id, own, &token(3), None, at(10_000), announced(803, id))
        .await
        .unwrap();
    assert_eq!(late, ProofOutcome::ClaimMissing);
    assert_eq!(snapshot(&*store, id).await, before);

    let ProofOutcome::Proven(proven) = prove(&*store, (id, own), 3, 804).await else {
        panic!("the token is good")
    };
    assert_eq!(proven.email.as_deref(), Some("Claimed-3@example.org"));
    assert!(proven.email_verified);
    assert_eq!(store.account(id).await.unwrap().as_ref(), Some(&proven));
    for spelling in ["Claimed-3@example.org", "claimed-3@EXAMPLE.org"] {
        let owner = store.address_owner(spelling).await.unwrap();
        assert_eq!(owner.as_ref(), Some(&proven), "{spelling}");
    }
    assert_eq!(store.address_claim(id).await.unwrap(), None);
    let after = snapshot(&*store, id).await;
    assert!(after.events.contains(&event(804, id)));
    assert_eq!(after.waiting_mails, before.waiting_mails + 1);
    assert_eq!(
        prove(&*store, (id, own), 3, 805).await,
        ProofOutcome::ClaimMissing
    );
}

/// An account that has proven one keeps it until it has proven another.
pub async fn a_proven_address_stays_until_the_next_is_proven(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    for n in [1, 2] {
        let made = store.claim_address(new_claim(id, own, n)).await.unwrap();
        assert_eq!(made, ClaimOutcome::Claimed);
        if n == 2 {
            let found = store.account(id).await.unwrap().unwrap();
            assert_eq!(found.email.as_deref(), Some("Claimed-1@example.org"));
            assert!(found.email_verified);
        }
        let proven = prove(&*store, (id, own), n, 800 + u128::from(n)).await;
        assert!(matches!(proven, ProofOutcome::Proven(_)));
    }
    assert_eq!(store.address_owner("claimed-1@example.org").await.unwrap(), None);
    let owner = store.address_owner("claimed-2@example.org").await.unwrap();
    assert_eq!(owner.map(|account| account.id), Some(id));
}

/// Not by a session that has ended meanwhile, nor by another account's: the token stays good.
pub async fn a_proof_needs_a_live_session(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let (_, others) = register_signed_in(&*store, 2).await;
    let made = store.claim_address(new_claim(id, own, 3)).await.unwrap();
    assert_eq!(made, ClaimOutcome::Claimed);
    let before = snapshot(&*store, id).await;
    for session in [others, session(id, 99).id] {
        let refused = prove(&*store, (id, session), 3, 801).await;
        assert_eq!(refused, ProofOutcome::SessionEnded);
    }
    assert_eq!(snapshot(&*store, id).await, before);
    let proven = prove(&*store, (id, own), 3, 802).await;
    assert!(matches!(proven, ProofOutcome::Proven(_)));
}

/// Where the event cannot be written, the address is not proven, and the token stays good.
pub async fn a_failed_proof_leaves_nothing(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    let made = store.claim_address(new_claim(id, own, 3)).await.unwrap();
    assert_eq!(made, ClaimOutcome::Claimed);
    let before = snapshot(&*store, id).await;
    let duplicate = announced(703, id);
    let failed = store
        .prove_address(id, own, &token(3), None, at(600), duplicate.clone())
        .await;
    assert!(failed.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    let again = NewClaim {
        audit: duplicate,
        ..new_claim(id, own, 4)
    };
    assert!(store.claim_address(again).await.is_err());
    assert_eq!(snapshot(&*store, id).await, before);
    assert_eq!(store.address_claim(id).await.unwrap(), Some(claim(id, 3)));
    assert!(matches!(
        prove(&*store, (id, own), 3, 801).await,
        ProofOutcome::Proven(_)
    ));
}

/// The others are told, and keep their claims.
pub async fn one_of_racing_accounts_proves_an_address(subject: impl DurableSubject) {
    let store = subject.store();
    let mut accounts = Vec::new();
    for n in 1..=6 {
        let (id, own) = register_signed_in(&*store, n).await;
        let same = NewClaim {
            claim: AddressClaim {
                // Upper and lower case make no difference.
                address: if n % 2 == 0 {
                    "same@example.org"
                } else {
                    "SAME@example.org"
                }
                .into(),
                ..claim(id, n)
            },
            ..new_claim(id, own, n)
        };
        let made = store.claim_address(same).await.unwrap();
        assert_eq!(made, ClaimOutcome::Claimed);
        accounts.push((id, own));
    }
    let contenders = accounts.clone();
    let answers = race(6, |n| {
        let (store, who) = (store.clone(), contenders[n]);
        let n = u8::try_from(n).unwrap() + 1;
        Box::pin(async move { prove(&*store, who, n, 800 + u128::from(n)).await })
    })
    .await;
    assert_eq!(count(&answers, &ProofOutcome::Taken), 5, "{answers:?}");
    let owner = store.address_owner("same@example.org").await.unwrap().unwrap();
    assert!(answers.contains(&ProofOutcome::Proven(owner.clone())));
    for (id, _) in accounts {
        let claimed = store.address_claim(id).await.unwrap().is_some();
        assert_eq!(claimed, id != owner.id);
    }
}

/// By whomever it is claimed, and only those of late.
pub async fn mails_to_an_address_are_counted(subject: impl DurableSubject) {
    let store = subject.store();
    assert_eq!(store.mails_to(&[7; 32], at(0)).await.unwrap(), 0);
    for (n, mails, mailed_at) in [(1, 2, 100), (2, 3, 200), (3, 4, 300)] {
        let (id, own) = register_signed_in(&*store, n).await;
        let same = NewClaim {
            claim: AddressClaim {
                address_hash: if n == 3 { [8; 32] } else { [7; 32] },
                mails,
                mailed_at: at(mailed_at),
                ..claim(id, n)
            },
            ..new_claim(id, own, n)
        };
        let made = store.claim_address(same).await.unwrap();
        assert_eq!(made, ClaimOutcome::Claimed);
    }
    assert_eq!(store.mails_to(&[7; 32], at(99)).await.unwrap(), 5);
    assert_eq!(store.mails_to(&[7; 32], at(100)).await.unwrap(), 3);
    assert_eq!(store.mails_to(&[7; 32], at(200)).await.unwrap(), 0);
    assert_eq!(store.mails_to(&[8; 32], at(0)).await.unwrap(), 4);
}

/// Whoever moves on, proves the address, loses the claim or goes altogether: the mails were sent.
pub async fn mails_of_claims_that_are_gone_are_counted(subject: impl DurableSubject) {
    let store = subject.store();
    let hash = [7; 32];
    let claimed = |account, session, n, mailed_at| NewClaim {
        claim: AddressClaim {
            address_hash: hash,
            mails: 1,
            mailed_at: at(mailed_at),
            ..claim(account, n)
        },
        mailed_since: at(0),
        ..new_claim(account, session, n)
    };
    let mut owners = Vec::new();
    for n in 1..=4 {
        let (id, own) = register_signed_in(&*store, n).await;
        let granted = store.commit_assertion(step_up(id, n, own)).await.unwrap();
        assert_eq!(granted, AssertionOutcome::Committed);
        let made = store.claim_address(claimed(id, own, n, 100)).await.unwrap();
        assert_eq!(made, ClaimOutcome::Claimed);
        owners.push((id, own));
    }
    assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), 4);

    let [
        (deleted, deleter),
        (moved, session),
        (proven, prover),
        (dropped, _),
    ] = owners[..]
    else {
        panic!("four owners");
    };
    // To another address, which gets no mail, and back; then for the same one again: there the claim itself counts on.
    let mut elsewhere = new_claim(moved, session, 2);
    elsewhere.claim.mails = 0;
    elsewhere.audit = event(9001, moved).into();
    assert_eq!(
        store.claim_address(elsewhere).await.unwrap(),
        ClaimOutcome::Claimed
    );
    assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), 4);
    for (mails, mailed_at, counted, number) in [
        (1, 200, 5, 9002),
        (1, 210, 6, 9003),
        (0, 220, 6, 9004),
        (0, 230, 6, 9005),
    ] {
        let mut back = claimed(moved, session, 2, mailed_at);
        back.claim.mails = mails;
        back.audit = event(number, moved).into();
        assert_eq!(store.claim_address(back).await.unwrap(), ClaimOutcome::Claimed);
        assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), counted);
    }
    // Without a mail nothing begins anew.
    assert_eq!(store.mails_to(&hash, at(209)).await.unwrap(), 2);
    assert_eq!(store.mails_to(&hash, at(210)).await.unwrap(), 0);
    // What was mailed long enough ago is not counted on.
    let mut later = claimed(moved, session, 2, 300);
    later.mailed_since = at(210);
    later.audit = event(9006, moved).into();
    assert_eq!(store.claim_address(later).await.unwrap(), ClaimOutcome::Claimed);
    assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), 5);

    let token = claim(proven, 3).token_hash;
    let audit = event(9007, proven).into();
    let proof = store.prove_address(proven, prover, &token, None, at(500), audit);
    assert!(matches!(proof.await.unwrap(), ProofOutcome::Proven(_)));
    assert!(store.address_claim(proven).await.unwrap().is_none());
    let gone = Deletion {
        account: deleted,
        ground: DeletionGround::Asked {
            session: deleter,
            uses_grant: PURPOSE.into(),
            at: at(500),
        },
        audit: event(9008, deleted).into(),
    };
    assert_eq!(
        store.delete_account(gone).await.unwrap(),
        DeletionOutcome::Deleted
    );
    assert_eq!(store.drop_expired_claims(at(50_000), 10).await.unwrap(), 2);
    assert!(store.address_claim(dropped).await.unwrap().is_none());
    assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), 5);
    assert_eq!(store.mails_to(&hash, at(100)).await.unwrap(), 1);

    for (until, forgotten) in [(99, 0), (100, 3), (100, 1), (100, 0)] {
        let answer = store.forget_claim_mails(at(until), 3).await;
        assert_eq!(answer.unwrap(), forgotten);
    }
    assert_eq!(store.mails_to(&hash, at(99)).await.unwrap(), 1);
}

/// With the address, unless the account has proven one before.
pub async fn expired_claims_are_dropped(subject: impl DurableSubject) {
    let store = subject.store();
    for n in 1..=3 {
        let (id, own) = register_signed_in(&*store, n).await;
        if n == 1 {
            let made = store.claim_address(new_claim(id, own, 11)).await.unwrap();
            assert_eq!(made, ClaimOutcome::Claimed);
            assert!(matches!(
                prove(&*store, (id, own), 11, 801).await,
                ProofOutcome::Proven(_)
            ));
        }
        let made = store.claim_address(new_claim(id, own, n)).await.unwrap();
        assert_eq!(made, ClaimOutcome::Claimed);
    }
    assert_eq!(store.drop_expired_claims(at(49_999), 10).await.unwrap(), 0);
    assert_eq!(store.drop_expired_claims(at(50_000), 2).await.unwrap(), 2);
    assert_eq!(store.drop_expired_claims(at(50_000), 2).await.unwrap(), 1);
    for n in 1..=3 {
        let id = account(n).id;
        assert_eq!(store.address_claim(id).await.unwrap(), None);
        let email = store.account(id).await.unwrap().unwrap().email;
        let kept = (n == 1).then_some("Claimed-11@example.org");
        assert_eq!(email.as_deref(), kept);
    }
    // Who remembers the account as it was finds that it has changed.
    let id = account(2).id;
    let signed_in = store.commit_assertion(login(id, 2, 99)).await.unwrap();
    assert_eq!(signed_in, AssertionOutcome::RecordChanged);
}

/// With the address its account takes the name that stands for it, unless somebody else is called that.
pub async fn a_proof_brings_its_name_along(subject: impl DurableSubject) {
    let store = subject.store();
    let (id, own) = register_signed_in(&*store, 1).await;
    register_signed_in(&*store, 2).await;
    let claimed = store.claim_address(new_claim(id, own, 3)).await.unwrap();
    assert_eq!(claimed, ClaimOutcome::Claimed);
    let prove = async |name, n| {
        let audit = announced(n, id);
        store
            .prove_address(id, own, &token(3), Some(name), at(600), audit)
            .await
            .unwrap()
    };
    let before = snapshot(&*store, id).await;
    assert_eq!(prove("user-2", 860).await, ProofOutcome::Taken);
    assert_eq!(snapshot(&*store, id).await, before);
    let ProofOutcome::Proven(account) = prove("@name", 861).await else {
        panic!("not proven");
    };
    assert_eq!(
        (account.username.as_str(), account.name()),
        ("@name", "Claimed-3@example.org")
    );
    assert_eq!(store.account(id).await.unwrap(), Some(account));
    assert!(!store.username_exists("user-1").await.unwrap());
    let found = store.account_named("@name").await.unwrap().unwrap();
    assert_eq!(found.id, id);
}
