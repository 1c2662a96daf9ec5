//! Server processes die, and others carry on.

use std::time::Duration;

use keyhaven_testkit::redis::Redis;

use crate::cluster::Cluster;
use crate::load::Load;

/// Each client keeps to one process, because that one remembers its ceremonies.
#[test]
fn a_process_is_killed_and_started_again() {
    let mut cluster = Cluster::start();
    // What its clients had begun is gone with a process that kept it in memory.
    let load = Load::start(cluster.entrance(), &["challenge_missing"]);
    let mut recovery = Duration::ZERO;
    for round in 0..6 {
        load.until_done(5);
        let server = &mut cluster.servers[round % 2];
        server.kill();
        load.until_cut(2);
        server.restart();
        recovery = recovery.max(load.until_recovered());
    }
    cluster.finish("kill -9 one of two processes, 6 times", load, recovery);
}

/// What one process began another finishes, and a process that is killed takes no ceremony with it: nobody is refused.
#[test]
fn every_ceremony_begins_at_one_process_and_ends_at_another() {
    let mut cluster = Cluster::start_with(Redis::start().unwrap());
    let load = Load::start(cluster.entrance(), &[]);
    load.until_done(10);
    for front in &cluster.fronts {
        let given = front.counts().given;
        assert!(
            given[0].abs_diff(given[1]) <= 1,
            "requests given to each: {given:?}"
        );
    }
    let mut recovery = Duration::ZERO;
    for round in 0..4 {
        let server = &mut cluster.servers[round % 2];
        server.kill();
        // The other one serves all.
        load.until_done(3);
        server.restart();
        recovery = recovery.max(load.until_done(3));
    }
    let name = "every start on one process and its finish on the other, one of them killed 4 times";
    cluster.finish(name, load, recovery);
}
