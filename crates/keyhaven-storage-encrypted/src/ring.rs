//! The keys, and what they make of one text. No clock, no random source, nothing is read or written.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhaven_storage::{ENCRYPTED_MARK, LOOKUP_KEY_LENGTH};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

/// The form of what is written after the mark and the look-up key: this byte, four of the key's id, twelve of the nonce,
/// ciphertext and tag (RFC 8439); in base64url.
const VERSION: u8 = 1;

/// A column of personal texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Column {
    /// Of accounts and of claims, both by the account: an address is moved from one to the other when it is proven.
    Address,
    /// Of sessions.
    ClientAddress,
    /// Of credentials.
    DeviceName,
    /// Of accounts.
    DisplayName,
    /// Of credentials.
    RegisteredBy,
    /// Of sessions.
    UserAgent,
    /// Of accounts.
    Username,
}

impl Column {
    /// What is bound to a text; never changes.
    const fn name(self) -> &'static str {
        match self {
            Self::Address => "accounts.email",
            Self::ClientAddress => "sessions.ip",
            Self::DeviceName => "credentials.device_name",
            Self::DisplayName => "accounts.display_name",
            Self::RegisteredBy => "credentials.user_agent",
            Self::UserAgent => "sessions.user_agent",
            Self::Username => "accounts.username",
        }
    }

    const fn is_looked_up(self) -> bool {
        matches!(self, Self::Address | Self::Username)
    }
}

/// One text's place: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The column.
    pub column: Column,
    /// The id of the row.
    pub row: &'a [u8],
}

impl Place<'_> {
    /// The name has no zero byte: no two places are bound by the same bytes.
    fn bytes(&self) -> Vec<u8> {
        [self.column.name().as_bytes(), &[0], self.row].concat()
    }
}

/// Why a stored text does not open, or a text is not encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// The library refuses.
    #[error("the cryptographic library refuses")]
    Library,
    /// It is not what this version writes.
    #[error("a personal text is not encrypted, or damaged")]
    Malformed,
    /// The ring does not hold its key.
    #[error("a personal text is encrypted under the key {0}, which is not in the key ring")]
    UnknownKey(KeyId),
    /// It was changed, or moved here from another row or column, or the key is another one of the same id.
    #[error("a personal text is not what was encrypted here")]
    Altered,
}

/// Which key it is: four bytes that follow from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// Keys that cannot make a ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadRing {
    /// Two keys have one id: almost certainly one key is there twice.
    #[error("the key {0} is there twice")]
    Twice(KeyId),
    /// There is none.
    #[error("there is no key")]
    Empty,
    /// The library refuses its own key sizes.
    #[error("the cryptographic library refuses its own key sizes")]
    Library,
}

/// The keys of texts: the first encrypts, all decrypt.
pub struct TextKeys {
    first: Key,
    others: Vec<Key>,
}

/// The keys of texts, and the key of look-ups.
pub struct KeyRing {
    lookups: hmac::Key,
    texts: TextKeys,
}

struct Key {
    id: KeyId,
    texts: LessSafeKey,
    nonces: hmac::Key,
}

impl Key {
    fn derive(secret: &[u8; 32]) -> Option<Self> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyhaven personal data 1").extract(secret);
        let mut id = [0; 4];
        root.expand(&[b"key id"], Length(4)).ok()?.fill(&mut id).ok()?;
        Some(Self {
            id: KeyId(id),
            texts: LessSafeKey::new(UnboundKey::from(
                root.expand(&[b"texts"], &CHACHA20_POLY1305).ok()?,
            )),
            nonces: root.expand(&[b"nonces"], hmac::HMAC_SHA256).ok()?.into(),
        })
    }

    /// The nonce follows from place and text (a synthetic nonce, as in SIV constructions): two texts of one place have one
    /// nonce no sooner than random ones would, and one text of one place is always encrypted alike, so that what is
    /// stored can be compared with what is expected there.
    fn encrypt(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut context = hmac::Context::with_key(&self.nonces);
        context.update(&u64::try_from(place.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(place);
        context.update(plain);
        let tag = context.sign();
        let nonce = *tag.as_ref().first_chunk::<12>().ok_or(Unreadable::Library)?;
        let mut text = plain.to_vec();
        self.texts
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut text)
            .map_err(|_| Unreadable::Library)?;
        Ok([&[VERSION][..], &self.id.0, &nonce, &text].concat())
    }

    fn decrypt(&self, place: &[u8], sealed: Sealed) -> Result<Vec<u8>, Unreadable> {
        let mut text = sealed.text;
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let plain = self.texts.open_in_place(nonce, Aad::from(place), &mut text);
        let length = plain.map_err(|_| Unreadable::Altered)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// What a key has made of a text, taken apart.
struct Sealed {
    key: KeyId,
    nonce: [u8; 12],
    /// Ciphertext and tag.
    text: Vec<u8>,
}

impl Sealed {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (&key, rest) = rest.split_first_chunk::<4>()?;
        let (&nonce, text) = rest.split_first_chunk::<12>()?;
        (version == VERSION).then(|| Self {
            key: KeyId(key),
            nonce,
            text: text.to_vec(),
        })
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The place of the key of look-ups. No column has this name.
const LOOKUPS: &[u8] = b"encryption_keys.wrapped_lookups";

impl TextKeys {
    /// The first encrypts.
    ///
    /// # Errors
    /// Where there is no key, or one twice.
    pub fn new(secrets: &[Zeroizing<[u8; 32]>]) -> Result<Self, BadRing> {
        let mut keys: Vec<Key> = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let key = Key::derive(secret).ok_or(BadRing::Library)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(BadRing::Twice(key.id));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        Ok(Self {
            first: keys.next().ok_or(BadRing::Empty)?,
            others: keys.collect(),
        })
    }

    /// The key that encrypts.
    #[must_use]
    pub const fn first_id(&self) -> KeyId {
        self.first.id
    }

    /// The key that encrypts, and then the others.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.all().map(|key| key.id)
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn find(&self, id: KeyId) -> Result<&Key, Unreadable> {
        self.all()
            .find(|key| key.id == id)
            .ok_or(Unreadable::UnknownKey(id))
    }

    /// The key of look-ups, encrypted under the first key.
    ///
    /// # Errors
    /// [`Unreadable::Library`] alone.
    pub fn wrap_lookups(&self, lookups: &[u8; 32]) -> Result<Vec<u8>, Unreadable> {
        self.first.encrypt(LOOKUPS, lookups)
    }

    /// The key of look-ups, from what [`Self::wrap_lookups`] has made of it under the key of this id.
    ///
    /// # Errors
    /// Where that key is not here, or another one of the same id has made it.
    pub fn open_lookups(&self, id: KeyId, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unreadable> {
        let key = self.find(id)?;
        let sealed = Sealed::of(wrapped).filter(|sealed| sealed.key == id);
        let lookups = Zeroizing::new(key.decrypt(LOOKUPS, sealed.ok_or(Unreadable::Malformed)?)?);
        let lookups = <[u8; 32]>::try_from(&lookups[..]).map_err(|_| Unreadable::Malformed)?;
        Ok(Zeroizing::new(lookups))
    }

    /// With the key of look-ups they are a ring.
    #[must_use]
    pub fn ring(self, lookups: &[u8; 32]) -> KeyRing {
        KeyRing {
            lookups: hmac::Key::new(hmac::HMAC_SHA256, lookups),
            texts: self,
        }
    }
}

impl fmt::Debug for TextKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.ids().map(|id| id.to_string());
        f.debug_list().entries(ids).finish()
    }
}

impl KeyRing {
    /// Of the key of look-ups and the keys of texts.
    ///
    /// # Errors
    /// Where there is no key, or one twice.
    pub fn new(lookups: &[u8; 32], keys: &[Zeroizing<[u8; 32]>]) -> Result<Self, BadRing> {
        Ok(TextKeys::new(keys)?.ring(lookups))
    }

    /// The keys of texts.
    #[must_use]
    pub const fn texts(&self) -> &TextKeys {
        &self.texts
    }

    /// Encrypts a text for its place.
    ///
    /// # Errors
    /// [`Unreadable::Library`] alone.
    pub fn encrypt(&self, place: Place<'_>, plain: &str) -> Result<String, Unreadable> {
        self.encrypt_under(&self.texts.first, place, plain)
    }

    /// The same text for the same place under each of the other keys: what may still be stored there.
    pub(crate) fn older_forms(&self, place: Place<'_>, plain: &str) -> Result<Vec<String>, Unreadable> {
        let others = self.texts.others.iter();
        others.map(|key| self.encrypt_under(key, place, plain)).collect()
    }

    fn encrypt_under(&self, key: &Key, place: Place<'_>, plain: &str) -> Result<String, Unreadable> {
        let mut text = if place.column.is_looked_up() {
            self.lookup(place.column, plain)
        } else {
            ENCRYPTED_MARK.to_string()
        };
        URL_SAFE_NO_PAD.encode_string(key.encrypt(&place.bytes(), plain.as_bytes())?, &mut text);
        Ok(text)
    }

    /// What a text is looked up by: the mark, and half of a keyed hash in hexadecimal. Of addresses upper and lower case
    /// (ASCII) are alike.
    #[must_use]
    pub fn lookup(&self, column: Column, plain: &str) -> String {
        let folded = if column == Column::Address {
            plain.to_ascii_lowercase()
        } else {
            plain.to_owned()
        };
        let tag = hmac::sign(
            &self.lookups,
            &[column.name().as_bytes(), &[0], folded.as_bytes()].concat(),
        );
        let digits = tag
            .as_ref()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0x0f])
            .filter_map(|digit| char::from_digit(digit.into(), 16));
        std::iter::once(ENCRYPTED_MARK)
            .chain(digits)
            .take(LOOKUP_KEY_LENGTH)
            .collect()
    }

    /// Decrypts what stands in this place.
    ///
    /// # Errors
    /// Where it was not encrypted for this place by a key of the ring.
    pub fn decrypt(&self, place: Place<'_>, stored: &str) -> Result<String, Unreadable> {
        let parts = Parts::of(place.column, stored)?;
        let key = self.texts.find(parts.sealed.key)?;
        let plain = key.decrypt(&place.bytes(), parts.sealed)?;
        let plain = String::from_utf8(plain).map_err(|_| Unreadable::Malformed)?;
        if place.column.is_looked_up() && parts.lookup != self.lookup(place.column, &plain) {
            return Err(Unreadable::Altered);
        }
        Ok(plain)
    }

    /// What is to be stored in place of this, whether it is encrypted or not: `None`, where the first key has encrypted it.
    ///
    /// # Errors
    /// Where it is encrypted and does not open.
    pub fn renew(&self, place: Place<'_>, stored: &str) -> Result<Option<String>, Unreadable> {
        if !stored.starts_with(ENCRYPTED_MARK) {
            return self.encrypt(place, stored).map(Some);
        }
        if Parts::of(place.column, stored)?.sealed.key == self.texts.first.id {
            return Ok(None);
        }
        self.encrypt(place, &self.decrypt(place, stored)?).map(Some)
    }

    /// The key that a stored text needs; `None`: it is not encrypted.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn key_of(column: Column, stored: &str) -> Result<Option<KeyId>, Unreadable> {
        if !stored.starts_with(ENCRYPTED_MARK) {
            return Ok(None);
        }
        Parts::of(column, stored).map(|parts| Some(parts.sealed.key))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}

/// A stored text, taken apart.
struct Parts<'a> {
    lookup: &'a str,
    sealed: Sealed,
}

impl<'a> Parts<'a> {
    fn of(column: Column, stored: &'a str) -> Result<Self, Unreadable> {
        Self::split(column, stored).ok_or(Unreadable::Malformed)
    }

    fn split(column: Column, stored: &'a str) -> Option<Self> {
        if !stored.starts_with(ENCRYPTED_MARK) {
            return None;
        }
        let begin = if column.is_looked_up() {
            LOOKUP_KEY_LENGTH
        } else {
            ENCRYPTED_MARK.len_utf8()
        };
        let (lookup, body) = stored.split_at_checked(begin)?;
        Some(Self {
            lookup,
            sealed: Sealed::of(&URL_SAFE_NO_PAD.decode(body).ok()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([n; 32])
    }

    fn ring(keys: &[u8]) -> KeyRing {
        let keys: Vec<_> = keys.iter().copied().map(key).collect();
        KeyRing::new(&[9; 32], &keys).unwrap()
    }

    const ALL: [Column; 7] = [
        Column::Address,
        Column::ClientAddress,
        Column::DeviceName,
        Column::DisplayName,
        Column::RegisteredBy,
        Column::UserAgent,
        Column::Username,
    ];

    fn place(column: Column, row: &[u8]) -> Place<'_> {
        Place { column, row }
    }

    #[test]
    fn an_encrypted_text_opens_in_its_row_and_column_alone() {
        let ring = ring(&[1]);
        for column in ALL {
            let stored = ring.encrypt(place(column, b"row"), "Änne@Example.org").unwrap();
            assert!(!stored.contains("nne"), "{stored}");
            assert_eq!(
                ring.decrypt(place(column, b"row"), &stored).unwrap(),
                "Änne@Example.org"
            );
            assert_eq!(
                ring.decrypt(place(column, b"other"), &stored),
                Err(Unreadable::Altered)
            );
            for other in ALL.into_iter().filter(|other| *other != column) {
                assert!(
                    ring.decrypt(place(other, b"row"), &stored).is_err(),
                    "{column:?} as {other:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_changed_cut_off_or_in_the_clear_does_not_open() {
        let ring = ring(&[1]);
        for column in [Column::Username, Column::DeviceName] {
            let place = place(column, b"row");
            let stored = ring.encrypt(place, "anna").unwrap();
            for length in 0..stored.len() {
                assert!(ring.decrypt(place, &stored[..length]).is_err(), "{length}");
            }
            for at in 0..stored.len() {
                let mut changed = stored.clone().into_bytes();
                changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
                let changed = String::from_utf8(changed).unwrap();
                assert!(ring.decrypt(place, &changed).is_err(), "{at}");
            }
            assert_eq!(ring.decrypt(place, "anna"), Err(Unreadable::Malformed));
            assert_eq!(ring.decrypt(place, ""), Err(Unreadable::Malformed));
        }
    }

    #[test]
    fn another_rows_look_up_key_does_not_open() {
        let ring = ring(&[1]);
        let place = place(Column::Username, b"row");
        let stored = ring.encrypt(place, "anna").unwrap();
        let moved = ring.lookup(Column::Username, "mallory") + &stored[LOOKUP_KEY_LENGTH..];
        assert_eq!(ring.decrypt(place, &moved), Err(Unreadable::Altered));
    }

    #[test]
    fn a_key_that_is_not_in_the_ring_is_named() {
        let place = place(Column::UserAgent, b"row");
        let stored = ring(&[1]).encrypt(place, "Firefox").unwrap();
        let id = ring(&[1]).texts().first_id();
        assert_eq!(
            ring(&[2]).decrypt(place, &stored),
            Err(Unreadable::UnknownKey(id))
        );
        assert_eq!(ring(&[2, 1]).decrypt(place, &stored).unwrap(), "Firefox");
    }

    #[test]
    fn a_text_is_renewed_until_the_first_key_has_encrypted_it() {
        let place = place(Column::Username, b"row");
        let (before, both, after) = (ring(&[1]), ring(&[2, 1]), ring(&[2]));
        let first = before.renew(place, "anna").unwrap().unwrap();
        assert_eq!(before.renew(place, &first).unwrap(), None);
        let second = both.renew(place, &first).unwrap().unwrap();
        assert_eq!(after.decrypt(place, &second).unwrap(), "anna");
        assert_eq!(after.renew(place, &second).unwrap(), None);
        assert!(after.renew(place, &first).is_err(), "what does not open stays");
        // Look-ups go on while texts are renewed.
        assert_eq!(first[..LOOKUP_KEY_LENGTH], second[..LOOKUP_KEY_LENGTH]);
        assert_eq!(KeyRing::key_of(Column::Username, "anna"), Ok(None));
        assert_eq!(
            KeyRing::key_of(Column::Username, &second),
            Ok(Some(after.texts().first_id()))
        );
    }

    #[test]
    fn addresses_are_looked_up_in_whatever_case_and_come_back_as_they_were_given() {
        let ring = ring(&[1]);
        let stored = ring
            .encrypt(place(Column::Address, b"row"), "Anna@Example.ORG")
            .unwrap();
        assert_eq!(
            stored[..LOOKUP_KEY_LENGTH],
            ring.lookup(Column::Address, "anna@example.org")
        );
        assert_eq!(
            ring.decrypt(place(Column::Address, b"row"), &stored).unwrap(),
            "Anna@Example.ORG"
        );
        let lookup = ring.lookup(Column::Address, "anna@example.org");
        assert_eq!(lookup.len(), LOOKUP_KEY_LENGTH);
        assert_ne!(lookup, ring.lookup(Column::Username, "anna@example.org"));
    }

    #[test]
    fn the_key_of_look_ups_is_wrapped_under_the_first_key_and_opens_with_it_alone() {
        let texts = |keys: &[u8]| TextKeys::new(&keys.iter().copied().map(key).collect::<Vec<_>>()).unwrap();
        let (first, id) = (texts(&[1, 2]), texts(&[1]).first_id());
        let wrapped = first.wrap_lookups(&[9; 32]).unwrap();
        assert_eq!(*texts(&[3, 1]).open_lookups(id, &wrapped).unwrap(), [9; 32]);
        assert_eq!(
            texts(&[2]).open_lookups(id, &wrapped),
            Err(Unreadable::UnknownKey(id))
        );
        // Not under a key that has not made it, not when it was changed or cut off, and a text of a column is none.
        let other = texts(&[2]).first_id();
        assert!(first.open_lookups(other, &wrapped).is_err());
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(first.open_lookups(id, &changed).is_err(), "{at}");
            assert!(first.open_lookups(id, &wrapped[..at]).is_err(), "{at}");
        }
        let text = ring(&[1]).encrypt(place(Column::UserAgent, b""), &"a".repeat(32));
        let text = URL_SAFE_NO_PAD.decode(&text.unwrap()[1..]).unwrap();
        assert_eq!(first.open_lookups(id, &text), Err(Unreadable::Altered));
    }

    #[test]
    fn a_ring_has_a_key_and_none_twice() {
        assert_eq!(KeyRing::new(&[9; 32], &[]).unwrap_err(), BadRing::Empty);
        assert!(matches!(
            KeyRing::new(&[9; 32], &[key(1), key(1)]).unwrap_err(),
            BadRing::Twice(_)
        ));
    }

    #[test]
    fn the_longest_texts_fit_their_columns() {
        let ring = ring(&[1]);
        for (column, characters) in [
            (Column::Username, 50),
            (Column::DisplayName, 64),
            (Column::Address, 254),
            (Column::UserAgent, 256),
        ] {
            let stored = ring.encrypt(place(column, &[7; 1023]), &"\u{1f511}".repeat(characters));
            assert!(stored.unwrap().len() <= 2048, "{column:?}");
        }
    }
}
