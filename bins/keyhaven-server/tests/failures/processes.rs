//! Server processes die, and others carry on.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::load::Load;

/// Each client keeps to one process, because that one remembers its ceremonies.
#[test]
fn a_process_is_killed_and_started_again() {
    let mut cluster = Cluster::start(2);
    // What its clients had begun is gone with a process that kept it in memory.
    let load = Load::start(cluster.entrance(), &["challenge_missing"]);
    let mut recovery = Duration::ZERO;
    for round in 0..6 {
        load.until_done(5);
        let server = &mut cluster.servers[round % 2];
        server.kill();
        load.until_cut(2);
        server.restart();
        recovery = recovery.max(load.until_done(1));
    }
    cluster.finish("kill -9 one of two processes, 6 times", load, recovery);
}
