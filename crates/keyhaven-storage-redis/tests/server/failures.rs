//! Redis is away, slow, restarted, or not set up as it must be.

use std::time::{Duration, Instant};

use keyhaven_storage::{Allowance, CeremonyStore, LimitStore, Put};
use keyhaven_storage_redis::RedisStore;
use keyhaven_testkit::redis::Redis;
use keyhaven_testkit::tcp_proxy::{Conduct, Cut, Direction, TcpProxy};

use crate::support::{fresh_rp_id, options};
use crate::{NOW, bucket, ceremony, counted, id, open, works};

/// Far more than the store takes to answer, far less than a hanging request.
const AT_ONCE: Duration = Duration::from_secs(20);

async fn refuses(store: &RedisStore) {
    let started = Instant::now();
    let away = store.ping().await.unwrap_err();
    assert_eq!(away.reason, "unreachable", "{away:?}");
    store.put(id(9), ceremony(), NOW).await.unwrap_err();
    CeremonyStore::take(store, id(9), NOW).await.unwrap_err();
    LimitStore::take(store, &[bucket(9, 1)]).await.unwrap_err();
    assert!(started.elapsed() < AT_ONCE);
}

/// A server that comes back is used again, by the first call or the next: the one that finds the connection broken.
async fn recovers(store: &RedisStore) {
    for _ in 0..1200 {
        if store.ping().await.is_ok() {
            return works(store).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_away_is_used_again() {
    let mut redis = Redis::start().unwrap();
    let store = open(&redis.url());
    works(&store).await;
    redis.stop();
    refuses(&store).await;
    redis.run().unwrap();
    recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_opens_before_its_redis() {
    let mut redis = Redis::start().unwrap();
    redis.stop();
    let store = open(&redis.url());
    refuses(&store).await;
    redis.run().unwrap();
    recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_is_an_error_and_then_used_again() {
    let redis = Redis::start().unwrap();
    let store = open(&redis.url());
    works(&store).await;
    let frozen = redis.freeze();
    let started = Instant::now();
    store.put(id(2), ceremony(), NOW).await.unwrap_err();
    // All of them at once: nobody queues behind another's patience.
    let many = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { CeremonyStore::take(&store, id(2), NOW).await.is_err() })
    });
    for refused in many.collect::<Vec<_>>() {
        assert!(refused.await.unwrap());
    }
    assert!(started.elapsed() < AT_ONCE);
    drop(frozen);
    recovers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_cut_is_made_again() {
    let redis = Redis::start().unwrap();
    let store = open(&redis.url());
    works(&store).await;
    for _ in 0..3 {
        let _ = redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        recovers(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_whose_answer_was_lost_is_an_error_and_then_gone() {
    let redis = Redis::start().unwrap();
    let proxy = TcpProxy::before(redis.port());
    let store = open(&format!("redis://127.0.0.1:{}", proxy.port()));
    works(&store).await;
    for (n, conduct) in [
        (
            2,
            Conduct::Cut {
                after: 0,
                how: Cut::Reset,
            },
        ),
        (3, Conduct::Hold),
    ] {
        assert_eq!(store.put(id(n), ceremony(), NOW).await.unwrap(), Put::Stored);
        proxy.set(Direction::ToClient, conduct);
        CeremonyStore::take(&store, id(n), NOW).await.unwrap_err();
        proxy.pass();
        recovers(&store).await;
        assert_eq!(CeremonyStore::take(&store, id(n), NOW).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_snapshot_brings_back_is_not_given_out_again() {
    let mut redis = Redis::start().unwrap();
    let (rp_id, options) = (fresh_rp_id(), options(&redis.url()));
    let store = RedisStore::new(&options, rp_id.clone(), 100).unwrap();
    for n in 1..=2 {
        assert_eq!(store.put(id(n), ceremony(), NOW).await.unwrap(), Put::Stored);
    }
    assert!(redis.command(&["SAVE"]).starts_with("+OK"));
    assert!(CeremonyStore::take(&store, id(1), NOW).await.unwrap().is_some());
    redis.kill();
    redis.run().unwrap();
    assert!(
        redis.command(&["DBSIZE"]).starts_with(":3"),
        "the snapshot was read"
    );
    // The one that was taken, and, because nobody can tell them apart any more, the one that was not.
    for store in [store.clone(), RedisStore::new(&options, rp_id, 100).unwrap()] {
        for n in 1..=2 {
            let taken = loop {
                if let Ok(taken) = CeremonyStore::take(&store, id(n), NOW).await {
                    break taken;
                }
            };
            assert_eq!(taken, None);
        }
    }
    works(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_may_drop_ceremonies_is_not_fit() {
    let redis = Redis::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).unwrap();
    let store = open(&redis.url());
    let unfit = store.ping().await.unwrap_err();
    assert_eq!(unfit.reason, "may_evict");
    let said = unfit.source.to_string();
    assert!(
        said.contains("allkeys-lru") && said.contains("noeviction"),
        "{said}"
    );
    let _ = redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    works(&store).await;
    // Full: an error, and nothing that is pending is lost for it.
    assert_eq!(store.put(id(3), ceremony(), NOW).await.unwrap(), Put::Stored);
    let _ = redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = store.put(id(4), ceremony(), NOW).await.unwrap_err();
    assert_eq!(full.reason, "full");
    assert!(CeremonyStore::take(&store, id(3), NOW).await.unwrap().is_some());
    let _ = redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    works(&store).await;
    let _ = redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
    for error in [
        store.ping().await.unwrap_err(),
        store.put(id(5), ceremony(), NOW).await.unwrap_err(),
    ] {
        assert_eq!(error.reason, "read_only");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_were_forgotten_are_sent_again() {
    let redis = Redis::start().unwrap();
    let store = open(&redis.url());
    works(&store).await;
    let (store, count) = counted(store);
    let login = async || {
        assert_eq!(store.put(id(1), ceremony(), NOW).await.unwrap(), Put::Stored);
        assert!(CeremonyStore::take(&store, id(1), NOW).await.unwrap().is_some());
        let buckets = [bucket(2, 9), bucket(3, 9)];
        assert_eq!(
            LimitStore::take(&store, &buckets).await.unwrap(),
            Allowance::Granted
        );
        count.take()
    };
    // One for each call: that is what a login costs.
    assert_eq!(login().await, 3);
    let _ = redis.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(login().await, 6);
    assert_eq!(login().await, 3);
}
