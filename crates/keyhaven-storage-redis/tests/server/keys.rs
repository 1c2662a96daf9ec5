//! What is in Redis, and for how long.

use keyhaven_storage::{CeremonyStore, LimitStore, PendingCeremony, Put};
use keyhaven_storage_redis::RedisStore;
use keyhaven_testkit::redis::Redis;
use keyhaven_types::{RpId, UnixTime};

use crate::support::{fresh_rp_id, options};
use crate::{NOW, bucket, ceremony, id, open};

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_by_itself() {
    let redis = Redis::start().unwrap();
    let store = open(&redis.url());
    assert_eq!(store.put(id(1), ceremony(), NOW).await.unwrap(), Put::Stored);
    for end in [i64::MAX, i64::MIN, NOW.as_millis()] {
        let odd = PendingCeremony {
            expires_at: UnixTime::from_millis(end),
            ..ceremony()
        };
        let n = u8::try_from(end.rem_euclid(100)).unwrap() + 2;
        assert_eq!(store.put(id(n), odd, NOW).await.unwrap(), Put::Stored);
    }
    let _ = LimitStore::take(&store, &[bucket(1, 1), bucket(2, 100)])
        .await
        .unwrap();
    let keys = redis.command(&["KEYS", "*"]);
    let keys: Vec<&str> = keys
        .lines()
        .filter(|line| line.starts_with("keyhaven:"))
        .collect();
    assert!(keys.len() >= 5, "{keys:?}");
    for key in keys {
        let left = redis.command(&["PTTL", key]);
        let left: i64 = left.lines().next().unwrap()[1..].parse().unwrap();
        // -1 would be for ever; those of a moment are gone already.
        assert_ne!(left, -1, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_forgets_what_it_lists() {
    let redis = Redis::start().unwrap();
    let rp_id = RpId::new("example.org").unwrap();
    let store = RedisStore::new(&options(&redis.url()), rp_id, 100).unwrap();
    let listed = || {
        let answer = redis.command(&["ZCARD", "keyhaven:{example.org:0}:ceremonies"]);
        answer.lines().next().unwrap()[1..].parse::<u32>().unwrap()
    };
    for n in 0..100 {
        assert_eq!(store.put(id(n), ceremony(), NOW).await.unwrap(), Put::Stored);
    }
    assert_eq!(listed(), 100);
    assert!(CeremonyStore::take(&store, id(0), NOW).await.unwrap().is_some());
    assert_eq!(listed(), 99);
    // What Redis has dropped (or was made to) is listed until its end, and not for ever.
    let _ = redis.command(&[
        "EVAL",
        "for _, k in ipairs(redis.call('KEYS', '*ceremonies:*')) do redis.call('DEL', k) end",
        "0",
    ]);
    let later = UnixTime::from_millis(NOW.as_millis() + 60_000);
    let last = PendingCeremony {
        expires_at: UnixTime::from_millis(later.as_millis() + 60_000),
        ..ceremony()
    };
    for n in 100..102 {
        assert_eq!(store.put(id(n), last.clone(), later).await.unwrap(), Put::Stored);
    }
    assert_eq!(listed(), 2);
}

/// A process whose clock is far ahead sees its own ceremonies as the others' past, and leaves theirs alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_drops_nothing_of_others() {
    let redis = Redis::start().unwrap();
    let (rp_id, options) = (fresh_rp_id(), options(&redis.url()));
    let [right, ahead] = [(); 2].map(|()| RedisStore::new(&options, rp_id.clone(), 3).unwrap());
    let seconds = redis
        .command(&["TIME"])
        .lines()
        .nth(2)
        .unwrap()
        .parse::<i64>()
        .unwrap();
    let at = |hours: i64| UnixTime::from_millis((seconds + hours * 3_600) * 1_000);
    let until = |hours: i64| PendingCeremony {
        expires_at: UnixTime::from_millis(at(hours).as_millis() + 300_000),
        ..ceremony()
    };
    for n in 1..=2 {
        assert_eq!(right.put(id(n), until(0), at(0)).await.unwrap(), Put::Stored);
    }
    assert_eq!(ahead.purge_expired(at(5), 100).await.unwrap(), 0);
    assert_eq!(ahead.put(id(3), until(5), at(5)).await.unwrap(), Put::Stored);
    assert_eq!(ahead.put(id(4), until(5), at(5)).await.unwrap(), Put::Full);
    // Given out by none that thinks it is over.
    assert_eq!(CeremonyStore::take(&ahead, id(1), at(5)).await.unwrap(), None);
    assert!(CeremonyStore::take(&right, id(2), at(0)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn relying_parties_do_not_meet() {
    let redis = Redis::start().unwrap();
    let [one, other] = [(); 2].map(|()| RedisStore::new(&options(&redis.url()), fresh_rp_id(), 1).unwrap());
    assert_eq!(one.put(id(1), ceremony(), NOW).await.unwrap(), Put::Stored);
    assert_eq!(CeremonyStore::take(&other, id(1), NOW).await.unwrap(), None);
    assert_eq!(other.put(id(1), ceremony(), NOW).await.unwrap(), Put::Stored);
    for store in [&one, &other] {
        let granted = LimitStore::take(store, &[bucket(1, 1)]).await.unwrap();
        assert_eq!(granted, keyhaven_storage::Allowance::Granted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_beyond_the_bound_is_an_error() {
    let store = open(&keyhaven_testkit::redis::shared_url());
    for (len, fits) in [
        (RedisStore::MAX_PAYLOAD, true),
        (RedisStore::MAX_PAYLOAD + 1, false),
    ] {
        let large = PendingCeremony {
            payload: vec![0; len],
            ..ceremony()
        };
        assert_eq!(store.put(id(1), large, NOW).await.is_ok(), fits);
        assert_eq!(
            CeremonyStore::take(&store, id(1), NOW).await.unwrap().is_some(),
            fits
        );
    }
}
