use std::time::Duration;

use super::{LimitSubject, count, race};
use crate::{Allowance, Bucket, LimitStore};

const MINUTE: Duration = Duration::from_secs(60);

fn bucket(n: u8, per_minute: u32) -> Bucket {
    Bucket {
        name: [n; 16],
        near: [7; 8],
        per_minute,
    }
}

async fn granted(store: &dyn LimitStore, buckets: &[Bucket]) -> bool {
    store.take(buckets).await.unwrap() == Allowance::Granted
}

/// How long one has to wait.
async fn refused(store: &dyn LimitStore, buckets: &[Bucket]) -> Duration {
    match store.take(buckets).await.unwrap() {
        Allowance::Granted => panic!("granted"),
        Allowance::Refused { retry_after } => retry_after,
    }
}

/// As many as its size get through at once; the next is told to wait for one, not for all.
pub async fn a_bucket_holds_a_minutes_worth(subject: impl LimitSubject) {
    let store = subject.store();
    for _ in 0..3 {
        assert!(granted(&*store, &[bucket(1, 3)]).await);
    }
    for _ in 0..10 {
        let wait = refused(&*store, &[bucket(1, 3)]).await;
        assert!(wait > Duration::ZERO && wait <= MINUTE / 3, "{wait:?}");
    }
}

/// A size of 0 would lock everybody out for ever: it counts as 1.
pub async fn a_bucket_of_none_holds_one(subject: impl LimitSubject) {
    let store = subject.store();
    assert!(granted(&*store, &[bucket(1, 0)]).await);
    assert!(refused(&*store, &[bucket(1, 0)]).await <= MINUTE);
}

/// Who waits as told gets through, and only one does.
pub async fn a_bucket_refills_as_it_told(subject: impl LimitSubject) {
    let store = subject.store();
    // Large enough that one is back after 50 ms, so it may refill while it is emptied.
    let bucket = bucket(1, 1_200);
    let mut wait = None;
    for _ in 0..20_000 {
        if let Allowance::Refused { retry_after } = store.take(&[bucket]).await.unwrap() {
            wait = Some(retry_after);
            break;
        }
    }
    let wait = wait.unwrap();
    assert!(wait <= MINUTE / 1_200, "{wait:?}");
    tokio::time::sleep(wait).await;
    assert!(granted(&*store, &[bucket]).await);
}

/// What any bucket refuses takes from none, whichever comes first.
pub async fn a_refusal_takes_from_no_bucket(subject: impl LimitSubject) {
    let store = subject.store();
    let (small, large) = (bucket(1, 1), bucket(2, 3));
    assert!(granted(&*store, &[small, large]).await);
    for _ in 0..10 {
        let _ = refused(&*store, &[small, large]).await;
        let _ = refused(&*store, &[large, small]).await;
    }
    for _ in 0..2 {
        assert!(granted(&*store, &[large]).await);
    }
    let _ = refused(&*store, &[large]).await;
    let fresh = bucket(3, 1);
    for buckets in [[fresh, large], [large, fresh]] {
        let _ = refused(&*store, &buckets).await;
    }
    assert!(granted(&*store, &[fresh]).await);
}

/// Each name has a bucket of its own.
pub async fn buckets_are_counted_apart(subject: impl LimitSubject) {
    let store = subject.store();
    for n in 0..20 {
        assert!(granted(&*store, &[bucket(n, 1)]).await, "{n}");
    }
    for n in 0..20 {
        let _ = refused(&*store, &[bucket(n, 1)]).await;
    }
    let elsewhere = Bucket {
        near: [8; 8],
        ..bucket(40, 1)
    };
    assert!(granted(&*store, &[bucket(41, 1), elsewhere]).await);
    let _ = refused(&*store, &[elsewhere]).await;
}

/// Nothing to count is nothing to refuse.
pub async fn no_bucket_refuses_nothing(subject: impl LimitSubject) {
    assert!(granted(&*subject.store(), &[]).await);
}

/// Two hundred at once get as much as the bucket holds, no more and no less.
pub async fn racing_attempts_get_what_the_bucket_holds(subject: impl LimitSubject) {
    let store = subject.store();
    // A bucket so small that it does not refill meanwhile.
    let answers = race(200, |_| {
        let store = store.clone();
        Box::pin(async move { granted(&*store, &[bucket(1, 3), bucket(2, 200)]).await })
    })
    .await;
    assert_eq!(count(&answers, &true), 3);
}

/// Of several, the first empty one names the time.
pub async fn the_first_empty_bucket_tells_how_long_to_wait(subject: impl LimitSubject) {
    let store = subject.store();
    let (quick, slow) = (bucket(1, 60), bucket(2, 1));
    assert!(granted(&*store, &[slow]).await);
    assert!(refused(&*store, &[quick, slow]).await > MINUTE / 60);
}
