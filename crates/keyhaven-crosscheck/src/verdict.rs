use std::fmt;

/// What comparing the two implementations gave.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// The other one has nothing to say about this.
    Abstain {
        /// Why not.
        why: Abstention,
    },
    /// Both accept, and read the same facts; or both refuse, for whatever reason.
    Agree,
    /// One accepts what the other refuses, or they read different facts.
    Disagree {
        /// What `keyhaven-core` says.
        ours: Opinion,
        /// What the other one says.
        theirs: Opinion,
    },
}

/// One implementation's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Opinion {
    /// It accepts.
    Accepted(Facts),
    /// It refuses.
    Refused {
        /// Its reason: a code and a step of ours, an error's name of theirs.
        reason: String,
    },
}

/// What both implementations read from a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// The credential.
    pub credential_id: Vec<u8>,
    /// The sign count received.
    pub sign_count: u32,
    /// UV.
    pub user_verified: bool,
    /// BE.
    pub backup_eligible: bool,
    /// BS.
    pub backup_state: bool,
}

/// Why the other implementation is not asked, or not listened to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Abstention {
    /// It verifies ES256, ES384 and RS256 only.
    Algorithm {
        /// The COSE identifier.
        identifier: i64,
    },
    /// It is asked about `none` and `packed` only.
    Format {
        /// The format's identifier.
        identifier: String,
    },
    /// Our refusal enforces something that it has no word for.
    OursAlone {
        /// The refusal's code.
        code: &'static str,
    },
    /// It panicked.
    Panicked,
    /// It cannot be told this.
    Untold {
        /// What.
        what: &'static str,
    },
}

impl Verdict {
    /// `agree`, `disagree` or `abstain`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Abstain { .. } => "abstain",
            Self::Agree => "agree",
            Self::Disagree { .. } => "disagree",
        }
    }

    pub(crate) fn of(ours: Opinion, theirs: Opinion) -> Self {
        match (&ours, &theirs) {
            (Opinion::Refused { .. }, Opinion::Refused { .. }) => Self::Agree,
            (Opinion::Accepted(a), Opinion::Accepted(b)) if a == b => Self::Agree,
            _ => Self::Disagree { ours, theirs },
        }
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(facts) => write!(
                f,
                "accepted with signCount {}, UV {}, BE {}, BS {}",
                facts.sign_count, facts.user_verified, facts.backup_eligible, facts.backup_state
            ),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
        }
    }
}

impl fmt::Display for Abstention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm { identifier } => write!(f, "algorithm {identifier} is not covered"),
            Self::Format { identifier } => write!(f, "format {identifier:?} is not covered"),
            Self::OursAlone { code } => write!(f, "{code} is a rule of ours alone"),
            Self::Panicked => f.write_str("it panicked"),
            Self::Untold { what } => write!(f, "it cannot be told of {what}"),
        }
    }
}
