//! Sentinel and Cluster, of real servers.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use keyhaven_storage::{Allowance, Bucket, CeremonyId, CeremonyStore, LimitStore, PendingCeremony, Put};
use keyhaven_storage_redis::RedisStore;
use keyhaven_testkit::redis::{cluster, sentinels};
use keyhaven_types::UnixTime;

use crate::support::{fresh_rp_id, options, patient};
use crate::{NOW, bucket, ceremony, counted, id, open, works};

/// Tries until it works: fail-over takes a few seconds, and half a minute more where a Sentinel has noticed that the
/// machine stood still.
async fn works_again(store: &RedisStore) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        if store.ping().await.is_ok() {
            return works(store).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_that_sentinels_name_is_used_and_then_the_next_one() {
    let mut servers = sentinels().unwrap();
    let store = open(&servers.url());
    works(&store).await;
    for n in 2..=3 {
        assert_eq!(store.put(id(n), ceremony(), NOW).await.unwrap(), Put::Stored);
    }
    assert!(CeremonyStore::take(&store, id(2), NOW).await.unwrap().is_some());
    // One Sentinel that is away does not matter.
    servers.sentinels[0].kill();
    servers.servers[0].kill();
    works_again(&store).await;
    assert!(servers.servers[1].command(&["ROLE"]).contains("master"));
    // Whether the new master had heard that a ceremony was taken cannot be known: neither is given out.
    for n in 2..=3 {
        assert_eq!(CeremonyStore::take(&store, id(n), NOW).await.unwrap(), None);
    }
}

/// An id like the real ones: in any part.
fn random_id(n: u64) -> CeremonyId {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    CeremonyId(bytes)
}

/// A ceremony that lasts as long as thousands of calls may take.
fn lasting() -> PendingCeremony {
    PendingCeremony {
        expires_at: UnixTime::from_millis(NOW.as_millis() + 3_600_000),
        ..ceremony()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_shares_the_work_and_keeps_the_bound() {
    let mut servers = cluster().unwrap();
    let rp_id = fresh_rp_id();
    let store = RedisStore::new(&patient(&servers.url()), rp_id.clone(), 6_400).unwrap();
    works(&store).await;
    let mut stored = Vec::new();
    for n in 0..8_000 {
        match store.put(random_id(n), lasting(), NOW).await.unwrap() {
            Put::Stored => stored.push(n),
            Put::Full => {}
        }
    }
    // Never more than the bound, and not many less before the parts begin to be full.
    assert!((6_000..=6_400).contains(&stored.len()), "{}", stored.len());
    for node in &servers.nodes {
        let held = node.command(&["DBSIZE"]);
        let held: u64 = held.lines().next().unwrap()[1..].parse().unwrap();
        assert!(held > 1_000, "{held}");
    }
    for n in stored {
        assert_eq!(
            CeremonyStore::take(&store, random_id(n), NOW).await.unwrap(),
            Some(lasting())
        );
    }
    // Buckets that are near each other are decided together, those that are not, at the same time.
    let near = |n: u8, near: u8| Bucket {
        near: [near; 8],
        ..bucket(n, 2)
    };
    let mixed: Vec<_> = (10..20).map(|n| near(n, n % 2)).collect();
    // Now every node that is asked has the script.
    assert_eq!(
        LimitStore::take(&store, &mixed).await.unwrap(),
        Allowance::Granted
    );
    let (watched, count) = counted(store.clone());
    assert_eq!(
        LimitStore::take(&watched, &mixed).await.unwrap(),
        Allowance::Granted
    );
    assert_eq!(count.take(), 2);
    assert_ne!(
        LimitStore::take(&store, &[near(10, 0)]).await.unwrap(),
        Allowance::Granted
    );

    // With a node away, its part is an error, and the others are used.
    let store = RedisStore::new(&options(&servers.url()), rp_id, 6_400).unwrap();
    works_again(&store).await;
    servers.nodes[0].kill();
    let mut answers = HashSet::new();
    for n in 10_000..10_030 {
        answers.insert(store.put(random_id(n), ceremony(), NOW).await.is_ok());
    }
    assert!(answers.contains(&false));
    servers.nodes[0].run().unwrap();
    servers.wait().unwrap();
    works_again(&store).await;
    for n in 20_000..20_100 {
        let put = loop {
            match store.put(random_id(n), ceremony(), NOW).await {
                Ok(put) => break put,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        assert_eq!(put, Put::Stored);
        assert!(
            CeremonyStore::take(&store, random_id(n), NOW)
                .await
                .unwrap()
                .is_some()
        );
    }
    // All away, and back.
    for node in &mut servers.nodes {
        node.kill();
    }
    store.ping().await.unwrap_err();
    for node in &mut servers.nodes {
        node.run().unwrap();
    }
    servers.wait().unwrap();
    works_again(&store).await;
}
