use std::fmt;

use keyhaven_core::UnixTime;
use serde::{Deserialize, Deserializer, de};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const ISO_8601: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// A day as metadata write it: `YYYY-MM-DD`, in UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Date(time::Date);

impl Date {
    /// Reads `YYYY-MM-DD`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The format alone would also take a sign and five digits.
        (text.len() == 10)
            .then(|| time::Date::parse(text, ISO_8601).ok())
            .flatten()
            .map(Self)
    }

    /// Its first moment.
    #[must_use]
    pub fn midnight(self) -> UnixTime {
        UnixTime::from_millis(
            self.0
                .midnight()
                .assume_utc()
                .unix_timestamp()
                .saturating_mul(1000),
        )
    }
}

/// `YYYY-MM-DD`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a date is written YYYY-MM-DD"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_that_exist_and_start_at_midnight() {
        let day = Date::parse("2026-11-01").unwrap();
        assert_eq!(day.to_string(), "2026-11-01");
        assert_eq!(day.midnight().as_seconds(), 1_793_491_200);
        assert!(day > Date::parse("2026-10-31").unwrap());
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "20261101",
            "+2026-11-1",
            "2026-11-01Z",
        ] {
            assert_eq!(Date::parse(text), None, "{text:?}");
        }
    }
}
