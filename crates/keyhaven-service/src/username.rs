//! Names people choose.

use keyhaven_mail::Address;
use keyhaven_types::base64url;
use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::error::Error;
use crate::secrets::Keys;

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

    /// What an account is looked up by that is called by this address: a keyed hash of the address in its one form, which
    /// begins as no handle does. It says nothing to whoever reads the store.
    ///
    /// One form: the part before the `@` as that of handles (RFC 8265: width, case, normalisation), the domain in lower
    /// case and ASCII (UTS #46). Dots and what follows a `+` are part of the name: what they mean is the mailbox's affair.
    pub(crate) fn of_address(keys: &Keys, address: &Address) -> Result<Self, Error> {
        let refused = || Error::invalid("email: this address cannot be an account's name");
        let (local, domain) = address.as_str().rsplit_once('@').ok_or_else(refused)?;
        let local = UsernameCaseMapped::enforce(local).map_err(|_| refused())?;
        let domain = idna::domain_to_ascii(domain).map_err(|_| refused())?;
        let hash = keys.address_name(&format!("{local}@{domain}"));
        Ok(Self(format!("@{}", base64url::encode(&hash))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A label a person reads (display name, passkey name): 1 to 64 characters, trimmed, of which one can be seen at least
/// and none is hidden or turns the text around it: a name must not pretend to be another, or to be none.
pub(crate) fn label(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let fine = (1..=64).contains(&text.chars().count()) && text.chars().any(is_visible) && shows_all(text);
    if fine {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid(format!("{field}: 1 to 64 printable characters")))
    }
}

/// Whether every character can be seen, is a space, or changes only how its neighbour looks.
fn shows_all(text: &str) -> bool {
    let mut previous = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let fine = match c {
            // Between letters (Persian, Indic scripts) and between emoji, joiners are part of the spelling.
            '\u{200c}' | '\u{200d}' => {
                previous.is_some_and(is_joined) && rest.peek().copied().is_some_and(is_joined)
            }
            // Variation selectors choose a glyph for what they follow.
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => previous.is_some_and(is_visible),
            _ => !is_hidden(c),
        };
        if !fine {
            return false;
        }
        previous = Some(c);
    }
    true
}

/// What may stand beside a joiner: letters with their marks, emoji with theirs.
fn is_joined(c: char) -> bool {
    use GeneralCategory as Category;
    !is_hidden(c)
        && (c.general_category_group() == GeneralCategoryGroup::Letter
            || matches!(
                c.general_category(),
                Category::ModifierSymbol
                    | Category::NonspacingMark
                    | Category::OtherSymbol
                    | Category::SpacingMark
            ))
}

/// Whether a character puts something on the screen by itself.
fn is_visible(c: char) -> bool {
    use GeneralCategoryGroup as Group;
    let shows = matches!(
        c.general_category_group(),
        Group::Letter | Group::Number | Group::Punctuation | Group::Symbol
    );
    shows && !is_hidden(c)
}

/// Controls, format characters (bidirectional ones among them), line and paragraph separators, private use, what is
/// not assigned; and the characters of other categories that nobody sees.
fn is_hidden(c: char) -> bool {
    use GeneralCategory as Category;
    let blank = matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
            ..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
    );
    blank
        || matches!(
            c.general_category(),
            Category::Control
                | Category::Format
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::PrivateUse
                | Category::Surrogate
                | Category::Unassigned
        )
}

/// An e-mail address as given: at most 254 characters, one `@` with something on either side, nothing unprintable.
pub(crate) fn email(text: &str) -> Result<Address, Error> {
    let fine = text
        .split_once('@')
        .is_some_and(|(_, domain)| domain.contains('.') && !domain.starts_with('.'))
        && !text.chars().any(is_hidden);
    text.parse()
        .ok()
        .filter(|_| fine)
        .ok_or(Error::invalid("email: not an e-mail address"))
}

/// What a person who is called by this address is shown as, where no name is given: the address, or as much of it as fits.
pub(crate) fn display_name_of(address: &Address) -> String {
    let shown: String = address.as_str().chars().take(64).collect();
    label("displayName", &shown).unwrap_or_else(|_| "Account".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_as_a_name() {
        let keys = Keys::derive(&crate::SecretKey::new([1; 32])).unwrap();
        let name = |text: &str| Username::of_address(&keys, &email(text).unwrap()).unwrap();
        for (one, other) in [
            ("alice@example.org", "ALICE@Example.ORG"),
            ("jörg@example.org", "JÖRG@example.org"),
            ("abc@example.org", "ＡＢＣ@example.org"),
            ("a@münchen.example", "a@MÜNCHEN.example"),
            ("a@münchen.example", "a@xn--mnchen-3ya.example"),
        ] {
            assert_eq!(name(one), name(other), "{one} {other}");
        }
        for (one, other) in [
            ("alice@example.org", "alice@example.com"),
            ("alice@example.org", "a.lice@example.org"),
            ("alice@example.org", "alice+x@example.org"),
            // Look alike, and are not.
            ("alice@example.org", "аlice@example.org"),
        ] {
            assert_ne!(name(one), name(other), "{one} {other}");
        }
        let text = name("alice@example.org");
        assert!(text.as_str().starts_with('@') && text.as_str().len() <= 50);
        // Never a handle, and none without the secret.
        assert!(Username::parse(text.as_str()).is_err());
        let elsewhere = Keys::derive(&crate::SecretKey::new([2; 32])).unwrap();
        let address = email("alice@example.org").unwrap();
        assert_ne!(Username::of_address(&elsewhere, &address).unwrap(), text);
    }

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
    fn labels_in_the_worlds_scripts_and_emoji_are_fine() {
        for text in [
            "Zoë’s phone (2)",
            "鍵",
            "葛\u{e0100}",
            "مفتاح",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{1f3fd}\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🇳🇱",
            "a\u{a0}b",
            "-",
        ] {
            assert_eq!(label("deviceName", text).unwrap(), text);
        }
    }

    #[test]
    fn labels_hide_nothing() {
        for hidden in [
            '\u{0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206a}',
            '\u{2800}',
            '\u{3164}',
            '\u{e000}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fdd0}',
            '\u{e0041}',
            '\u{10ffff}',
        ] {
            assert!(
                label("deviceName", &hidden.to_string()).is_err(),
                "{hidden:?} alone"
            );
            assert!(
                label("deviceName", &format!("a{hidden}b")).is_err(),
                "{hidden:?} inside"
            );
        }
        for text in [
            // Nothing to be seen.
            "\u{301}",
            "\u{200d}",
            "\u{fe0f}",
            // Joiners and selectors that join and select nothing.
            "a\u{200d}",
            "\u{200c}a",
            "1\u{200d}2",
            "a\u{200d}\u{200d}b",
            "a \u{200c}b",
            "a \u{fe0f}b",
            "a\u{fe0f}\u{fe0f}",
        ] {
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
            "a\u{200b}@b.c",
            "a\u{202e}@b.c",
        ] {
            assert!(email(text).is_err(), "{text:?}");
        }
    }
}
