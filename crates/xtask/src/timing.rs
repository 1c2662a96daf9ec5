//! Whether the time of an answer tells what the answer itself does not: whether an account exists.
//!
//! Pairs of requests, one about somebody who exists and one about nobody, in an order by lot on one connection to a server
//! on this machine. A two-sided rank test (Mann-Whitney) says how probable such a difference is where there is none.
//! On a busy machine it finds less; it is no gate. The server is the one that is shipped, on SQLite.
#![expect(clippy::indexing_slicing, reason = "of JSON: what is not there is null")]

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keyhaven_testkit::authenticator::{SigningKey, SoftwareAuthenticator, base64url_decode};
use keyhaven_testkit::client::{Client, finish};
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
    /// Makes whoever exists, and tells how to ask about them.
    prepare: fn(&Server) -> anyhow::Result<Questions>,
    path: &'static str,
    /// What both are answered.
    status: u16,
}

/// The `n`th question about somebody who exists (`true`) or about nobody; `n` is never the same twice.
type Questions = Box<dyn FnMut(u32, bool) -> anyhow::Result<Value>>;

const FALLBACK: &[(&str, &str)] = &[("KEYHAVEN_PASSWORDS__FALLBACK", "on")];
const WRONG: &str = "seven purple otters juggle";

const CASES: &[Case] = &[
    Case {
        name: "password login: an account with a password",
        environment: FALLBACK,
        prepare: |server| {
            let body = json!({"username": "somebody", "password": "correct horse battery staple"});
            let answer = Client::new(server.origin()).post("/password/register", &body);
            ensure!(answer.is_ok_and(|answer| answer.status == 201), "registering");
            Ok(Box::new(wrong_password))
        },
        path: "/password/login",
        status: 401,
    },
    Case {
        name: "password login: an account with a bcrypt hash of another system",
        environment: FALLBACK,
        prepare: |server| {
            // "correct horse battery staple" by libxcrypt at cost 8.
            let hash = "$2b$08$CCCCCCCCCCCCCCCCCCCCC.MGRfZ1euJNZlOxMSRFvo5GoqkUwpR/.";
            import(server, &json!({"username": "somebody", "passwordHash": hash}))?;
            Ok(Box::new(wrong_password))
        },
        path: "/password/login",
        status: 401,
    },
    Case {
        name: "start of a sign-in: an account with a passkey",
        environment: &[],
        prepare: |server| {
            register(server, "somebody", None)?;
            Ok(Box::new(|n, known| Ok(json!({"username": name(n, known)}))))
        },
        path: "/login/start",
        status: 200,
    },
    Case {
        name: "finish of a sign-in: a passkey, and a signature by another key",
        environment: &[],
        prepare: |server| {
            let mut device = register(server, "somebody", None)?;
            let client = Client::new(server.origin());
            let options = post(&client, "/login/start", &json!({"username": "somebody"}))?;
            let draft = device.draft_assertion(&options["publicKey"], &server.origin());
            let draft = draft.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            let strange = SigningKey::new(-7, b"strange").context("a key")?;
            Ok(Box::new(move |n, known| {
                let started = post(&client, "/login/start", &json!({"username": name(n, known)}))?;
                let options = &started["publicKey"];
                let id = options["allowCredentials"][0]["id"]
                    .as_str()
                    .context("a credential")?;
                let mut draft = draft.clone();
                draft.key = strange.clone();
                draft.envelope_id = base64url_decode(id);
                draft.user_handle = None;
                draft.client_data.set("challenge", options["challenge"].clone());
                Ok(finish(&started, &draft.finish()))
            }))
        },
        path: "/login/finish",
        status: 401,
    },
    Case {
        name: "registration by address: an account that is called by it",
        environment: &[("KEYHAVEN_ACCOUNTS__IDENTIFIER", "email")],
        prepare: |server| {
            for n in 0..ASKED.div_ceil(REGISTRATION_CODES_A_DAY) {
                register_by_address(server, &address(n, true))?;
            }
            Ok(Box::new(|n, known| {
                Ok(json!({"email": address(n / REGISTRATION_CODES_A_DAY, known)}))
            }))
        },
        path: "/register/start",
        status: 202,
    },
    Case {
        name: "recovery: asking for a code",
        environment: &[],
        prepare: |server| {
            prove_addresses(server, ASKED.div_ceil(CODES_A_DAY))?;
            Ok(Box::new(|n, known| {
                Ok(json!({"email": address(n / CODES_A_DAY, known)}))
            }))
        },
        path: "/recovery/request-otp",
        status: 200,
    },
    Case {
        name: "recovery: a wrong code",
        environment: &[],
        prepare: |server| {
            let mut recoveries = asked_recoveries(server)?;
            Ok(Box::new(move |n, known| {
                Ok(json!({"recoveryId": recoveries(n, known)?, "otp": "000000"}))
            }))
        },
        path: "/recovery/verify-otp",
        status: 401,
    },
    Case {
        name: "recovery: a recovery code before the mailed one",
        environment: &[],
        prepare: |server| {
            let mut recoveries = asked_recoveries(server)?;
            Ok(Box::new(move |n, known| {
                Ok(json!({"recoveryId": recoveries(n, known)?, "code": RECOVERY_CODE}))
            }))
        },
        path: "/recovery/verify-code",
        status: 401,
    },
];

/// Questions of a case about somebody.
const ASKED: u32 = RUNS * (WARM_UP + PAIRS);
/// The most codes that one address is mailed in a day to register by.
const REGISTRATION_CODES_A_DAY: u32 = 4;
/// The most codes that one address is mailed in a day to recover by, and the tries that one of them has.
const CODES_A_DAY: u32 = 3;
const TRIES: u32 = 5;
/// A recovery code of nobody.
const RECOVERY_CODE: &str = "AAAA-AAAA-AAAA-AAAA";

/// Of somebody, or one that nobody has: as long, and another each time.
fn name(n: u32, known: bool) -> String {
    if known {
        "somebody".to_owned()
    } else {
        format!("nobo{n:04}")
    }
}

fn address(n: u32, known: bool) -> String {
    let who = if known { "somebody" } else { "anybodys" };
    format!("{who}{n:04}@example.org")
}

fn wrong_password(n: u32, known: bool) -> anyhow::Result<Value> {
    Ok(json!({"username": name(n, known), "password": WRONG}))
}

fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = client
        .post(path, body)
        .map_err(|lost| anyhow::anyhow!("{lost:?}"))?;
    ensure!(answer.is_success(), "{path}: {} {}", answer.status, answer.body);
    Ok(answer.body)
}

/// Registers a passkey, for an address that is proven at once.
fn register(server: &Server, name: &str, email: Option<&str>) -> anyhow::Result<SoftwareAuthenticator> {
    let client = Client::new(server.origin());
    let started = post(
        &client,
        "/register/start",
        &json!({"username": name, "email": email}),
    )?;
    let mut device = SoftwareAuthenticator::new(name);
    let credential = device.register(&started["publicKey"], &server.origin());
    let answer = client.post("/register/finish", &finish(&started, &credential));
    let answer = answer.map_err(|lost| anyhow::anyhow!("{lost:?}"))?;
    ensure!(answer.status == 201, "registering: {}", answer.body);
    if email.is_some() {
        let token = mailed(server, "#verify-email=")?;
        let verified = client.send(
            "POST",
            "/email/verify",
            Some(&answer.cookie()),
            Some(&json!({"token": token})),
        );
        ensure!(
            verified.is_ok_and(|answer| answer.is_success()),
            "proving an address"
        );
    }
    Ok(device)
}

/// Registers a passkey where accounts are called by their addresses.
fn register_by_address(server: &Server, email: &str) -> anyhow::Result<()> {
    let client = Client::new(server.origin());
    post(&client, "/register/start", &json!({"email": email}))?;
    let shown = mailed(server, "#register=")?;
    let (id, code) = shown.split_once('.').context("an id and a code")?;
    let started = post(
        &client,
        "/register/start",
        &json!({"emailProofId": id, "emailCode": code}),
    )?;
    let credential = SoftwareAuthenticator::new(email).register(&started["publicKey"], &server.origin());
    post(&client, "/register/finish", &finish(&started, &credential))?;
    Ok(())
}

/// What follows this mark in the only mail that is there. It is taken away.
fn mailed(server: &Server, mark: &str) -> anyhow::Result<String> {
    let folder = server.directory().join("keyhaven-mails");
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let mail: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            std::fs::remove_file(&path)?;
            let text = mail["text"].as_str().unwrap_or_default();
            let found = text
                .split_once(mark)
                .and_then(|(_, rest)| rest.split_whitespace().next());
            if let Some(found) = found {
                return Ok(found.to_owned());
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    anyhow::bail!("no mail came")
}

fn prove_addresses(server: &Server, accounts: u32) -> anyhow::Result<()> {
    for n in 0..accounts {
        register(server, &format!("person{n:04}"), Some(&address(n, true)))?;
    }
    Ok(())
}

/// Recoveries that were asked for, each good for [`TRIES`] tries; two of an address, which has no more tries than that.
fn asked_recoveries(
    server: &Server,
) -> anyhow::Result<impl FnMut(u32, bool) -> anyhow::Result<Value> + use<>> {
    const OF_ADDRESS: u32 = 2;
    let recoveries = ASKED.div_ceil(TRIES);
    prove_addresses(server, recoveries.div_ceil(OF_ADDRESS))?;
    let client = Client::new(server.origin());
    let mut ids = [Vec::new(), Vec::new()];
    for n in 0..recoveries {
        for (known, ids) in [false, true].into_iter().zip(&mut ids) {
            let body = json!({"email": address(n / OF_ADDRESS, known)});
            ids.push(post(&client, "/recovery/request-otp", &body)?["recoveryId"].clone());
        }
    }
    Ok(move |n: u32, known: bool| {
        let ids = ids.get(usize::from(known)).context("of both")?;
        let id = ids.get(usize::try_from(n / TRIES)?).context("enough of them")?;
        Ok(id.clone())
    })
}

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

/// Compares all cases, or those whose name has this in it. `false`: one of them tells who exists.
pub(crate) fn compare(only: Option<&str>) -> anyhow::Result<bool> {
    ensure!(
        cargo(&["build", "--release", "--package", "keyhaven-server"])?
            .status()?
            .success(),
        "building the server"
    );
    let binary = tools::target()?.join("release/keyhaven");
    let mut even = true;
    for case in CASES {
        if only.is_some_and(|only| !case.name.contains(only)) {
            continue;
        }
        println!("\n── {}", case.name);
        let mut environment = vec![("KEYHAVEN_RATE_LIMIT", "off")];
        environment.extend(case.environment);
        let server = Server::start(&binary.to_string_lossy(), &environment);
        let mut questions = (case.prepare)(&server)?;
        let mut failed = 0_u32;
        for run in 0..RUNS {
            let (known, unknown) = case.measure(&server, run, &mut questions)?;
            let p = mann_whitney(&known, &unknown);
            println!(
                "run {} of {RUNS}: {PAIRS} pairs, medians {:.3} and {:.3} ms, p = {p:.4}",
                run.saturating_add(1),
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
    fn measure(
        &self,
        server: &Server,
        run: u32,
        questions: &mut Questions,
    ) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let client = Client::new(server.origin());
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let pairs = WARM_UP.saturating_add(PAIRS);
        for n in 0..pairs {
            let nth = run.saturating_mul(pairs).saturating_add(n);
            let mut pair = [
                (&mut known, questions(nth, true)?),
                (&mut unknown, questions(nth, false)?),
            ];
            // Whoever comes second finds warmer caches. By lot: in a regular order each of the server's threads could get
            // questions of one kind alone.
            if lot(nth) {
                pair.reverse();
            }
            for (times, question) in pair {
                let began = Instant::now();
                let answer = client
                    .post(self.path, &question)
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

/// Heads or tails, the same ones each time.
fn lot(nth: u32) -> bool {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(nth);
    hasher.finish() % 2 == 1
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
