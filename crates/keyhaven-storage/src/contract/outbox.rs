use super::samples::{
    account, all_mails, announced, at, credential_id, event, login, mail, newcomer, register, snapshot,
};
use super::{DurableSubject, race};
use crate::{
    Account, Aftermath, AssertionCommit, AssertionOutcome, DurableStore, MailId, NewRegistration,
    OutboxFigures, QueuedMail, RegistrationAccount, RegistrationOutcome, TakenMail,
};

async fn queue(store: &dyn DurableStore, n: u128, mails: Vec<QueuedMail>) {
    let event = event(n, account(1).id);
    store.append(Aftermath { event, mails }).await.unwrap();
}

fn ids(taken: &[TakenMail]) -> Vec<MailId> {
    taken.iter().map(|taken| taken.mail.id).collect()
}

/// Where a mail is given up the event is written; where somebody else has it, or it is gone, neither.
pub async fn a_given_up_mail_leaves_an_event(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    queue(&*store, 1, vec![mail(1, id)]).await;
    assert!(!store.give_mail_up(mail(1, id).id, 1, event(2, id)).await.unwrap());
    assert_eq!(store.take_mails(at(10), at(20), 1).await.unwrap().len(), 1);
    // An event that cannot be written keeps the mail.
    assert!(store.give_mail_up(mail(1, id).id, 1, event(1, id)).await.is_err());
    assert_eq!(store.outbox_figures().await.unwrap().waiting, 1);
    assert!(store.give_mail_up(mail(1, id).id, 1, event(2, id)).await.unwrap());
    assert_eq!(store.outbox_figures().await.unwrap(), OutboxFigures::default());
    assert!(!store.give_mail_up(mail(1, id).id, 1, event(3, id)).await.unwrap());
    let events = store.events_of(id, None, 10).await.unwrap();
    assert_eq!(events, [event(2, id), event(1, id)]);
}

/// An id in use is a mistake: nothing is written.
pub async fn a_mail_is_announced_once(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    store.append(announced(1, id)).await.unwrap();
    let again = Aftermath {
        mails: vec![mail(2, id), mail(1, id)],
        ..announced(2, id)
    };
    assert!(store.append(again).await.is_err());
    let twice = Aftermath {
        mails: vec![mail(3, id), mail(3, id)],
        ..announced(3, id)
    };
    assert!(store.append(twice).await.is_err());
    assert_eq!(store.events_of(id, None, 10).await.unwrap(), [event(1, id)]);
    assert_eq!(all_mails(&*store).await, [mail(1, id).id]);
}

/// Byte by byte, with an account or without one, up to the bound and not beyond.
pub async fn a_mail_reads_back(subject: impl DurableSubject) {
    let store = subject.store();
    let large = QueuedMail {
        account: None,
        sealed: (0..crate::MAX_MAIL_BYTES)
            .map(|n| u8::try_from(n % 256).unwrap())
            .collect(),
        ..mail(1, account(1).id)
    };
    let small = QueuedMail {
        sealed: vec![0],
        created_at: at(-1000),
        ..mail(2, account(1).id)
    };
    queue(&*store, 1, vec![large.clone(), small.clone()]).await;
    let figures = OutboxFigures {
        waiting: 2,
        oldest: Some(at(-1000)),
    };
    assert_eq!(store.outbox_figures().await.unwrap(), figures);
    let taken = store.take_mails(at(10), at(99), 10).await.unwrap();
    let mut expected: Vec<_> = [large, small]
        .map(|mail| TakenMail {
            mail: QueuedMail {
                due_at: at(99),
                ..mail
            },
            attempt: 1,
        })
        .into();
    expected.sort_by_key(|taken| taken.mail.id);
    let mut read = taken;
    read.sort_by_key(|taken| taken.mail.id);
    assert_eq!(read, expected);

    for (n, sealed) in [(3, Vec::new()), (4, vec![0; crate::MAX_MAIL_BYTES + 1])] {
        let odd = QueuedMail {
            sealed,
            ..mail(n, account(1).id)
        };
        let aftermath = Aftermath {
            mails: vec![odd],
            ..announced(n, account(1).id)
        };
        assert!(store.append(aftermath).await.is_err());
    }
    assert_eq!(store.events_of(account(1).id, None, 10).await.unwrap().len(), 1);
}

/// Until then nobody gets it; without a word, when the lease is over.
pub async fn a_mail_that_was_tried_comes_again_when_told(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    queue(&*store, 1, vec![mail(1, id)]).await;
    assert_eq!(store.take_mails(at(9), at(20), 10).await.unwrap(), []);
    assert_eq!(store.take_mails(at(10), at(20), 10).await.unwrap()[0].attempt, 1);
    assert_eq!(store.take_mails(at(19), at(99), 10).await.unwrap(), []);
    assert_eq!(store.take_mails(at(20), at(30), 10).await.unwrap()[0].attempt, 2);
    assert!(store.retry_mail(mail(1, id).id, 2, at(500)).await.unwrap());
    assert_eq!(store.take_mails(at(499), at(999), 10).await.unwrap(), []);
    assert_eq!(
        store.take_mails(at(500), at(999), 10).await.unwrap()[0].attempt,
        3
    );
}

/// What a commit is refused for keeps its mails from being sent, too.
pub async fn a_refused_commit_sends_no_mail(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let first = NewRegistration {
        audit: announced(1, id),
        ..newcomer(1)
    };
    register(&*store, first).await;
    assert_eq!(all_mails(&*store).await, [mail(1, id).id]);
    let before = snapshot(&*store, id).await;

    let namesake = Account {
        username: account(1).username,
        ..account(2)
    };
    let taken = NewRegistration {
        account: RegistrationAccount::New(namesake),
        audit: announced(2, id),
        ..newcomer(2)
    };
    let taken = store.commit_registration(taken).await.unwrap();
    assert_eq!(taken, RegistrationOutcome::UsernameTaken);
    let lost = AssertionCommit {
        expected_sign_count: keyhaven_types::SignCount(6),
        audit: announced(3, id),
        ..login(id, 1, 1)
    };
    let lost = store.commit_assertion(lost).await.unwrap();
    assert_eq!(lost, AssertionOutcome::RecordChanged);
    let renamed = store
        .rename_credential(id, &credential_id(9), "name", announced(4, id))
        .await;
    assert_eq!(renamed.unwrap(), None);
    assert_eq!(snapshot(&*store, id).await, before);

    let login = AssertionCommit {
        audit: announced(5, id),
        ..login(id, 1, 1)
    };
    assert_eq!(
        store.commit_assertion(login).await.unwrap(),
        AssertionOutcome::Committed
    );
    assert_eq!(
        snapshot(&*store, id).await.waiting_mails,
        before.waiting_mails + 1
    );
}

/// Handed over, it is dropped.
pub async fn a_sent_mail_is_gone(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    queue(&*store, 1, vec![mail(1, id), mail(2, id)]).await;
    assert_eq!(store.take_mails(at(10), at(20), 1).await.unwrap().len(), 1);
    assert!(store.mail_sent(mail(1, id).id, 1).await.unwrap());
    assert!(!store.mail_sent(mail(1, id).id, 1).await.unwrap());
    assert_eq!(all_mails(&*store).await, [mail(2, id).id]);
}

/// And at most as many as asked for.
pub async fn mails_are_taken_in_the_order_they_are_due(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    let due = |n: u128, due_at: i64| QueuedMail {
        due_at: at(due_at),
        ..mail(n, id)
    };
    queue(
        &*store,
        1,
        vec![due(1, 40), due(2, 10), due(3, 30), due(4, 20), due(5, 50)],
    )
    .await;
    let mut first = ids(&store.take_mails(at(40), at(100), 2).await.unwrap());
    first.sort();
    assert_eq!(first, [mail(2, id).id, mail(4, id).id]);
    let mut rest = ids(&store.take_mails(at(40), at(100), 9).await.unwrap());
    rest.sort();
    assert_eq!(rest, [mail(1, id).id, mail(3, id).id]);
}

/// Each mail goes to one of them.
pub async fn racing_takers_share_the_mails(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    queue(&*store, 1, (1..=40).map(|n| mail(n, id)).collect()).await;
    let taken = race(8, |_| {
        let store = store.clone();
        Box::pin(async move { ids(&store.take_mails(at(10), at(20), 10).await.unwrap()) })
    })
    .await;
    let mut all = taken.concat();
    // One that came while the others held the oldest may have found none: they wait for the next round.
    all.extend(ids(&store.take_mails(at(10), at(20), 40).await.unwrap()));
    all.sort();
    assert_eq!(all, (1..=40).map(|n| mail(n, id).id).collect::<Vec<_>>());
}

/// Whoever held a mail before, and was thought dead, can neither drop nor move it.
pub async fn the_last_taker_alone_is_believed(subject: impl DurableSubject) {
    let store = subject.store();
    let id = account(1).id;
    queue(&*store, 1, vec![mail(1, id)]).await;
    store.take_mails(at(10), at(20), 1).await.unwrap();
    store.take_mails(at(20), at(30), 1).await.unwrap();
    let mail = mail(1, id).id;
    assert!(!store.mail_sent(mail, 1).await.unwrap());
    assert!(!store.retry_mail(mail, 1, at(0)).await.unwrap());
    assert!(!store.give_mail_up(mail, 1, event(2, id)).await.unwrap());
    assert_eq!(store.take_mails(at(29), at(40), 1).await.unwrap(), []);
    assert!(store.mail_sent(mail, 2).await.unwrap());
}
