use zxcvbn::Score;

use crate::Password;

/// Which new passwords are acceptable. Old ones are compared, never judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    min_chars: usize,
    min_score: Score,
}

/// Why a password is not acceptable.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unacceptable {
    /// It is on lists of passwords in use, or a simple change of one, or made of the account's own names.
    #[error("the password is too easy to guess: it is common, or made of your name or this service's")]
    Guessable,
    /// It is too short.
    #[error("the password must have at least {min_chars} characters")]
    TooShort {
        /// So many characters are needed.
        min_chars: usize,
    },
}

impl Rules {
    /// For a password that is the only factor: 15 characters at least (NIST SP 800-63B-4 §3.1.1.2), not found within
    /// 10^8 guesses.
    pub const ONLY_FACTOR: Self = Self {
        min_chars: 15,
        min_score: Score::Three,
    };

    /// For a password that is asked for together with a passkey: 8 characters at least, not found within 10^6 guesses.
    pub const ONE_OF_TWO: Self = Self {
        min_chars: 8,
        min_score: Score::Two,
    };

    /// Judges a new password. `context` are words that an attacker tries first: the username, the e-mail address, the
    /// name of the service.
    ///
    /// The blocklist is `zxcvbn`'s: 30,000 passwords in use, names and words, their usual substitutions, keyboard walks,
    /// dates and repetitions. Refused is what an attacker who has it guesses early.
    ///
    /// # Errors
    /// [`Unacceptable`]
    pub fn check(&self, password: &Password, context: &[&str]) -> Result<(), Unacceptable> {
        let text = password.prepared();
        if text.chars().count() < self.min_chars {
            return Err(Unacceptable::TooShort {
                min_chars: self.min_chars,
            });
        }
        // An address is also its parts.
        let words: Vec<&str> = context
            .iter()
            .flat_map(|word| {
                std::iter::once(*word).chain(word.split(|character: char| !character.is_alphanumeric()))
            })
            .filter(|word| word.chars().count() >= 3)
            .collect();
        if zxcvbn::zxcvbn(text, &words).score() < self.min_score {
            return Err(Unacceptable::Guessable);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: Rules, text: &str) -> Result<(), Unacceptable> {
        rules.check(
            &Password::new(text).unwrap(),
            &["alice.liddell", "alice@wonderland.example", "Keyhaven"],
        )
    }

    #[test]
    fn length_counts_characters_and_depends_on_what_else_is_asked_for() {
        assert_eq!(
            check(Rules::ONE_OF_TWO, "x7#kQ2!"),
            Err(Unacceptable::TooShort { min_chars: 8 })
        );
        assert_eq!(check(Rules::ONE_OF_TWO, "x7#kQ2!v"), Ok(()));
        assert_eq!(
            check(Rules::ONLY_FACTOR, "x7#kQ2!vv9Zp3m"),
            Err(Unacceptable::TooShort { min_chars: 15 })
        );
        assert_eq!(check(Rules::ONLY_FACTOR, "x7#kQ2!vv9Zp3m4"), Ok(()));
        // Seven letters, each of four bytes.
        assert!(check(Rules::ONE_OF_TWO, &"\u{1f511}".repeat(7)).is_err());
    }

    #[test]
    fn what_an_attacker_tries_first_is_refused() {
        for guessable in [
            "passwordpassword",
            "password12345678",
            "qwertyuiopasdfgh",
            "aaaaaaaaaaaaaaaaaaaa",
            "1234567890123456",
            "alice.liddell.2026",
            "wonderlandwonderland",
            "KeyhavenKeyhaven1",
            "P@ssw0rdP@ssw0rd",
        ] {
            assert_eq!(
                check(Rules::ONLY_FACTOR, guessable),
                Err(Unacceptable::Guessable),
                "{guessable}"
            );
        }
        for fine in [
            "correct horse battery staple",
            "seven purple otters juggle",
            "Ich trinke gern kalten Tee!",
        ] {
            assert_eq!(check(Rules::ONLY_FACTOR, fine), Ok(()), "{fine}");
        }
    }
}
