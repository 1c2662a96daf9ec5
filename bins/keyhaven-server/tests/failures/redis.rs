//! Redis goes away, or the way to it: with PostgreSQL well, but for the ceremonies between start and finish.

use std::time::Duration;

use keyhaven_testkit::redis::Redis;
use keyhaven_testkit::tcp_proxy::{Conduct, Cut, Direction, TcpProxy};

use crate::cluster::Cluster;
use crate::load::Load;

/// It keeps nothing on disk: ceremonies that were begun are gone, and so refused, never accepted.
#[test]
fn redis_is_killed_and_has_forgotten() {
    let redis = Redis::start().unwrap();
    killed(
        redis,
        "Redis killed 3 times, forgetting everything",
        &["challenge_missing"],
    );
}

/// It writes down each command before it answers: nothing is refused that was begun, and what was finished stays so.
#[test]
fn redis_is_killed_and_remembers() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    killed(redis.unwrap(), "Redis killed 3 times, with its log on disk", &[]);
}

fn killed(redis: Redis, name: &str, explained: &'static [&'static str]) {
    let mut cluster = Cluster::start_with(redis);
    let load = Load::start(cluster.entrance(), explained);
    let mut recovery = Duration::ZERO;
    for _ in 0..3 {
        load.until_done(5);
        cluster.redis.as_mut().unwrap().kill();
        load.until_away(8);
        cluster.says_ready(false);
        cluster.redis.as_mut().unwrap().run().unwrap();
        recovery = recovery.max(load.until_recovered());
        cluster.says_ready(true);
    }
    cluster.finish(name, load, recovery);
}

#[test]
fn connections_to_redis_are_cut() {
    let cluster = Cluster::start_with(Redis::start().unwrap());
    let load = Load::start(cluster.entrance(), &[]);
    let mut recovery = Duration::ZERO;
    for round in 0..12_u64 {
        let how = if round % 2 == 0 { Cut::Reset } else { Cut::Finish };
        load.until_done(3);
        match round / 2 % 3 {
            0 => crate::until("a connection to cut", || to_redis(&cluster).cut(how) > 0).max(Duration::ZERO),
            // The command is carried out, and its answer is lost.
            1 => cut_and_mend(
                &cluster,
                &load,
                Direction::ToClient,
                Conduct::Cut { after: 0, how },
            ),
            // Half a command arrives.
            _ => cut_and_mend(
                &cluster,
                &load,
                Direction::ToServer,
                Conduct::Cut {
                    after: 50 + 70 * round,
                    how,
                },
            ),
        };
        recovery = recovery.max(load.until_recovered());
    }
    cluster.says_ready(true);
    cluster.finish("connections to Redis cut", load, recovery);
}

fn to_redis(cluster: &Cluster) -> &TcpProxy {
    cluster.to_redis.as_ref().unwrap()
}

fn cut_and_mend(cluster: &Cluster, load: &Load, direction: Direction, conduct: Conduct) -> Duration {
    to_redis(cluster).set(direction, conduct);
    let took = load.until_away(4);
    to_redis(cluster).pass();
    took
}

#[test]
fn the_way_to_redis_is_slow_and_then_silent() {
    let cluster = Cluster::start_with(Redis::start().unwrap());
    let load = Load::start(cluster.entrance(), &[]);
    load.until_done(3);
    // Slow is slow, and nothing else.
    to_redis(&cluster).set(Direction::ToClient, Conduct::Delay(Duration::from_millis(100)));
    load.until_done(3);
    let mut recovery = Duration::ZERO;
    for direction in [Direction::ToClient, Direction::ToServer] {
        to_redis(&cluster).pass();
        load.until_done(3);
        to_redis(&cluster).set(direction, Conduct::Hold);
        load.until_away(8);
        cluster.says_ready(false);
        to_redis(&cluster).pass();
        recovery = recovery.max(load.until_recovered());
        cluster.says_ready(true);
    }
    cluster.finish("the way to Redis slow, and silent twice", load, recovery);
}

/// Both at once, as where one machine with both is lost.
#[test]
fn postgres_and_redis_are_killed_together() {
    let mut cluster = Cluster::start_with(Redis::start().unwrap());
    let load = Load::start(cluster.entrance(), &["challenge_missing"]);
    load.until_done(5);
    cluster.redis.as_mut().unwrap().kill();
    cluster.postgres.kill();
    load.until_away(8);
    cluster.says_ready(false);
    cluster.postgres.run().unwrap();
    cluster.redis.as_mut().unwrap().run().unwrap();
    let recovery = load.until_recovered();
    cluster.says_ready(true);
    cluster.finish("PostgreSQL and Redis killed together", load, recovery);
}
