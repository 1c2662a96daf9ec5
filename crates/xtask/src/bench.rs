//! `cargo xtask bench`: how long verification takes, beside its own signature verification and another implementation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::page::{PERFORMANCE, SCALE, part, with_part};
use crate::{circumstances, load, tools};

/// A case as the benches print it.
struct Timed {
    name: String,
    baseline: String,
    ratio: f64,
    /// The middle half of the rounds.
    spread: (f64, f64),
    nanoseconds: f64,
    least: f64,
}

/// A goal: a ratio of two cases of the same run, and the most it may be.
struct Goal {
    what: &'static str,
    case: &'static str,
    by: &'static str,
    at_most: f64,
}

const RAW: &str = "raw ES256, ring";

const GOALS: &[Goal] = &[
    Goal {
        what: "an ES256 assertion costs at most 1.05 of its signature",
        case: "assertion ES256, from JSON",
        by: RAW,
        at_most: 1.05,
    },
    Goal {
        what: "packed attestation with its chain costs at most 2.3 signatures",
        case: "registration packed x5c and chain, from JSON",
        by: RAW,
        at_most: 2.3,
    },
    Goal {
        what: "registration with `none` is faster than webauthn-rs-core's",
        case: "registration none, from JSON",
        by: "registration none, from JSON, webauthn-rs-core",
        at_most: 1.0,
    },
];

/// Said where the goals of logins are missed.
const WHY: &str = "\
    ### What is missed, and why\n\n\
    The parts leave out what such a server does beside them: it tells who asks and from where, bounds time and size, counts and\n\
    traces, draws a dozen random values, encrypts what session and event hold of a person, appends the event with its MAC, seals it\n\
    in a Merkle tree, and answers with the account and the passkey. None of it is much; together it is more than the signature.\n\
    In PostgreSQL one statement writes passkey, account, session, event and the event's place in the sealer's queue, with seven\n\
    entries in indexes and two foreign keys looked up. Through a bare client it costs five verifications before anything else is\n\
    done, so the goal for all of it, 6.5, could be reached only by storing less at a sign-in. That was weighed, and not done: the\n\
    event belongs into the transaction, and the keys keep wrong states out.\n\n";

/// Measures, prints, and writes `docs/performance.md`. `false`: a goal is missed.
pub(crate) fn run(instructions: bool) -> anyhow::Result<bool> {
    let (logins, logins_met) = load::bench()?;
    let timed = timed(&bench("verification", &[])?)?;
    let allocations = counts(&bench("allocations", &[])?, "allocations");
    let instructions = match (instructions, has_valgrind()) {
        (true, true) => counts(&bench("verification", &["--instructions"])?, "instructions"),
        (true, false) => {
            println!("no valgrind: instructions are not counted");
            BTreeMap::new()
        }
        (false, _) => BTreeMap::new(),
    };
    let table = table(&timed, &allocations, &instructions);
    let (goals, met) = goals(&timed);
    println!("{table}\n{goals}\n{logins}");
    let path = tools::root()?.join(PERFORMANCE);
    let old = std::fs::read_to_string(&path).context(PERFORMANCE)?;
    let new = document(&table, &goals, &logins, if logins_met { "" } else { WHY })?;
    // What `cargo xtask load scale` has written.
    let new = with_part(&new, SCALE, part(&old, SCALE).context(PERFORMANCE)?)?;
    std::fs::write(&path, new).context(PERFORMANCE)?;
    Ok(met && logins_met)
}

fn bench(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = tools::command("cargo")?
        .args([
            "bench",
            "--quiet",
            "--locked",
            "--package",
            "keyhaven-crosscheck",
            "--bench",
            name,
            "--",
        ])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the bench {name} failed");
    Ok(String::from_utf8(output.stdout)?)
}

fn timed(output: &str) -> anyhow::Result<Vec<Timed>> {
    let rows: Vec<Timed> = output.lines().filter_map(timed_row).collect();
    ensure!(!rows.is_empty(), "nothing was timed");
    Ok(rows)
}

fn timed_row(line: &str) -> Option<Timed> {
    let mut fields = line.split('\t');
    if fields.next()? != "time" {
        return None;
    }
    let (name, baseline) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let mut number = || fields.next()?.parse::<f64>().ok();
    Some(Timed {
        name,
        baseline,
        ratio: number()?,
        spread: (number()?, number()?),
        nanoseconds: number()?,
        least: number()?,
    })
}

/// The first number behind each name.
fn counts(output: &str, kind: &str) -> BTreeMap<String, u64> {
    output
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            (fields.next()? == kind).then_some(())?;
            Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
        })
        .collect()
}

fn table(
    timed: &[Timed],
    allocations: &BTreeMap<String, u64>,
    instructions: &BTreeMap<String, u64>,
) -> String {
    let mut out = String::from(
        "| case | ratio | middle half | divided by | median µs | least µs | allocations | instructions |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let cell = |counts: &BTreeMap<String, u64>, name: &str| {
        counts
            .get(name)
            .map_or_else(|| "–".to_owned(), ToString::to_string)
    };
    for row in timed {
        let _ = writeln!(
            out,
            "| {} | {:.3} | {:.3}–{:.3} | {} | {:.2} | {:.2} | {} | {} |",
            row.name,
            row.ratio,
            row.spread.0,
            row.spread.1,
            row.baseline,
            row.nanoseconds / 1000.0,
            row.least / 1000.0,
            cell(allocations, &row.name),
            cell(instructions, &row.name)
        );
    }
    out
}

/// A line for each goal, and whether all that were measured are met.
fn goals(timed: &[Timed]) -> (String, bool) {
    let mut out = String::new();
    let mut met = true;
    let find = |name: &str| timed.iter().find(|row| row.name == name);
    for goal in GOALS {
        let Some(case) = find(goal.case) else {
            continue;
        };
        // Ratios to one baseline can be divided by each other.
        let ratio = match find(goal.by) {
            Some(by) if case.baseline != by.name => case.ratio / by.ratio,
            _ => case.ratio,
        };
        let reached = ratio <= goal.at_most;
        met = met && reached;
        let verdict = if reached { "met" } else { "missed" };
        let _ = writeln!(out, "- {}: {ratio:.3}, {verdict}.", goal.what);
    }
    (out, met)
}

fn document(table: &str, goals: &str, logins: &str, why: &str) -> anyhow::Result<String> {
    Ok(format!(
        "# Performance\n\n\
         Written by `cargo xtask bench` {}, {}.\n\n\
         Each case runs in slices of a quarter of a millisecond, right after or before a slice of the case that it is\n\
         divided by, once untimed before each, the cases in an order that rotates, 800 rounds. The ratio is the median of the rounds' ratios;\n\
         the middle half of the rounds lies in the span given. Absolute times depend on the machine and on what else it\n\
         is doing; ratios and counts are what to compare. “Raw” is the library's own signature verification, the key in\n\
         the form in which it comes. Ceremonies are made by the software authenticator, sixteen per case, used in turn.\n\
         Allocations are counted in a run of their own. Instructions are callgrind's, in a run of their own; valgrind\n\
         hides some of the processor's instructions from the libraries, so they are for comparing one day with another.\n\n\
         {table}\nGoals:\n\n{goals}\n\
         Ed448 is below its raw verification because `crypto/ed448.rs` checks the equation itself, on the library's curve.\n\n\
         `webauthn-rs-core` is 0.6, through its public interface; its state is made before the clock starts.\n\n\
         ## Logins\n\n\
         A login is start and finish, 32 at a time on keep-alive connections, as a browser sends them, on the release\n\
         server. Its cost is the processor time of the server and of the stores behind it, from /proc, without the driver's. The\n\
         stores are on the same machine; PostgreSQL has `fsync` and `synchronous_commit` on. Everybody who signs in has done\n\
         so before, so that the server remembers the passkey (`ceremonies.known_credentials`).\n\n\
         The parts are measured without Keyhaven's code, in the same rounds: an axum server on tokio's usual threads that\n\
         answers the same requests with bodies of the same size and verifies one signature with ring before it answers a\n\
         finish; the same statements through bare tokio-postgres connections; the same commands through a bare Redis client.\n\
         “Raw” is ring's verification alone. Ratios are medians of the rounds' ratios; of store operations they are those of the\n\
         medians beside them.\n\n\
         {logins}\n\
         {why}\
         `cargo xtask load` measures rates, latencies and round trips.\n\n\
         ## Ten million passkeys\n\n\
         `cargo xtask load scale` compares latency at ten million stored passkeys with that at ten thousand, in turns of two seconds\n\
         on two databases of one PostgreSQL, with a server each that remembers no passkey.\n\n\
         <!-- {SCALE} -->\n<!-- /{SCALE} -->\n",
        circumstances::described()?,
        circumstances::compiler()?,
    ))
}

fn has_valgrind() -> bool {
    ["/usr/bin/valgrind", "/usr/local/bin/valgrind"]
        .iter()
        .any(|path| Path::new(path).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ratio: f64) -> Timed {
        let line = format!("time\t{name}\t{RAW}\t{ratio}\t1\t2\t3\t4");
        timed_row(&line).unwrap()
    }

    #[test]
    fn a_goal_is_judged_by_the_ratio_of_its_two_cases() {
        let mut rows = vec![row(RAW, 1.0), row(GOALS[0].case, 1.049)];
        assert!(goals(&rows).1);
        rows.extend([row(GOALS[2].case, 0.05), row(GOALS[2].by, 0.06)]);
        let (text, met) = goals(&rows);
        assert!(met && text.contains("0.833, met"), "{text}");
        rows[1] = row(GOALS[0].case, 1.051);
        let (text, met) = goals(&rows);
        assert!(!met && text.contains("1.051, missed"), "{text}");
    }

    #[test]
    fn lines_of_another_kind_are_passed_over() {
        assert_eq!(
            counts("allocations\ta\t3\t9\ninstructions\ta\t4\nx", "allocations")["a"],
            3
        );
        assert!(timed("allocations\ta\t3").is_err());
    }
}
