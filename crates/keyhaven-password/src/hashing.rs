use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, CustomizedPasswordHasher as _, Params, Version};

use crate::Password;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bounds on what is taken over, so that one stored hash cannot hold a server up.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;
const BCRYPT_COST: std::ops::RangeInclusive<u32> = 4..=16;

/// The hash is of a kind that is not known here, or asks for more work than is done for one password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this is no Argon2 or bcrypt hash, or it asks for too much")]
pub struct UnknownHash;

/// Memory ran out, or the like; says nothing about the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashingFailed;

/// What a comparison found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// The password, with a hash as made today.
    Right,
    /// The password, with a hash of other kind or parameters: hash it anew.
    RightButOld,
    /// Another password.
    Wrong,
}

/// Hashes a password to be stored, as a PHC string of at most 128 ASCII characters. The salt must be random.
///
/// # Errors
/// [`HashingFailed`]
pub fn hash(password: &Password, salt: &[u8; 16]) -> Result<String, HashingFailed> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashingFailed)?;
    Argon2::default()
        .hash_password_customized(
            password.prepared().as_bytes(),
            salt,
            Some(Algorithm::Argon2id.as_str()),
            Some(Version::V0x13.into()),
            params,
        )
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|_| HashingFailed)
}

/// Whether a hash can be compared with: for what is to be taken over from another system.
///
/// # Errors
/// [`UnknownHash`]
pub fn check_hash(stored: &str) -> Result<(), UnknownHash> {
    Stored::parse(stored).map(|_| ())
}

/// Compares a password with a stored hash, in the time that the hash's own parameters ask for.
///
/// # Errors
/// [`UnknownHash`]
pub fn verify(password: &Password, stored: &str) -> Result<Verdict, UnknownHash> {
    let stored = Stored::parse(stored)?;
    // What was typed matters only where another system hashed it unprepared. Both are compared in any case: how long it
    // takes depends on the password alone.
    let prepared = stored.matches(password.prepared());
    let typed = password.typed().is_some_and(|typed| stored.matches(typed));
    Ok(match (prepared, typed) {
        (true, _) if stored.is_current() => Verdict::Right,
        (false, false) => Verdict::Wrong,
        _ => Verdict::RightButOld,
    })
}

/// What a hash is, beside salt and result: its algorithm and how much work it asks for. Hashes of one kind take the same
/// time. As text the beginning of the hash, for example `$2b$12$`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HashKind {
    text: String,
    memory_kib: u32,
}

impl HashKind {
    /// The kind of a stored hash.
    ///
    /// # Errors
    /// [`UnknownHash`]
    pub fn of(stored: &str) -> Result<Self, UnknownHash> {
        match Stored::parse(stored)? {
            Stored::Argon2(hash) => {
                let params = Params::try_from(hash.as_ref()).map_err(|_| UnknownHash)?;
                let version = hash.version.unwrap_or_else(|| Version::V0x10.into());
                Ok(Self {
                    text: format!(
                        "${}$v={version}$m={},t={},p={}$",
                        hash.algorithm,
                        params.m_cost(),
                        params.t_cost(),
                        params.p_cost()
                    ),
                    memory_kib: params.m_cost(),
                })
            }
            Stored::Bcrypt(text) => {
                let parts: bcrypt::HashParts = text.parse().map_err(|_| UnknownHash)?;
                Ok(Self {
                    text: format!("$2b${:02}$", parts.get_cost()),
                    memory_kib: 4,
                })
            }
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    ///
    /// # Errors
    /// [`UnknownHash`]
    pub fn parse(text: &str) -> Result<Self, UnknownHash> {
        Self::of(&dummy_of(text))
    }

    /// The kind of hashes that are made today.
    #[must_use]
    pub fn current() -> Self {
        Self {
            text: format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"),
            memory_kib: MEMORY_KIB,
        }
    }

    /// As it is stored, at most 64 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How much memory one comparison needs, in KiB.
    #[must_use]
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// A hash of this kind that no known password has: comparing with it costs what comparing with a real one costs.
    fn dummy(&self) -> String {
        dummy_of(&self.text)
    }
}

fn dummy_of(kind: &str) -> String {
    // Salt and result, of the lengths that the algorithms' libraries make; bcrypt's end on bits that are zero.
    let rest = if kind.starts_with("$2") {
        "CCCCCCCCCCCCCCCCCCCCC.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA."
    } else {
        "a2V5aGF2ZW4gZHVtbXkgMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    };
    format!("{kind}{rest}")
}

/// Compares a password with a stored hash, or with none, in the same time either way: one comparison with a hash of each
/// of these kinds and of today's, the stored one among them, always in the same order: what a comparison costs depends on
/// what came before. How long it takes tells neither whether there is a hash nor of which kind it is, as long as its kind
/// is in the list.
///
/// # Errors
/// [`UnknownHash`]: the stored one is none.
pub fn verify_evenly(
    password: &Password,
    stored: Option<&str>,
    kinds: &[HashKind],
) -> Result<Verdict, UnknownHash> {
    let current = HashKind::current();
    let own = stored.map(HashKind::of).transpose()?;
    let mut all: Vec<&HashKind> = kinds.iter().chain([&current]).chain(&own).collect();
    all.sort();
    all.dedup();
    let mut verdict = Verdict::Wrong;
    for kind in all {
        match stored {
            Some(stored) if own.as_ref() == Some(kind) => verdict = verify(password, stored)?,
            _ => {
                let _ = verify(password, &kind.dummy())?;
            }
        }
    }
    Ok(verdict)
}

enum Stored<'a> {
    Argon2(Box<PasswordHash>),
    Bcrypt(&'a str),
}

impl<'a> Stored<'a> {
    fn parse(text: &'a str) -> Result<Self, UnknownHash> {
        if ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            let parts: bcrypt::HashParts = text.parse().map_err(|_| UnknownHash)?;
            return match BCRYPT_COST.contains(&parts.get_cost()) {
                true => Ok(Self::Bcrypt(text)),
                false => Err(UnknownHash),
            };
        }
        let hash = PasswordHash::new(text).map_err(|_| UnknownHash)?;
        Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| UnknownHash)?;
        let params = Params::try_from(&hash).map_err(|_| UnknownHash)?;
        let bounded = params.m_cost() <= MAX_MEMORY_KIB
            && params.t_cost() <= MAX_PASSES
            && params.p_cost() <= MAX_LANES;
        match bounded && hash.salt.is_some() && hash.hash.is_some() {
            true => Ok(Self::Argon2(Box::new(hash))),
            false => Err(UnknownHash),
        }
    }

    /// bcrypt looks at the first 72 bytes only; so did the system that made the hash.
    fn matches(&self, password: &str) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default()
                .verify_password(password.as_bytes(), hash.as_ref())
                .is_ok(),
            Self::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
        }
    }

    fn is_current(&self) -> bool {
        let Self::Argon2(hash) = self else {
            return false;
        };
        let Ok(params) = Params::try_from(hash.as_ref()) else {
            return false;
        };
        hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
            && hash.version == Some(Version::V0x13.into())
            && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn a_hash_is_argon2id_as_recommended_and_knows_its_password() {
        let stored = hash(&password("correct horse"), &[7; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(stored.len() <= 128);
        assert_eq!(verify(&password("correct horse"), &stored), Ok(Verdict::Right));
        assert_eq!(verify(&password("correct hors"), &stored), Ok(Verdict::Wrong));
        assert_ne!(stored, hash(&password("correct horse"), &[8; 16]).unwrap());
        // Typed in another way, the same password.
        let stored = hash(&password("caf\u{e9}"), &[7; 16]).unwrap();
        assert_eq!(verify(&password("cafe\u{301}"), &stored), Ok(Verdict::Right));
    }

    #[test]
    fn a_dummy_is_of_its_kind_and_knows_no_password() {
        assert_eq!(
            HashKind::of(&hash(&password("x"), &[7; 16]).unwrap()),
            Ok(HashKind::current())
        );
        let kinds = [
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$argon2i$v=16$m=65536,t=2,p=1$",
            "$2b$04$",
        ];
        for text in kinds {
            let kind = HashKind::parse(text).unwrap();
            assert_eq!(kind.as_str(), text);
            assert_eq!(HashKind::of(&kind.dummy()), Ok(kind.clone()));
            assert_eq!(
                verify(&password("password"), &kind.dummy()),
                Ok(Verdict::Wrong),
                "{text}"
            );
        }
        assert_eq!(HashKind::parse("$1$"), Err(UnknownHash));
        assert_eq!(HashKind::parse("$2b$31$"), Err(UnknownHash));
        // The three letters of bcrypt's versions are the same work.
        assert_eq!(
            HashKind::of("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
                .unwrap()
                .as_str(),
            "$2b$05$"
        );
    }

    #[test]
    fn an_even_comparison_finds_what_a_plain_one_finds() {
        let kinds = [HashKind::parse("$2b$04$").unwrap()];
        let bcrypt = bcrypt::hash_with_salt("correct horse", 4, [3; 16])
            .unwrap()
            .to_string();
        let argon2 = hash(&password("correct horse"), &[7; 16]).unwrap();
        for (stored, right) in [(&argon2, Verdict::Right), (&bcrypt, Verdict::RightButOld)] {
            let evenly = |text, kinds: &[HashKind]| verify_evenly(&password(text), Some(stored), kinds);
            assert_eq!(evenly("correct horse", &kinds), Ok(right));
            assert_eq!(
                evenly("correct horse", &[]),
                Ok(right),
                "a kind that is not listed"
            );
            assert_eq!(evenly("wrong horse", &kinds), Ok(Verdict::Wrong));
        }
        assert_eq!(
            verify_evenly(&password("correct horse"), None, &kinds),
            Ok(Verdict::Wrong)
        );
        assert_eq!(
            verify_evenly(&password("x"), Some("nonsense"), &kinds),
            Err(UnknownHash)
        );
    }

    #[test]
    fn hashes_of_other_systems_are_taken_over() {
        // From the test suites of the reference implementations: crypt_blowfish and phc-winner-argon2.
        for (text, stored) in [
            (
                "U*U",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
            (
                "password",
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            ),
        ] {
            assert_eq!(
                verify(&password(text), stored),
                Ok(Verdict::RightButOld),
                "{stored}"
            );
            assert_eq!(verify(&password("other"), stored), Ok(Verdict::Wrong), "{stored}");
        }
        let bcrypt = bcrypt::hash_with_salt("correct horse", 4, [3; 16]).unwrap();
        for version in [
            bcrypt::Version::TwoA,
            bcrypt::Version::TwoB,
            bcrypt::Version::TwoY,
        ] {
            let stored = bcrypt.format_for_version(version);
            assert_eq!(check_hash(&stored), Ok(()));
            assert_eq!(
                verify(&password("correct horse"), &stored),
                Ok(Verdict::RightButOld),
                "{stored}"
            );
            assert_eq!(
                verify(&password("wrong horse"), &stored),
                Ok(Verdict::Wrong),
                "{stored}"
            );
        }
        // The other system hashed what was typed.
        let decomposed = bcrypt::hash_with_salt("cafe\u{301}", 4, [3; 16])
            .unwrap()
            .to_string();
        assert_eq!(
            verify(&password("cafe\u{301}"), &decomposed),
            Ok(Verdict::RightButOld)
        );
    }

    #[test]
    fn what_asks_for_too_much_or_is_no_hash_is_refused() {
        for bad in [
            "",
            "correct horse",
            "$1$salt$hash",
            "$2b$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "$2b$12$short",
            "$argon2id$v=19$m=99999999,t=2,p=1$a2V5aGF2ZW4gZHVtbXkgMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=99,p=1$a2V5aGF2ZW4gZHVtbXkgMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=17,r=8,p=1$a2V5aGF2ZW4gZHVtbXkgMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(check_hash(bad), Err(UnknownHash), "{bad}");
            assert_eq!(verify(&password("correct horse"), bad), Err(UnknownHash), "{bad}");
        }
    }
}
