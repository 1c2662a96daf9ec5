//! The texts of a language, in Fluent (<https://projectfluent.org>): one file per language, built in.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::{LanguageIdentifier, langid};

use crate::Language;

/// The texts of one language.
pub(crate) struct Catalogue(FluentBundle<FluentResource>);

static DE: LazyLock<Option<Catalogue>> =
    LazyLock::new(|| Catalogue::read(langid!("de"), include_str!("../locales/de.ftl")));
static EN: LazyLock<Option<Catalogue>> =
    LazyLock::new(|| Catalogue::read(langid!("en"), include_str!("../locales/en.ftl")));

impl Catalogue {
    /// `None` only if the built-in file is not well formed, which the tests rule out.
    pub(crate) fn of(language: Language) -> Option<&'static Self> {
        match language {
            Language::De => DE.as_ref(),
            Language::En => EN.as_ref(),
        }
    }

    fn read(language: LanguageIdentifier, text: &str) -> Option<Self> {
        let resource = FluentResource::try_new(text.to_owned()).ok()?;
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        // The marks that isolate directions show as boxes in some mail readers, and would become part of copied names.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).ok()?;
        Some(Self(bundle))
    }

    /// A message (`key`) or one of its attributes (`key.attribute`); `None` where there is none, or an argument is
    /// missing.
    pub(crate) fn text(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        let (key, attribute) = key
            .split_once('.')
            .map_or((key, None), |(key, attribute)| (key, Some(attribute)));
        let message = self.0.get_message(key)?;
        let pattern = match attribute {
            None => message.value()?,
            Some(attribute) => message.get_attribute(attribute)?.value(),
        };
        let mut errors = Vec::new();
        let text = self.0.format_pattern(pattern, Some(arguments), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }
}
