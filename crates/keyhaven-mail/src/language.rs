//! The languages that mails are written in.

use std::str::FromStr;

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English: the one that everything falls back to.
    #[default]
    En,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::De, Self::En];

    /// The language tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// The best language for the value of an `Accept-Language` header (RFC 9110 §12.5.4): the listed one with the
    /// highest weight, the first of equals; English where none is known.
    #[must_use]
    pub fn accepted(header: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        // A header is bounded by the server; what no browser sends is not looked at.
        for range in header.split(',').take(32) {
            let mut parts = range.split(';').map(str::trim);
            let Some(Ok(language)) = parts.next().map(Self::from_str) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Some(1.0), |text| text.parse::<f32>().ok())
                .filter(|weight| (0.0..=1.0).contains(weight))
                .unwrap_or(0.0);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// This is no language that mails are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no such language; there are: de, en")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    /// By language tag; regions are ignored (`de-AT` is German).
    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|language| primary.eq_ignore_ascii_case(language.tag()))
            .ok_or(UnknownLanguage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_the_reader_prefers_is_taken() {
        for (header, language) in [
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("fr, en;q=0.5, de;q=0.7", Language::De),
            ("en, de", Language::En),
            ("de;q=0, en;q=0.1", Language::En),
            ("de;q=7", Language::En),
            ("de;q=x", Language::En),
            ("fr", Language::En),
            ("", Language::En),
            (" DE ; q=0.3 ", Language::De),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
