//! Counting: what the test runners say of themselves.

use std::ops::AddAssign;

/// How many passed and failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0 };
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1 };

    /// One check that passed or failed as a whole.
    pub(crate) const fn one(passed: bool) -> Self {
        if passed { Self::PASSED } else { Self::FAILED }
    }

    /// What a run is counted as that ended like this. A run that failed counts at least one failure, whatever it
    /// printed; a run of no tests at all is a failure.
    pub(crate) const fn of_run(self, succeeded: bool) -> Self {
        let failed = if self.failed == 0 && (!succeeded || self.passed == 0) {
            1
        } else {
            self.failed
        };
        Self {
            passed: self.passed,
            failed,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
    }
}

/// Counts by nextest's last line: `Summary [ 1.2s] 57 tests run: 56 passed (1 slow), 1 failed, 2 skipped`.
pub(crate) fn nextest(output: &str) -> Count {
    let Some(line) = output
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Summary ["))
    else {
        return Count::default();
    };
    let Some((_, counts)) = line.split_once("run:") else {
        return Count::default();
    };
    let number = |word: &str| {
        counts
            .split(',')
            .filter_map(|part| part.trim().split_once(' '))
            .filter(|(_, what)| what.starts_with(word))
            .filter_map(|(n, _)| n.parse::<u64>().ok())
            .sum::<u64>()
    };
    Count {
        passed: number("passed"),
        failed: number("failed")
            .saturating_add(number("timed out"))
            .saturating_add(number("exec failed")),
    }
}

/// What nextest tells behind its last summary: the tests that failed, and what they printed.
pub(crate) fn failures(output: &str) -> &str {
    output
        .rsplit_once(" Summary [")
        .and_then(|(_, behind)| behind.split_once('\n'))
        .map_or("", |(_, told)| told)
}

/// Counts by the lines of the standard harness: `test result: ok. 5 passed; 0 failed; …`.
pub(crate) fn libtest(output: &str) -> Count {
    let mut count = Count::default();
    for line in output
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("test result: "))
    {
        let number = |word: &str| {
            line.split([';', '.'])
                .filter_map(|part| part.trim().split_once(' '))
                .filter(|(_, what)| *what == word)
                .filter_map(|(n, _)| n.parse::<u64>().ok())
                .sum::<u64>()
        };
        count += Count {
            passed: number("passed"),
            failed: number("failed"),
        };
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_is_counted_by_its_last_line() {
        let output = "  Summary [   0.1s] 1 test run: 1 passed, 0 skipped\n\
            \x20    Summary [  30.2s] 57/60 tests run: 54 passed (1 slow), 2 failed, 1 timed out, 3 skipped\n";
        assert_eq!(
            nextest(output),
            Count {
                passed: 54,
                failed: 3
            }
        );
        assert_eq!(nextest("error: could not compile"), Count::default());
    }

    #[test]
    fn what_failed_is_told_behind_the_summary() {
        let output =
            "PASS a\nFAIL b\n     Summary [   0.1s] 2 tests run: 1 passed, 1 failed\n    FAIL b\n  why\n";
        assert_eq!(failures(output), "    FAIL b\n  why\n");
        let output = "PASS a\n     Summary [   0.1s] 1 test run: 1 passed\n";
        assert_eq!(failures(output), "");
        assert_eq!(failures("error: could not compile"), "");
    }

    #[test]
    fn every_result_of_the_standard_harness_counts() {
        let output = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.0s\n\
            test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(libtest(output), Count { passed: 7, failed: 3 });
    }

    #[test]
    fn a_run_that_broke_is_a_failure() {
        assert_eq!(Count::default().of_run(false), Count::FAILED);
        assert_eq!(Count::default().of_run(true), Count::FAILED);
        assert_eq!(
            Count { passed: 3, failed: 0 }.of_run(false),
            Count { passed: 3, failed: 1 }
        );
        assert_eq!(
            Count { passed: 3, failed: 2 }.of_run(false),
            Count { passed: 3, failed: 2 }
        );
        assert_eq!(
            Count { passed: 3, failed: 0 }.of_run(true),
            Count { passed: 3, failed: 0 }
        );
    }
}
