//! Whether the time of an answer tells what the answer itself does not: whether an account exists.
//!
//! Pairs of requests, one about somebody who exists and one about nobody, in changing order on one connection to a server
//! on this machine. A two-sided rank test (Mann-Whitney) says how probable such a difference is where there is none.
//! On a busy machine it finds less; it is no gate.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keyhaven_testkit::client::Client;
use keyhaven_testkit::process::Server;
use serde_json::{Value, json};

use crate::gates::cargo;
use crate::tools;

const WARM_UP: u32 = 50;
const PAIRS: u32 = 500;
const RUNS: u32 = 3;
/// Less probable than this, by chance alone, in two runs of three: there is a difference.
const IMPROBABLE: f64 = 0.001;
const FAILED_RUNS: u32 = 2;

/// Two requests whose answers must not differ, in time either.
struct Case {
    name: &'static str,
    /// How the server is configured, beside the usual.
    environment: &'static [(&'static str, &'static str)],
    /// Makes whoever exists.
    prepare: fn(&Server, &Client) -> anyhow::Result<()>,
    path: &'static str,
    /// The `n`th request about somebody who exists, and about nobody.
    known: fn(u32) -> Value,
    unknown: fn(u32) -> Value,
    /// What both are answered.
    status: u16,
}

const FALLBACK: &[(&str, &str)] = &[("KEYHAVEN_PASSWORDS__FALLBACK", "on")];
const WRONG: &str = "seven purple otters juggle";

const CASES: &[Case] = &[
    Case {
        name: "password login: an account with a password",
        environment: FALLBACK,
        prepare: |_, client| {
            let body = json!({"username": "somebody", "password": "correct horse battery staple"});
            let answer = client.post("/password/register", &body);
            ensure!(answer.is_ok_and(|answer| answer.status == 201), "registering");
            Ok(())
        },
        path: "/password/login",
        known: |_| json!({"username": "somebody", "password": WRONG}),
        unknown: |n| json!({"username": format!("nobdy{n:03}"), "password": WRONG}),
        status: 401,
    },
    Case {
        name: "password login: an account with a bcrypt hash of another system",
        environment: FALLBACK,
        prepare: |server, _| {
            // "correct horse battery staple" by libxcrypt at cost 8.
            let hash = "$2b$08$CCCCCCCCCCCCCCCCCCCCC.MGRfZ1euJNZlOxMSRFvo5GoqkUwpR/.";
            import(server, &json!({"username": "somebody", "passwordHash": hash}))
        },
        path: "/password/login",
        known: |_| json!({"username": "somebody", "password": WRONG}),
        unknown: |n| json!({"username": format!("nobdy{n:03}"), "password": WRONG}),
        status: 401,
    },
];

fn import(server: &Server, line: &Value) -> anyhow::Result<()> {
    let mut import = server
        .command(&["admin", "import-passwords", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = import.stdin.take().context("its input")?;
    writeln!(input, "{line}")?;
    drop(input);
    ensure!(import.wait()?.success(), "importing");
    Ok(())
}

/// Compares all cases. `false`: one of them tells who exists.
pub(crate) fn compare() -> anyhow::Result<bool> {
    ensure!(
        cargo(&["build", "--package", "keyhaven-server"])?
            .status()?
            .success(),
        "building the server"
    );
    let binary = tools::target()?.join("debug/keyhaven");
    let mut even = true;
    for case in CASES {
        println!("\n── {}", case.name);
        let mut environment = vec![("KEYHAVEN_RATE_LIMIT", "off")];
        environment.extend(case.environment);
        let server = Server::start(&binary.to_string_lossy(), &environment);
        let client = Client::new(server.origin());
        (case.prepare)(&server, &client)?;
        let mut failed = 0_u32;
        for run in 1..=RUNS {
            let (known, unknown) = case.measure(&client)?;
            let p = mann_whitney(&known, &unknown);
            println!(
                "run {run} of {RUNS}: {PAIRS} pairs, medians {:.3} and {:.3} ms, p = {p:.4}",
                median(&known) * 1e3,
                median(&unknown) * 1e3
            );
            failed += u32::from(p < IMPROBABLE);
        }
        let verdict = if failed >= FAILED_RUNS {
            even = false;
            "the time tells who exists"
        } else {
            "no difference was found"
        };
        println!("{verdict} ({failed} of {RUNS} runs with p < {IMPROBABLE})");
    }
    Ok(even)
}

impl Case {
    /// Seconds of each answer, about somebody and about nobody.
    fn measure(&self, client: &Client) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for n in 0..WARM_UP.saturating_add(PAIRS) {
            let mut pair = [(&mut known, (self.known)(n)), (&mut unknown, (self.unknown)(n))];
            // Whoever comes second finds warmer caches.
            if n % 2 == 1 {
                pair.reverse();
            }
            for (times, body) in pair {
                let began = Instant::now();
                let answer = client
                    .post(self.path, &body)
                    .map_err(|lost| anyhow::anyhow!("{lost:?}"))?;
                let took: Duration = began.elapsed();
                ensure!(
                    answer.status == self.status,
                    "{}: {} {}",
                    self.path,
                    answer.status,
                    answer.body
                );
                if n >= WARM_UP {
                    times.push(took.as_secs_f64());
                }
            }
        }
        Ok((known, unknown))
    }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How probable it is that two samples of one distribution differ in their ranks as much as these, in either direction:
/// the normal approximation, with its corrections for ties and continuity.
fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|time| (*time, true)).collect();
    all.extend(other.iter().map(|time| (*time, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut ties, mut below) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let count = number(equal.len());
        let rank = below + (count + 1.0) / 2.0;
        ranks += rank * number(equal.iter().filter(|(_, of_one)| *of_one).count());
        ties += count.powi(3) - count;
        below += count;
    }
    let (n, m) = (number(one.len()), number(other.len()));
    let total = n + m;
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    complementary_error(distance / std::f64::consts::SQRT_2)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// erfc(x) for x ≥ 0, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    series.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
    }

    #[test]
    fn the_rank_test_says_what_tables_say() {
        close(complementary_error(0.0), 1.0);
        close(complementary_error(1.0), 0.157_299);
        // A worked example: U = 2 of 5 and 5, z = 2.0889.
        let (one, other) = ([1.0, 2.0, 3.0, 5.0, 6.0], [4.0, 7.0, 8.0, 9.0, 10.0]);
        close(mann_whitney(&one, &other), 0.036_7);
        close(mann_whitney(&other, &one), 0.036_7);
    }

    #[test]
    fn equal_samples_do_not_differ_and_shifted_ones_do() {
        let times: Vec<f64> = (0..PAIRS).map(f64::from).collect();
        close(mann_whitney(&times, &times), 1.0);
        let shifted: Vec<f64> = times.iter().map(|time| time + 100.0).collect();
        assert!(mann_whitney(&times, &shifted) < IMPROBABLE);
        let barely: Vec<f64> = times.iter().map(|time| time + 1.0).collect();
        assert!(mann_whitney(&times, &barely) > IMPROBABLE);
        close(mann_whitney(&[1.0; 9], &[1.0; 9]), 1.0);
    }
}
