//! The failure tests, several times in a row, and what they counted.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::gates::{cargo, shown};
use crate::summary::{Count, libtest};

/// How the tests begin the line in which they say what they counted, followed by the scenario's name and `: `.
const FIGURES: &str = "figures: ";

/// Numbers that are not added up: of these the largest counts.
const LARGEST: [&str; 2] = ["slowest answer", "recovered in"];

/// Runs them. `false`: one of them failed.
pub(crate) fn run(times: u32) -> anyhow::Result<bool> {
    let mut total = Count::default();
    let mut scenarios = BTreeMap::<String, Figures>::new();
    for time in 1..=times {
        println!("\n── failures, {time} of {times}");
        let began = Instant::now();
        let (succeeded, output) = shown(&mut cargo(&[
            "test",
            "--package",
            "keyhaven-server",
            "--test",
            "failures",
            "--locked",
            "--",
            "--nocapture",
            "--test-threads=1",
        ])?)?;
        let count = libtest(&output).of_run(succeeded);
        println!(
            "── failures, {time} of {times}: {} passed, {} failed in {} s",
            count.passed,
            count.failed,
            began.elapsed().as_secs()
        );
        total += count;
        for line in output.lines() {
            // The name of the test may stand before it, on the same line.
            let Some((_, figures)) = line.split_once(FIGURES) else {
                continue;
            };
            if let Some((scenario, counted)) = figures.split_once(": ") {
                let known = scenarios.entry(scenario.to_owned()).or_default();
                known.add(counted);
            }
        }
    }
    println!("\n── what {times} runs counted (times in ms: the longest)");
    for (scenario, figures) in &scenarios {
        println!("{scenario} ({} runs): {}", figures.runs, figures.text());
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

/// A scenario's numbers over all runs, with the words between them.
#[derive(Default)]
struct Figures {
    runs: u32,
    /// Each number, and the words before it.
    numbers: Vec<(String, u64)>,
    /// The words after the last.
    end: String,
}

impl Figures {
    fn add(&mut self, text: &str) {
        let (numbers, end) = numbers(text);
        self.runs += 1;
        self.end = end;
        if self.numbers.is_empty() {
            self.numbers = numbers;
            return;
        }
        for (words, number) in numbers {
            let known = self.numbers.iter_mut().find(|known| known.0 == words);
            match known {
                Some(known) if LARGEST.iter().any(|name| words.trim_end().ends_with(name)) => {
                    known.1 = known.1.max(number);
                }
                Some(known) => known.1 += number,
                None => self.numbers.push((words, number)),
            }
        }
    }

    fn text(&self) -> String {
        let numbers = self
            .numbers
            .iter()
            .map(|(words, number)| format!("{words}{number}"));
        numbers.chain([self.end.clone()]).collect()
    }
}

fn numbers(text: &str) -> (Vec<(String, u64)>, String) {
    let mut numbers = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        // A number that is a word of its own: not the 9 in `kill -9`, nor one within a name.
        let (piece, tail) = rest.split_at(length.max(character.len_utf8()));
        match piece.parse() {
            Ok(number) if words.is_empty() || words.ends_with([' ', '(']) => {
                numbers.push((std::mem::take(&mut words), number));
            }
            _ => words.push_str(piece),
        }
        rest = tail;
    }
    (numbers, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_and_of_times_the_longest_is_kept() {
        let mut figures = Figures::default();
        figures.add("3 sign-ins, 2 away; slowest answer 20 ms; recovered in 90 ms");
        figures.add("4 sign-ins, 5 away; slowest answer 10 ms; recovered in 95 ms");
        assert_eq!(
            figures.text(),
            "7 sign-ins, 7 away; slowest answer 20 ms; recovered in 95 ms"
        );
    }
}
