use std::fmt;

/// A numbered step of the specification. Shown as `L3 7.1.8`, `L3 7.2.21` or, for an attestation statement, `L3 8.2`.
///
/// Numbers are those of the WebAuthn Level 3 editor's draft of 2026-07-30, w3c/webauthn commit 146d0db0; other
/// snapshots shift several of them by one or two.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// A step of §7.1 "Registering a New Credential", 1 to 29.
    Registration(u8),
    /// A step of §7.2 "Verifying an Authentication Assertion", 1 to 25.
    Assertion(u8),
    /// A section of §8 "Defined Attestation Statement Formats", 2 (packed) to 9 (compound).
    Statement(u8),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registration(number) => write!(f, "L3 7.1.{number}"),
            Self::Assertion(number) => write!(f, "L3 7.2.{number}"),
            Self::Statement(section) => write!(f, "L3 8.{section}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_written_as_the_contract_says() {
        assert_eq!(Step::Registration(8).to_string(), "L3 7.1.8");
        assert_eq!(Step::Assertion(21).to_string(), "L3 7.2.21");
        assert_eq!(Step::Statement(2).to_string(), "L3 8.2");
    }
}
