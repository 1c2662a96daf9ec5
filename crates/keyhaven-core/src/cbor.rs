//! A strict reader for CTAP2 canonical CBOR that copies nothing and allocates nothing for canonical input.
//!
//! Everything an authenticator sends in CBOR goes through [`Value::parse`], which judges the whole item, to its last
//! nested byte, before anything is looked at:
//!
//! - integers and lengths in their shortest form, definite lengths only;
//! - map keys are integers or text, none twice; their order is checked only under [`CanonicalCbor::Strict`];
//! - at most [`MAX_DEPTH`] arrays and maps inside one another: CTAP2 allows 4, compound attestation needs 5;
//! - text is UTF-8; of the simple values only `false`, `true` and `null`; no tags. Floating point numbers, of any width, are
//!   for extensions that nobody here knows: nothing that is looked at is one.
//!
//! Why not ciborium underneath: it accepts what this must refuse (indefinite lengths, long forms, duplicate keys, tags),
//! so each of those checks would have to be a second reader of the same bytes anyway; and it allocates a tree per item,
//! which together with coset costs about 3 % of an ES256 verification. ciborium and coset are the oracles of this
//! module's tests instead: what is accepted here, they decode to the same values.
//!
//! Source: CTAP 2.2 §8 "Message Encoding", RFC 8949 §3 and §4.2.

/// How many arrays and maps may lie inside one another, the outermost included.
pub const MAX_DEPTH: u8 = 5;

/// How strictly the canonical form is asked for. Everything else in this module's list always holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CanonicalCbor {
    /// Map keys may stand in any order, because some authenticators in the field do not sort them.
    #[default]
    AnyKeyOrder,
    /// Map keys must ascend: by type, then by length, then byte by byte.
    Strict,
}

/// One CBOR item, valid to its last byte.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Items in order.
    Array(Array<'a>),
    /// `false` or `true`.
    Bool(bool),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A floating point number: the 2, 4 or 8 bytes of it (RFC 8949 §3.3), which CTAP2 leaves as they are.
    Float(&'a [u8]),
    /// An integer, -2^64 to 2^64 - 1.
    Integer(i128),
    /// Keys and values in the order received.
    Map(Map<'a>),
    /// `null`.
    Null,
    /// A text string.
    Text(&'a str),
}

/// The items of a valid array.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    len: usize,
    body: &'a [u8],
}

/// The entries of a valid map.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    len: usize,
    body: &'a [u8],
}

/// A map key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key<'a> {
    /// An integer, -2^64 to 2^64 - 1.
    Integer(i128),
    /// A text string.
    Text(&'a str),
}

/// Why bytes are not one canonical CBOR item.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CborError {
    /// A key occurs twice in one map.
    #[error("a map key occurs twice")]
    DuplicateKey,
    /// The bytes end inside an item.
    #[error("the input ends inside an item")]
    EndOfInput,
    /// A length of indefinite form, or the stop code of one.
    #[error("an indefinite length")]
    IndefiniteLength,
    /// Map keys do not ascend, and [`CanonicalCbor::Strict`] was asked for.
    #[error("map keys are not in canonical order")]
    KeyOrder,
    /// A map key is neither an integer nor text.
    #[error("a map key is neither an integer nor text")]
    KeyType,
    /// An integer or a length takes more bytes than it needs.
    #[error("an integer or length is not in its shortest form")]
    NotShortest,
    /// A reserved additional information value: 28 to 30.
    #[error("a reserved initial byte")]
    Reserved,
    /// A simple value other than `false`, `true` and `null`, or a floating point number for a key.
    #[error("an unknown simple value, or a floating point number for a key")]
    SimpleValue,
    /// A tagged item.
    #[error("a tag")]
    Tag,
    /// More than [`MAX_DEPTH`] arrays and maps inside one another.
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Bytes are left after the item.
    #[error("{count} trailing bytes")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A text string is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
}

impl<'a> Value<'a> {
    /// Reads one item and returns it with the bytes after it.
    ///
    /// # Errors
    /// The first departure from the canonical form.
    pub fn parse_prefix(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<(Self, &'a [u8]), CborError> {
        let mut reader = Reader {
            rest: bytes,
            canonical: Some(canonical),
        };
        let value = reader.item(MAX_DEPTH)?;
        Ok((value, reader.rest))
    }

    /// Reads the one item that is all of `bytes`.
    ///
    /// # Errors
    /// The first departure from the canonical form; [`CborError::TrailingBytes`] when something follows the item.
    pub fn parse(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<Self, CborError> {
        match Self::parse_prefix(bytes, canonical)? {
            (value, []) => Ok(value),
            (_, rest) => Err(CborError::TrailingBytes { count: rest.len() }),
        }
    }
}

impl<'a> Array<'a> {
    /// The number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The items in order.
    pub fn items(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut reader = Reader::over_valid(self.body);
        // An error cannot occur: the body was read whole when the array was made.
        std::iter::from_fn(move || {
            if reader.rest.is_empty() {
                None
            } else {
                reader.item(MAX_DEPTH).ok()
            }
        })
    }
}

impl<'a> Map<'a> {
    /// The number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries in the order received.
    pub fn entries(&self) -> impl Iterator<Item = (Key<'a>, Value<'a>)> + use<'a> {
        let mut reader = Reader::over_valid(self.body);
        // An error cannot occur: the body was read whole when the map was made.
        std::iter::from_fn(move || {
            if reader.rest.is_empty() {
                return None;
            }
            let key = reader.key().ok()?;
            Some((key, reader.item(MAX_DEPTH).ok()?))
        })
    }

    /// The value under a text key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.entries()
            .find(|(key, _)| *key == Key::Text(name))
            .map(|(_, value)| value)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How map keys are judged; `None` where they have been: else each level of maps that are not in order would have those
    /// inside it judged once more, twice as much work for each.
    canonical: Option<CanonicalCbor>,
}

impl<'a> Reader<'a> {
    const fn over_valid(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            canonical: None,
        }
    }

    /// One item, inside which `depth` more levels of arrays and maps may be opened.
    fn item(&mut self, depth: u8) -> Result<Value<'a>, CborError> {
        if let Some(len) = self.float() {
            self.bytes(1)?;
            return Ok(Value::Float(self.bytes(len)?));
        }
        let (major, argument) = self.head()?;
        match major {
            0 => Ok(Value::Integer(i128::from(argument))),
            1 => Ok(Value::Integer(-1 - i128::from(argument))),
            2 => Ok(Value::Bytes(self.bytes(argument)?)),
            3 => Ok(Value::Text(self.text(argument)?)),
            4 => self.array(argument, depth),
            5 => self.map(argument, depth),
            6 => Err(CborError::Tag),
            _ => match argument {
                20 => Ok(Value::Bool(false)),
                21 => Ok(Value::Bool(true)),
                22 => Ok(Value::Null),
                _ => Err(CborError::SimpleValue),
            },
        }
    }

    /// How many bytes of a floating point number follow the initial byte, where it is one's.
    fn float(&self) -> Option<u64> {
        match self.rest.first() {
            Some(0xf9) => Some(2),
            Some(0xfa) => Some(4),
            Some(0xfb) => Some(8),
            _ => None,
        }
    }

    fn array(&mut self, argument: u64, depth: u8) -> Result<Value<'a>, CborError> {
        let inner = depth.checked_sub(1).ok_or(CborError::TooDeep)?;
        let len = self.count(argument)?;
        let body = self.rest;
        for _ in 0..len {
            self.item(inner)?;
        }
        Ok(Value::Array(Array {
            len,
            body: self.consumed(body),
        }))
    }

    fn map(&mut self, argument: u64, depth: u8) -> Result<Value<'a>, CborError> {
        let inner = depth.checked_sub(1).ok_or(CborError::TooDeep)?;
        let len = self.count(argument)?;
        let body = self.rest;
        let mut previous: &[u8] = &[];
        let mut ascending = true;
        for _ in 0..len {
            let start = self.rest;
            self.key()?;
            // In canonical encoding, byte order is the canonical order: type, then length, then value.
            let key = self.consumed(start);
            if key <= previous {
                ascending = false;
            }
            previous = key;
            self.item(inner)?;
        }
        let body = self.consumed(body);
        if let Some(canonical) = self.canonical
            && !ascending
        {
            check_unordered(len, body, canonical)?;
        }
        Ok(Value::Map(Map { len, body }))
    }

    fn key(&mut self) -> Result<Key<'a>, CborError> {
        let (major, argument) = self.head()?;
        match major {
            0 => Ok(Key::Integer(i128::from(argument))),
            1 => Ok(Key::Integer(-1 - i128::from(argument))),
            3 => Ok(Key::Text(self.text(argument)?)),
            _ => Err(CborError::KeyType),
        }
    }

    /// The initial byte and its argument: major type 0 to 7, and a value in its shortest form.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let (&initial, rest) = self.rest.split_first().ok_or(CborError::EndOfInput)?;
        self.rest = rest;
        let (major, information) = (initial >> 5, initial & 0x1f);
        if major == 7 && information > 23 {
            // One-byte simple values, and the stop code.
            return Err(if information == 31 {
                CborError::IndefiniteLength
            } else {
                CborError::SimpleValue
            });
        }
        let (argument, least) = match information {
            0..=23 => return Ok((major, u64::from(information))),
            24 => (u64::from(u8::from_be_bytes(self.take()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.take()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.take()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.take()?), 1 << 32),
            31 => return Err(CborError::IndefiniteLength),
            _ => return Err(CborError::Reserved),
        };
        if argument < least {
            Err(CborError::NotShortest)
        } else {
            Ok((major, argument))
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CborError::EndOfInput)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, len: u64) -> Result<&'a [u8], CborError> {
        let len = usize::try_from(len).map_err(|_| CborError::EndOfInput)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CborError::EndOfInput)?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self, len: u64) -> Result<&'a str, CborError> {
        std::str::from_utf8(self.bytes(len)?).map_err(|_| CborError::Utf8)
    }

    /// A number of items that the rest of the input can hold: each takes a byte at least.
    fn count(&self, argument: u64) -> Result<usize, CborError> {
        usize::try_from(argument)
            .ok()
            .filter(|&count| count <= self.rest.len())
            .ok_or(CborError::EndOfInput)
    }

    /// The part of `start` that has been read since.
    fn consumed(&self, start: &'a [u8]) -> &'a [u8] {
        start
            .get(..start.len().saturating_sub(self.rest.len()))
            .unwrap_or_default()
    }
}

/// Keys that do not ascend: equal ones are refused always, the order itself only where it matters. Two keys are equal
/// exactly when their encodings are, because each has one encoding.
fn check_unordered(len: usize, body: &[u8], canonical: CanonicalCbor) -> Result<(), CborError> {
    let mut reader = Reader::over_valid(body);
    let mut keys = Vec::with_capacity(len);
    while !reader.rest.is_empty() {
        let start = reader.rest;
        reader.key()?;
        keys.push(reader.consumed(start));
        reader.item(MAX_DEPTH)?;
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(CborError::DuplicateKey);
    }
    match canonical {
        CanonicalCbor::AnyKeyOrder => Ok(()),
        CanonicalCbor::Strict => Err(CborError::KeyOrder),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(bytes: &[u8]) -> Option<CborError> {
        Value::parse(bytes, CanonicalCbor::AnyKeyOrder).err()
    }

    #[test]
    fn scalars_are_read() {
        let read = |bytes: &[u8]| format!("{:?}", Value::parse(bytes, CanonicalCbor::Strict).unwrap());
        assert_eq!(read(&[0x17]), "Integer(23)");
        assert_eq!(read(&[0x18, 0x18]), "Integer(24)");
        assert_eq!(read(&[0x39, 0x01, 0x00]), "Integer(-257)");
        assert_eq!(
            read(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "Integer(18446744073709551615)"
        );
        assert_eq!(
            read(&[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "Integer(-18446744073709551616)"
        );
        assert_eq!(read(&[0x42, 1, 2]), "Bytes([1, 2])");
        assert_eq!(read(b"\x62hi"), "Text(\"hi\")");
        assert_eq!(read(&[0xf4]), "Bool(false)");
        assert_eq!(read(&[0xf5]), "Bool(true)");
        assert_eq!(read(&[0xf6]), "Null");
        assert_eq!(read(&[0xf9, 0x3c, 0]), "Float([60, 0])");
        assert_eq!(read(&[0xfa, 1, 2, 3, 4]), "Float([1, 2, 3, 4])");
        assert_eq!(
            read(&[0xfb, 1, 2, 3, 4, 5, 6, 7, 8]),
            "Float([1, 2, 3, 4, 5, 6, 7, 8])"
        );
        for short in [&[0xf9, 0][..], &[0xfa, 0, 0, 0], &[0xfb, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(refusal(short), Some(CborError::EndOfInput), "{short:?}");
        }
    }

    #[test]
    fn each_departure_from_the_canonical_form_is_named() {
        assert_eq!(refusal(&[]), Some(CborError::EndOfInput));
        assert_eq!(refusal(&[0x18]), Some(CborError::EndOfInput));
        assert_eq!(refusal(&[0x42, 1]), Some(CborError::EndOfInput));
        assert_eq!(refusal(&[0x82, 1]), Some(CborError::EndOfInput));
        assert_eq!(
            refusal(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some(CborError::EndOfInput)
        );
        assert_eq!(
            refusal(&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some(CborError::EndOfInput)
        );
        for long in [
            &[0x18, 0x17][..],
            &[0x19, 0, 0xff],
            &[0x1a, 0, 0, 0xff, 0xff],
            &[0x58, 1, 0],
            &[0x78, 1, 65],
        ] {
            assert_eq!(refusal(long), Some(CborError::NotShortest), "{long:?}");
        }
        assert_eq!(
            refusal(&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            Some(CborError::NotShortest)
        );
        for indefinite in [
            &[0x5f, 0xff][..],
            &[0x7f, 0xff],
            &[0x9f, 0xff],
            &[0xbf, 0xff],
            &[0xff],
        ] {
            assert_eq!(
                refusal(indefinite),
                Some(CborError::IndefiniteLength),
                "{indefinite:?}"
            );
        }
        for simple in [&[0xf7][..], &[0xe0], &[0xf8, 32]] {
            assert_eq!(refusal(simple), Some(CborError::SimpleValue), "{simple:?}");
        }
        assert_eq!(refusal(&[0xc2, 0x41, 1]), Some(CborError::Tag));
        assert_eq!(refusal(&[0x1c]), Some(CborError::Reserved));
        assert_eq!(refusal(&[0x61, 0xff]), Some(CborError::Utf8));
        assert_eq!(
            refusal(&[0x01, 0x00]),
            Some(CborError::TrailingBytes { count: 1 })
        );
        for key in [
            &[0xa1, 0x41, 0, 0][..],
            &[0xa1, 0xf5, 0],
            &[0xa1, 0x80, 0],
            &[0xa1, 0xa0, 0],
        ] {
            assert_eq!(refusal(key), Some(CborError::KeyType), "{key:?}");
        }
        assert_eq!(refusal(&[0xa1, 0xf9, 0, 0, 0]), Some(CborError::SimpleValue));
    }

    #[test]
    fn duplicate_keys_are_found_in_any_order() {
        assert_eq!(refusal(&[0xa2, 1, 0, 1, 0]), Some(CborError::DuplicateKey));
        assert_eq!(refusal(&[0xa3, 1, 0, 2, 0, 1, 0]), Some(CborError::DuplicateKey));
        assert_eq!(refusal(b"\xa2\x61a\x00\x61a\x00"), Some(CborError::DuplicateKey));
        // Nested, inside a value.
        assert_eq!(
            refusal(&[0xa1, 0, 0x81, 0xa2, 5, 0, 5, 0]),
            Some(CborError::DuplicateKey)
        );
    }

    #[test]
    fn key_order_matters_only_under_strict() {
        let strict = |bytes: &[u8]| Value::parse(bytes, CanonicalCbor::Strict).err();
        // Ascending: 1, 3, -1, -2, "a", "b", "aa".
        let ordered = b"\xa7\x01\x00\x03\x00\x20\x00\x21\x00\x61a\x00\x61b\x00\x62aa\x00";
        assert_eq!(strict(ordered), None);
        for unordered in [
            &[0xa2, 3, 0, 1, 0][..],
            &[0xa2, 0x20, 0, 1, 0],
            b"\xa2\x62aa\x00\x61b\x00",
        ] {
            assert_eq!(refusal(unordered), None, "{unordered:?}");
            assert_eq!(strict(unordered), Some(CborError::KeyOrder), "{unordered:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0]].concat();
        assert_eq!(refusal(&nested(5)), None);
        assert_eq!(refusal(&nested(6)), Some(CborError::TooDeep));
        assert_eq!(refusal(&nested(1_000_000)), Some(CborError::TooDeep));
    }

    #[test]
    fn entries_and_items_are_all_given() {
        let Value::Map(map) = Value::parse(b"\xa2\x01\x82\x05\x06\x61a\xf5", CanonicalCbor::Strict).unwrap()
        else {
            panic!("no map");
        };
        assert_eq!(map.len(), 2);
        assert!(matches!(map.get("a"), Some(Value::Bool(true))));
        let entries: Vec<_> = map.entries().collect();
        assert!(matches!(entries[0], (Key::Integer(1), Value::Array(items)) if items.items().count() == 2));
    }

    /// What ciborium makes of the same bytes.
    fn same(ours: Value<'_>, theirs: &ciborium::Value) -> bool {
        match (ours, theirs) {
            (Value::Array(array), ciborium::Value::Array(items)) => {
                array.len() == items.len() && array.items().zip(items).all(|(a, b)| same(a, b))
            }
            (Value::Bool(a), ciborium::Value::Bool(b)) => a == *b,
            (Value::Bytes(a), ciborium::Value::Bytes(b)) => a == b,
            (Value::Float(a), ciborium::Value::Float(b)) => same_float(a, *b),
            (Value::Integer(a), ciborium::Value::Integer(b)) => a == i128::from(*b),
            (Value::Map(map), ciborium::Value::Map(entries)) => {
                map.len() == entries.len()
                    && map
                        .entries()
                        .zip(entries)
                        .all(|((key, value), (their_key, their_value))| {
                            let key = match key {
                                Key::Integer(integer) => Value::Integer(integer),
                                Key::Text(text) => Value::Text(text),
                            };
                            same(key, their_key) && same(value, their_value)
                        })
            }
            (Value::Null, ciborium::Value::Null) => true,
            (Value::Text(a), ciborium::Value::Text(b)) => a == b,
            _ => false,
        }
    }

    /// Whether these bytes are the number: halves and singles by the number they are widened to.
    fn same_float(bytes: &[u8], number: f64) -> bool {
        let initial = match bytes.len() {
            2 => 0xf9,
            4 => 0xfa,
            _ => 0xfb,
        };
        let widened: f64 = ciborium::from_reader([&[initial], bytes].concat().as_slice()).unwrap();
        widened.to_bits() == number.to_bits() || widened.is_nan() && number.is_nan()
    }

    fn any_value() -> impl Strategy<Value = ciborium::Value> {
        let key = prop_oneof![
            any::<i64>().prop_map(ciborium::Value::from),
            "[a-z]{0,30}".prop_map(ciborium::Value::Text),
        ];
        let leaf = prop_oneof![
            any::<bool>().prop_map(ciborium::Value::Bool),
            any::<f64>().prop_map(ciborium::Value::Float),
            any::<i64>().prop_map(ciborium::Value::from),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(ciborium::Value::Bytes),
            ".{0,40}".prop_map(ciborium::Value::Text),
            Just(ciborium::Value::Null),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..30).prop_map(ciborium::Value::Array),
                prop::collection::vec((key.clone(), inner), 0..30).prop_map(|mut entries| {
                    let mut seen = Vec::new();
                    entries.retain(|(key, _)| {
                        let new = !seen.contains(key);
                        seen.push(key.clone());
                        new
                    });
                    ciborium::Value::Map(entries)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_ciborium_writes_is_read_the_same(value in any_value()) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            prop_assert!(same(Value::parse(&bytes, CanonicalCbor::AnyKeyOrder).unwrap(), &value));
        }

        #[test]
        fn whatever_is_accepted_ciborium_reads_the_same(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = Value::parse(&bytes, CanonicalCbor::AnyKeyOrder) {
                let theirs: ciborium::Value = ciborium::from_reader(bytes.as_slice()).unwrap();
                prop_assert!(same(value, &theirs));
            }
        }

        #[test]
        fn an_item_is_neither_shortened_nor_followed(value in any_value(), end in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            prop_assert!(Value::parse(&bytes[..end.index(bytes.len())], CanonicalCbor::AnyKeyOrder).is_err());
            bytes.push(0);
            prop_assert_eq!(refusal(&bytes), Some(CborError::TrailingBytes { count: 1 }));
        }
    }
}
