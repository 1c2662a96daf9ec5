//! Strict JSON: what client data and response envelopes are read with.
//!
//! serde_json does the grammar; on top of it no object may name a member twice (after unescaping, at any depth) and at
//! most [`MAX_DEPTH`] objects and arrays may lie inside one another. Text without escapes is borrowed from the input.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// How many objects and arrays may lie inside one another, the outermost included.
pub(crate) const MAX_DEPTH: u8 = 16;

/// A JSON value. Numbers are checked and dropped: nothing of WebAuthn that is verified here is a number.
pub(crate) enum Json<'a> {
    Array(Vec<Self>),
    Bool(bool),
    Null,
    Number,
    Object(Object<'a>),
    Text(Cow<'a, str>),
}

/// The members of an object, names unescaped and distinct, in the order received.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Why text is not an acceptable JSON object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// An object names a member twice.
    #[error("a member name occurs twice")]
    DuplicateMember,
    /// A required member is absent.
    #[error("{member} is missing")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// The value is no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The text is not JSON.
    #[error("not JSON")]
    Syntax,
    /// More than 16 objects and arrays inside one another.
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A member is of another type than the specification says.
    #[error("{member} has the wrong type")]
    WrongType {
        /// Its name.
        member: &'static str,
    },
}

impl<'a> Object<'a> {
    /// Reads text that is one JSON object, white space around it allowed.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        let fault = Cell::new(JsonError::Syntax);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Node {
            depth: MAX_DEPTH,
            fault: &fault,
        }
        .deserialize(&mut deserializer);
        match (value, deserializer.end()) {
            (Ok(Json::Object(object)), Ok(())) => Ok(object),
            (Ok(_), Ok(())) => Err(JsonError::NotAnObject),
            _ => Err(fault.get()),
        }
    }

    /// A required string.
    pub(crate) fn text(&mut self, member: &'static str) -> Result<Cow<'a, str>, JsonError> {
        self.optional_text(member)?.ok_or(JsonError::Missing { member })
    }

    /// A string that may be absent; `null` is not absent.
    pub(crate) fn optional_text(&mut self, member: &'static str) -> Result<Option<Cow<'a, str>>, JsonError> {
        match self.take(member) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(JsonError::WrongType { member }),
        }
    }

    /// A boolean that may be absent; `null` is not absent.
    pub(crate) fn optional_bool(&mut self, member: &'static str) -> Result<Option<bool>, JsonError> {
        match self.take(member) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(JsonError::WrongType { member }),
        }
    }

    /// An array that may be absent; `null` is not absent.
    pub(crate) fn optional_array(
        &mut self,
        member: &'static str,
    ) -> Result<Option<Vec<Json<'a>>>, JsonError> {
        match self.take(member) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(JsonError::WrongType { member }),
        }
    }

    /// A required object.
    pub(crate) fn object(&mut self, member: &'static str) -> Result<Self, JsonError> {
        self.optional_object(member)?.ok_or(JsonError::Missing { member })
    }

    /// An object that may be absent; `null` is not absent.
    pub(crate) fn optional_object(&mut self, member: &'static str) -> Result<Option<Self>, JsonError> {
        match self.take(member) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err(JsonError::WrongType { member }),
        }
    }

    /// Drops a member that is `null`, where clients in the field write that for an absent one.
    pub(crate) fn null_is_absent(&mut self, member: &'static str) {
        self.0
            .retain(|(name, value)| name != member || !matches!(value, Json::Null));
    }

    /// Drops every member that is `null`, likewise.
    pub(crate) fn nulls_are_absent(&mut self) {
        self.0.retain(|(_, value)| !matches!(value, Json::Null));
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Any member.
    pub(crate) fn take(&mut self, member: &'static str) -> Option<Json<'a>> {
        let position = self.0.iter().position(|(name, _)| name == member)?;
        Some(self.0.swap_remove(position).1)
    }

    fn has_duplicates(&self) -> bool {
        match self.0.as_slice() {
            [] | [_] => false,
            members if members.len() <= 16 => members
                .iter()
                .enumerate()
                .any(|(index, (name, _))| members.iter().take(index).any(|(earlier, _)| earlier == name)),
            members => {
                let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
                names.sort_unstable();
                names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
            }
        }
    }
}

/// Reads one value inside which `depth` more objects or arrays may be opened.
#[derive(Clone, Copy)]
struct Node<'f> {
    depth: u8,
    fault: &'f Cell<JsonError>,
}

impl Node<'_> {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.refuse(JsonError::TooDeep)),
        }
    }

    fn refuse<E: de::Error>(self, fault: JsonError) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut object = Object(Vec::new());
        while let Some(name) = access.next_key_seed(Name)? {
            let value = access.next_value_seed(inner)?;
            if object.0.is_empty() {
                // As many as any object of WebAuthn usually has: one allocation.
                object.0.reserve_exact(8);
            }
            object.0.push((name, value));
        }
        if object.has_duplicates() {
            return Err(self.refuse(JsonError::DuplicateMember));
        }
        Ok(Json::Object(object))
    }
}

/// A member name, borrowed where it has no escape.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> Option<JsonError> {
        Object::parse(text).err()
    }

    #[test]
    fn members_are_read_by_name() {
        let mut object =
            Object::parse(r#" {"a":"x","b":true,"c":[1,"y"],"d":{"e":null},"f":-1.5e3} "#).unwrap();
        assert_eq!(object.text("a").unwrap(), "x");
        assert_eq!(object.optional_bool("b"), Ok(Some(true)));
        assert_eq!(object.optional_bool("z"), Ok(None));
        assert_eq!(object.optional_array("c").unwrap().unwrap().len(), 2);
        assert_eq!(
            object.object("d").unwrap().optional_text("e"),
            Err(JsonError::WrongType { member: "e" })
        );
        assert_eq!(object.text("f"), Err(JsonError::WrongType { member: "f" }));
        assert_eq!(object.text("z"), Err(JsonError::Missing { member: "z" }));
    }

    #[test]
    fn duplicate_names_are_refused_at_any_depth_and_after_unescaping() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"b":{"a":1,"a":1}}"#,
            r#"{"b":[{"a":1,"a":1}]}"#,
        ] {
            assert_eq!(refusal(text), Some(JsonError::DuplicateMember), "{text}");
        }
        let many = |last: &str| {
            let members: String = (0..100).map(|n| format!("\"m{n}\":0,")).collect();
            format!("{{{members}\"{last}\":0}}")
        };
        assert_eq!(refusal(&many("m100")), None);
        assert_eq!(refusal(&many("m5")), Some(JsonError::DuplicateMember));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{{\"a\":{}0{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(refusal(&nested(15)), None);
        assert_eq!(refusal(&nested(16)), Some(JsonError::TooDeep));
        assert_eq!(refusal(&nested(100_000)), Some(JsonError::TooDeep));
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in [
            "",
            "{",
            "{}x",
            "{} {}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\ud800\"}",
            "\u{feff}{}",
        ] {
            assert_eq!(refusal(text), Some(JsonError::Syntax), "{text:?}");
        }
        for text in ["[]", "\"a\"", "1", "null", "true"] {
            assert_eq!(refusal(text), Some(JsonError::NotAnObject), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Object::parse(&text);
        }

        #[test]
        fn no_almost_json_panics(text in r#"[\[\]{}":,a\\u0-9 ]{0,80}"#) {
            let _ = Object::parse(&text);
        }
    }
}
