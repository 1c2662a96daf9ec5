//! The disk is full.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keyhaven_storage_sqlite::{SqliteOptions, SqliteStore};
use keyhaven_testkit::postgres::Postgres;
use keyhaven_testkit::process::{Server, TempDir};

use crate::cluster::{Cluster, ORIGIN};
use crate::conclude;
use crate::load::Load;

/// A file system in memory with room for very little.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`, with a line that says so, where this user may not mount one.
    fn new(megabytes: u32) -> Option<Self> {
        let directory = TempDir::new("disk");
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "keyhaven-test"])
            .arg(directory.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory));
        }
        println!("left out: a full disk. Only root may mount a small file system (mount -t tmpfs)");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        for piece in [64 * 1024, 4096] {
            while ballast.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Tables and indexes lie on a disk of their own, as they do in larger installations.
#[test]
fn the_disk_of_postgres_is_full() {
    let Some(disk) = SmallDisk::new(40) else { return };
    let space = disk.path().join("space");
    std::fs::create_dir(&space).unwrap();
    let postgres = Postgres::start().unwrap();
    postgres.own(&space).unwrap();
    let tablespace = format!("CREATE TABLESPACE small LOCATION '{}'", space.display());
    postgres.run_sql("postgres", &tablespace).unwrap();
    postgres
        .run_sql("postgres", "CREATE DATABASE keyhaven TABLESPACE small")
        .unwrap();
    let cluster = Cluster::on(postgres, None, &[&[], &[]]);
    let load = Load::start(cluster.entrance(), &[]);
    let mut recovery = Duration::ZERO;
    for _ in 0..2 {
        load.until_done(5);
        disk.fill();
        load.until_away(20);
        disk.make_room();
        recovery = recovery.max(load.until_recovered());
    }
    cluster.says_ready(true);
    cluster.finish("the disk of PostgreSQL full, twice", load, recovery);
}

#[test]
fn the_disk_of_sqlite_is_full() {
    let Some(disk) = SmallDisk::new(16) else { return };
    let binary = env!("CARGO_BIN_EXE_keyhaven");
    let file = disk.path().join("keyhaven.db");
    let server = sqlite_server(binary, &file);
    let load = Load::start(|_| server.origin(), &[]);
    let mut recovery = Duration::ZERO;
    for _ in 0..2 {
        load.until_done(5);
        disk.fill();
        load.until_away(20);
        disk.make_room();
        recovery = recovery.max(load.until_recovered());
    }
    conclude(
        "the disk of SQLite full, twice",
        "",
        &server,
        load,
        recovery,
        &file.with_extension("key"),
        async || store(&file).await,
    );
}

/// Without root: no file of the process may grow, as under a quota.
#[test]
fn the_files_of_sqlite_may_not_grow() {
    let directory = TempDir::new("quota");
    // What is ignored stays so: else the system would end the process rather than refuse to write.
    let starter = directory.path().join("keyhaven-under-quota");
    let script = format!(
        "#!/bin/sh\ntrap '' XFSZ\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_keyhaven")
    );
    std::fs::write(&starter, script).unwrap();
    std::fs::set_permissions(&starter, PermissionsExt::from_mode(0o755)).unwrap();
    let file = directory.path().join("keyhaven.db");
    let server = sqlite_server(starter.to_str().unwrap(), &file);
    let limit = |bytes: &str| {
        let pid = server.process_id().unwrap().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(
            set.is_ok_and(|status| status.success()),
            "prlimit is missing: it comes with util-linux"
        );
    };
    let load = Load::start(|_| server.origin(), &[]);
    let mut recovery = Duration::ZERO;
    for _ in 0..2 {
        load.until_done(5);
        limit("4096");
        load.until_away(20);
        limit("unlimited");
        recovery = recovery.max(load.until_recovered());
    }
    conclude(
        "the files of SQLite at their quota, twice",
        "",
        &server,
        load,
        recovery,
        &file.with_extension("key"),
        async || store(&file).await,
    );
}

fn sqlite_server(binary: &str, file: &Path) -> Server {
    let url = format!("sqlite:{}", file.display());
    let settings = [
        ("KEYHAVEN_DATABASE_URL", url.as_str()),
        ("KEYHAVEN_ORIGINS", ORIGIN),
        ("KEYHAVEN_RATE_LIMIT", "off"),
        ("KEYHAVEN_LOG__FILTER", "off"),
    ];
    Server::start(binary, &settings)
}

async fn store(file: &Path) -> SqliteStore {
    SqliteStore::open(&SqliteOptions::new(file)).await.unwrap()
}
