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

/// A hash of today's parameters that no known password has: comparing with it costs what comparing with a real one
/// costs.
pub const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$a2V5aGF2ZW4gZHVtbXkgMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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
    fn the_dummy_costs_the_same_and_knows_no_password() {
        let dummy = Stored::parse(DUMMY).unwrap();
        assert!(dummy.is_current());
        assert_eq!(verify(&password("password"), DUMMY), Ok(Verdict::Wrong));
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
