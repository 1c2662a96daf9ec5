//! Names people choose.

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;

use crate::error::Error;

/// A public handle in its one stored form: RFC 8265 UsernameCaseMapped, 1 to 50 characters, no `@`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Username(String);

impl Username {
    const MAX_CHARS: usize = 50;

    /// Maps and checks a name as typed.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refused =
            || Error::invalid("username: 1 to 50 letters, digits or signs, without spaces and without @");
        // Mapping can change the length: bound the work first, then the result.
        if text.len() > 8 * Self::MAX_CHARS || text.contains('@') {
            return Err(refused());
        }
        let mapped = UsernameCaseMapped::enforce(text)
            .map_err(|_| refused())?
            .into_owned();
        let mapped_again = UsernameCaseMapped::enforce(mapped.as_str()).map_err(|_| refused())?;
        let stable = mapped_again == mapped;
        if stable && (1..=Self::MAX_CHARS).contains(&mapped.chars().count()) && !mapped.contains('@') {
            Ok(Self(mapped))
        } else {
            Err(refused())
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A label a person reads (display name, passkey name): 1 to 64 characters, trimmed, no control characters.
pub(crate) fn label(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let fine = (1..=64).contains(&text.chars().count())
        && !text.chars().any(|c| c.is_control() || is_direction_override(c));
    if fine {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid(format!("{field}: 1 to 64 printable characters")))
    }
}

/// Characters that reorder the text around them: a name could pretend to be another one.
fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An e-mail address as given: at most 254 characters, one `@` with something on either side, nothing unprintable.
pub(crate) fn email(text: &str) -> Result<String, Error> {
    let fine = text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.contains('@') && !domain.starts_with('.')
        })
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';'));
    if fine {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("email: not an e-mail address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_have_one_form() {
        for (typed, stored) in [
            ("Alice", "alice"),
            ("ＡＢＣ", "abc"),
            ("Åsa", "åsa"),
            ("bob_1.x-y", "bob_1.x-y"),
        ] {
            assert_eq!(Username::parse(typed).unwrap().as_str(), stored);
        }
    }

    #[test]
    fn what_is_no_username_is_refused() {
        for text in [
            "",
            " ",
            "a b",
            "a@b",
            "ａ＠ｂ",
            "a\u{0}b",
            "a\u{202e}b",
            &"x".repeat(51),
            &"é".repeat(60),
        ] {
            assert!(Username::parse(text).is_err(), "{text:?}");
        }
        assert!(Username::parse(&"x".repeat(50)).is_ok());
    }

    #[test]
    fn labels_are_trimmed_and_bounded() {
        assert_eq!(label("deviceName", "  My key ").unwrap(), "My key");
        for text in ["", "   ", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert!(label("deviceName", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_cannot_carry_headers() {
        assert!(email("alice@example.org").is_ok());
        for text in [
            "alice",
            "a@b",
            "@example.org",
            "a@b@c.d",
            "a@b.c\r\nBcc: x@y.z",
            "A <a@b.c>",
            "a@.b",
        ] {
            assert!(email(text).is_err(), "{text:?}");
        }
    }
}
