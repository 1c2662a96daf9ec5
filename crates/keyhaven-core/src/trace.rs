use crate::Step;

/// The steps of one verification in the order they were performed, each with the values it compared.
///
/// Asked for through [`verify_registration_traced`](crate::verify_registration_traced) and
/// [`verify_assertion_traced`](crate::verify_assertion_traced). It holds the challenge in clear: treat it like the
/// ceremony it describes, and do not log it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trace {
    entries: Vec<TraceEntry>,
}

/// One performed step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceEntry {
    /// Which step.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// What was compared, for a person.
    pub detail: String,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It refused: the last entry of a trace.
    Failed,
    /// It held.
    Passed,
    /// Policy or the input leaves nothing to check here.
    Skipped,
}

impl Outcome {
    /// `failed`, `passed` or `skipped`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
        }
    }
}

impl Trace {
    /// The entries so far, first step first.
    #[must_use]
    pub fn entries(&self) -> &[TraceEntry] {
        &self.entries
    }

    /// Marks where the verification ended: the step that refused, and its sentence.
    pub(crate) fn refuse(&mut self, step: Step, reason: &str) {
        match self.entries.last_mut() {
            Some(last) if last.step == step => {
                last.outcome = Outcome::Failed;
                last.detail.push_str(": ");
                last.detail.push_str(reason);
            }
            _ => self.entries.push(TraceEntry {
                step,
                outcome: Outcome::Failed,
                detail: reason.to_owned(),
            }),
        }
    }
}

/// Where the ceremonies report their steps: a [`Trace`], or [`NoTrace`], for which the detail is never built.
pub(crate) trait Tracer {
    /// A step is being performed; its text says what is compared. Called before the check, so that a refusal can
    /// be added to it.
    fn check(&mut self, step: Step, detail: impl FnOnce() -> String);
    /// A step has nothing to check.
    fn skip(&mut self, step: Step, detail: impl FnOnce() -> String);
}

/// Reports nothing, at no cost.
pub(crate) struct NoTrace;

impl Tracer for NoTrace {
    fn check(&mut self, _: Step, _: impl FnOnce() -> String) {}
    fn skip(&mut self, _: Step, _: impl FnOnce() -> String) {}
}

impl Tracer for Trace {
    fn check(&mut self, step: Step, detail: impl FnOnce() -> String) {
        self.entries.push(TraceEntry {
            step,
            outcome: Outcome::Passed,
            detail: detail(),
        });
    }

    fn skip(&mut self, step: Step, detail: impl FnOnce() -> String) {
        self.entries.push(TraceEntry {
            step,
            outcome: Outcome::Skipped,
            detail: detail(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_named() {
        let names = [Outcome::Failed, Outcome::Passed, Outcome::Skipped].map(Outcome::as_str);
        assert_eq!(names, ["failed", "passed", "skipped"]);
    }

    #[test]
    fn a_refusal_ends_the_step_it_belongs_to_or_is_a_step_of_its_own() {
        let mut trace = Trace::default();
        trace.skip(Step::Registration(1), || "nothing".into());
        trace.check(Step::Registration(2), || "compared".into());
        let mut ended = trace.clone();
        ended.refuse(Step::Registration(2), "unequal");
        trace.refuse(Step::Statement(2), "elsewhere");
        let shown = |trace: &Trace| -> Vec<String> {
            let line =
                |entry: &TraceEntry| format!("{} {} {}", entry.step, entry.outcome.as_str(), entry.detail);
            trace.entries().iter().map(line).collect()
        };
        assert_eq!(
            shown(&ended),
            ["L3 7.1.1 skipped nothing", "L3 7.1.2 failed compared: unequal"]
        );
        assert_eq!(
            shown(&trace),
            [
                "L3 7.1.1 skipped nothing",
                "L3 7.1.2 passed compared",
                "L3 8.2 failed elsewhere"
            ]
        );
    }
}
