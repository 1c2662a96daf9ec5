//! PostgreSQL goes away, or the way to it.

use std::time::Duration;

use keyhaven_testkit::tcp_proxy::{Conduct, Cut, Direction};

use crate::cluster::{Cluster, DATABASE};
use crate::load::Load;

#[test]
fn postgres_is_stopped_and_killed_and_comes_back() {
    let mut cluster = Cluster::start();
    let load = Load::start(cluster.entrance(), &[]);
    let mut recovery = Duration::ZERO;
    for round in 0..4 {
        load.until_done(5);
        if round % 2 == 0 {
            cluster.postgres.stop();
        } else {
            cluster.postgres.kill();
        }
        load.until_away(8);
        cluster.says_ready(false);
        cluster.postgres.run().unwrap();
        recovery = recovery.max(load.until_recovered());
        cluster.says_ready(true);
    }
    cluster.finish(
        "PostgreSQL stopped (twice in order, twice at once)",
        load,
        recovery,
    );
}

#[test]
fn connections_to_postgres_are_cut() {
    let cluster = Cluster::start();
    let load = Load::start(cluster.entrance(), &[]);
    let mut recovery = Duration::ZERO;
    for round in 0..12_u64 {
        let how = if round % 2 == 0 { Cut::Reset } else { Cut::Finish };
        load.until_done(3);
        match round / 2 % 3 {
            // What is open now, wherever it stands.
            0 => {
                until_some_are_cut(&cluster, how);
            }
            // The statement arrives and is carried out; its answer is lost.
            1 => cut_and_mend(
                &cluster,
                &load,
                Direction::ToClient,
                Conduct::Cut { after: 0, how },
            ),
            // Half a statement arrives, or half an answer.
            _ => {
                let direction = if round % 2 == 0 {
                    Direction::ToServer
                } else {
                    Direction::ToClient
                };
                let after = 100 + 150 * round;
                cut_and_mend(&cluster, &load, direction, Conduct::Cut { after, how });
            }
        }
        recovery = recovery.max(load.until_recovered());
    }
    cluster.says_ready(true);
    let cut = cluster.to_postgres.counts().cut;
    assert!(cut > 12, "only {cut} connections were cut");
    cluster.finish("connections to PostgreSQL cut", load, recovery);
}

/// Cuts until something was cut: between two statements a connection is open all the same.
fn until_some_are_cut(cluster: &Cluster, how: Cut) {
    crate::until("a connection to cut", || cluster.to_postgres.cut(how) > 0);
}

fn cut_and_mend(cluster: &Cluster, load: &Load, direction: Direction, conduct: Conduct) {
    cluster.to_postgres.set(direction, conduct);
    load.until_away(4);
    cluster.to_postgres.pass();
}

#[test]
fn the_way_to_postgres_is_slow_and_then_silent() {
    let cluster = Cluster::start();
    let load = Load::start(cluster.entrance(), &[]);
    load.until_done(3);
    // Slow is slow, and nothing else.
    cluster
        .to_postgres
        .set(Direction::ToClient, Conduct::Delay(Duration::from_millis(100)));
    load.until_done(3);
    // Answers are held: after 10 s at most everybody is told.
    let mut recovery = Duration::ZERO;
    for direction in [Direction::ToClient, Direction::ToServer] {
        cluster.to_postgres.pass();
        load.until_done(3);
        cluster.to_postgres.set(direction, Conduct::Hold);
        load.until_away(8);
        cluster.says_ready(false);
        // What was held arrives after all, when nobody waits for it any more.
        cluster.to_postgres.pass();
        recovery = recovery.max(load.until_recovered());
        cluster.says_ready(true);
    }
    cluster.finish("the way to PostgreSQL slow, and silent twice", load, recovery);
}

/// A primary that has become a standby, or is being moved.
#[test]
fn postgres_becomes_read_only() {
    let cluster = Cluster::start();
    let load = Load::start(cluster.entrance(), &[]);
    let mut recovery = Duration::ZERO;
    for _ in 0..2 {
        load.until_done(5);
        let sql = |sql: &str| cluster.postgres.run_sql("postgres", sql).unwrap();
        let read_only = |state: &str| {
            sql(&format!(
                "ALTER DATABASE {DATABASE} SET default_transaction_read_only = {state}"
            ));
            sql(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
            ));
        };
        read_only("on");
        load.until_away(20);
        // Without ending the sessions: connections that were opened meanwhile keep their setting.
        sql(&format!(
            "ALTER DATABASE {DATABASE} RESET default_transaction_read_only"
        ));
        recovery = recovery.max(load.until_recovered());
    }
    cluster.says_ready(true);
    cluster.finish("PostgreSQL read-only, twice", load, recovery);
}
