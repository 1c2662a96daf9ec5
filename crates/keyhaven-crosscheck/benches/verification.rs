//! Times of verification, and instruction counts. `cargo xtask bench` runs it and writes `docs/performance.md`.
//!
//! The machine may be busy with other things: every slice of a case is timed next to one of its baseline, a
//! quarter of a millisecond each, the cases in an order that rotates, over many rounds; what counts is the median of the ratios.
//!
//! Prints lines of fields with tabs between them: `time`, name, baseline, median ratio, its 25th and 75th percentile,
//! median and least nanoseconds; or `instructions`, name, count.

mod support;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use support::{Case, cases};

const SLICE: Duration = Duration::from_micros(250);
/// How often a case is repeated for its instruction count: each ceremony once.
const COUNTED: u32 = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => time(800),
        ["--rounds", rounds] => match rounds.parse() {
            Ok(rounds) => time(rounds),
            Err(_) => return usage(),
        },
        ["--instructions"] => instructions(),
        ["--repeat", name] => match cases().into_iter().find(|case| case.name == *name) {
            Some(mut case) => {
                // Once before it is counted, for what is set up at first use.
                (case.run)();
                let _ = repeat(&mut case, COUNTED);
            }
            None => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("verification [--rounds N | --instructions | --repeat CASE]");
    ExitCode::from(2)
}

/// What valgrind's toggle looks for.
#[inline(never)]
fn repeat(case: &mut Case, times: u32) -> Duration {
    let began = Instant::now();
    for _ in 0..times {
        (case.run)();
    }
    began.elapsed()
}

fn time(rounds: usize) {
    let mut cases = cases();
    let times: Vec<u32> = cases.iter_mut().map(times_in_a_slice).collect();
    let baselines: Vec<usize> = cases.iter().map(|case| position(&cases, case.baseline)).collect();
    let mut ratios = vec![Vec::with_capacity(rounds); cases.len()];
    let mut nanoseconds = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        for offset in 0..cases.len() {
            let index = (round + offset) % cases.len();
            let mut slice = |index: usize| {
                let took =
                    cases
                        .get_mut(index)
                        .zip(times.get(index))
                        .map_or(Duration::ZERO, |(case, &times)| {
                            // Once untimed: the case before has left the caches full of its own code.
                            (case.run)();
                            repeat(case, times) / times
                        });
                took.as_secs_f64() * 1e9
            };
            let baseline = baselines.get(index).copied().unwrap_or_default();
            let (of_case, of_baseline) = if round % 2 == 0 {
                let of_baseline = slice(baseline);
                (slice(index), of_baseline)
            } else {
                (slice(index), slice(baseline))
            };
            if let (Some(ratios), Some(nanoseconds)) = (ratios.get_mut(index), nanoseconds.get_mut(index)) {
                ratios.push(of_case / of_baseline);
                nanoseconds.push(of_case);
            }
        }
    }
    for (case, (mut ratios, mut nanoseconds)) in cases.iter().zip(ratios.into_iter().zip(nanoseconds)) {
        ratios.sort_by(f64::total_cmp);
        nanoseconds.sort_by(f64::total_cmp);
        println!(
            "time\t{}\t{}\t{:.4}\t{:.4}\t{:.4}\t{:.0}\t{:.0}",
            case.name,
            case.baseline,
            percentile(&ratios, 50),
            percentile(&ratios, 25),
            percentile(&ratios, 75),
            percentile(&nanoseconds, 50),
            percentile(&nanoseconds, 0)
        );
    }
}

fn position(cases: &[Case], name: &str) -> usize {
    cases
        .iter()
        .position(|case| case.name == name)
        .unwrap_or_default()
}

/// How many repetitions fill a slice; the case is warm afterwards.
fn times_in_a_slice(case: &mut Case) -> u32 {
    let mut times = 1;
    let mut least = Duration::MAX;
    for _ in 0..8 {
        least = least.min(repeat(case, times) / times);
        let fill = SLICE.as_nanos() / least.as_nanos().max(1);
        times = u32::try_from(fill).unwrap_or(u32::MAX).max(1);
    }
    times
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(f64::NAN)
}

/// Each case by itself under callgrind, counted inside [`repeat`] only.
fn instructions() {
    let Ok(binary) = std::env::current_exe() else {
        eprintln!("the bench does not find itself");
        return;
    };
    for case in cases() {
        let output = Command::new("valgrind")
            .args([
                "--tool=callgrind",
                "--toggle-collect=*verification::repeat*",
                "--callgrind-out-file=/dev/null",
            ])
            .arg(&binary)
            .args(["--repeat", case.name])
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else {
            eprintln!("no valgrind: instructions are not counted");
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr);
        let collected = text
            .lines()
            .find_map(|line| line.split_once("Collected :"))
            .and_then(|(_, count)| count.trim().parse::<u64>().ok());
        match collected {
            Some(count) if output.status.success() => {
                println!("instructions\t{}\t{}", case.name, count / u64::from(COUNTED));
            }
            _ => eprintln!("{}: not counted\n{text}", case.name),
        }
    }
}
