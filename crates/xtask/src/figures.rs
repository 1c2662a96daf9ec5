//! The figures of the README: how large, how quick to start, how much memory when idle.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::tools;

/// Builds the release binary, starts it five times on fresh files, and prints medians.
pub(crate) fn measure() -> anyhow::Result<bool> {
    let build = Command::new("cargo")
        .args(["build", "--release", "--locked"])
        .current_dir(tools::root()?)
        .status()?;
    ensure!(build.success(), "the release build failed");
    let binary = tools::target()?.join("release/keyhaven");
    let size = std::fs::metadata(&binary)?.len();
    let directory = tools::target()?.join("figures");
    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..5 {
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)?;
        let (took, kib) = start(&binary, &directory)?;
        starts.push(took);
        resident.push(kib);
    }
    std::fs::remove_dir_all(&directory)?;
    starts.sort_unstable();
    resident.sort_unstable();
    println!("binary              {:.1} MB", tenths(size, 1_000_000));
    println!(
        "start to /health    {} ms (on fresh files, median of 5)",
        median(&starts)?.as_millis()
    );
    println!(
        "resident when idle  {:.1} MB (median of 5)",
        tenths(median(&resident)?.saturating_mul(1024), 1_000_000)
    );
    Ok(true)
}

/// How long until it answers, and how many KiB are resident two seconds later.
fn start(binary: &Path, directory: &Path) -> anyhow::Result<(Duration, u64)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let began = Instant::now();
    let child = Command::new(binary)
        .env("KEYHAVEN_LISTEN", format!("127.0.0.1:{port}"))
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn()
        .context("the server")?;
    let running = Running(child);
    while !answers(port) {
        ensure!(
            began.elapsed() < Duration::from_secs(20),
            "the server does not answer"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id()))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    let kib = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
    Ok((took, kib))
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) else {
        return false;
    };
    let mut answer = String::new();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn median<T: Copy>(sorted: &[T]) -> anyhow::Result<T> {
    sorted
        .get(sorted.len() / 2)
        .copied()
        .context("nothing was measured")
}

/// `n / unit` to one decimal.
fn tenths(n: u64, unit: u64) -> f64 {
    let tenths = u32::try_from(n.saturating_mul(10) / unit).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}
