/// A CBOR item to be written, in canonical form unless [`Cbor::Raw`] says otherwise.
///
/// Map entries are written in the order given, so a test can write them in the wrong one, or twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Cbor {
    /// An array.
    Array(Vec<Self>),
    /// `false` or `true`.
    Bool(bool),
    /// A byte string.
    Bytes(Vec<u8>),
    /// An integer.
    Int(i64),
    /// A map.
    Map(Vec<(Self, Self)>),
    /// `null`.
    Null,
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// A text string.
    Text(String),
}

impl Cbor {
    /// A text string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// The encoded item.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The entries of a map.
    ///
    /// # Panics
    /// When it is no map.
    pub fn entries(&mut self) -> &mut Vec<(Self, Self)> {
        let Self::Map(entries) = self else {
            panic!("no map")
        };
        entries
    }

    /// The value under `key` in a map.
    ///
    /// # Panics
    /// When it is no map, or has no such key.
    pub fn at(&mut self, key: impl Into<Self>) -> &mut Self {
        let key = key.into();
        self.entries()
            .iter_mut()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .unwrap()
    }

    /// Replaces the value under `key` in a map, or adds the entry at its end.
    ///
    /// # Panics
    /// When it is no map.
    pub fn set(&mut self, key: impl Into<Self>, value: Self) {
        let key = key.into();
        let entries = self.entries();
        match entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key, value)),
        }
    }

    /// Removes the entry under `key` from a map.
    ///
    /// # Panics
    /// When it is no map.
    pub fn remove(&mut self, key: impl Into<Self>) {
        let key = key.into();
        self.entries().retain(|(name, _)| *name != key);
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Array(items) => {
                head(out, 4, length(items.len()));
                items.iter().for_each(|item| item.write(out));
            }
            Self::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Self::Bytes(bytes) => {
                head(out, 2, length(bytes.len()));
                out.extend(bytes);
            }
            Self::Int(value) => match u64::try_from(*value) {
                Ok(value) => head(out, 0, value),
                Err(_) => head(out, 1, value.unsigned_abs() - 1),
            },
            Self::Map(entries) => {
                head(out, 5, length(entries.len()));
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::Null => out.push(0xf6),
            Self::Raw(bytes) => out.extend(bytes),
            Self::Text(text) => {
                head(out, 3, length(text.len()));
                out.extend(text.as_bytes());
            }
        }
    }
}

impl From<i64> for Cbor {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Cbor {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    let (information, skip) = match argument {
        0..=23 => {
            out.push((major << 5) | bytes[7]);
            return;
        }
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out.push((major << 5) | information);
    out.extend(&bytes[skip..]);
}
