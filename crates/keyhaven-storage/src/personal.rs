//! Personal texts as they are stored: what they are looked up by, and how all of them are rewritten, row by row.
//!
//! Whether a text is encrypted is not a store's business. It keeps what it is given, and looks a username or an address
//! up by its [`lookup_key`] alone.

use async_trait::async_trait;

use crate::StorageError;

/// What every encrypted text begins with, and no other: names, addresses and headers hold no control characters.
pub const ENCRYPTED_MARK: char = '\u{1}';

/// How long the part of an encrypted name or address is that it is looked up by, the mark included. All of it is ASCII.
pub const LOOKUP_KEY_LENGTH: usize = 49;

/// What a stored username or address is looked up by: of an encrypted one its beginning, of any other all of it. Is
/// itself looked up by itself.
#[must_use]
pub fn lookup_key(text: &str) -> &str {
    if text.starts_with(ENCRYPTED_MARK) {
        text.get(..LOOKUP_KEY_LENGTH).unwrap_or(text)
    } else {
        text
    }
}

/// Where personal texts are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PersonalTable {
    /// By account: username, display name, address.
    Accounts,
    /// By account: address.
    AddressClaims,
    /// By credential: name, user agent.
    Credentials,
    /// By session: address of the client, user agent.
    Sessions,
}

impl PersonalTable {
    /// All of them. Claims before accounts: an address that is proven goes from the one to the other as it is stored.
    pub const ALL: [Self; 4] = [
        Self::AddressClaims,
        Self::Accounts,
        Self::Credentials,
        Self::Sessions,
    ];
}

/// The personal texts of one row, as they are stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonalRow {
    /// The row's id: 16 bytes, or a credential id.
    pub id: Vec<u8>,
    /// The texts, in the order that [`PersonalTable`] names them in.
    pub texts: Vec<Option<String>>,
}

/// Other texts for one row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonalRewrite {
    /// What must be stored at that moment.
    pub from: PersonalRow,
    /// The texts that take its place, as many, and none where there was none.
    pub to: Vec<Option<String>>,
}

/// A key that texts may be encrypted under: where a store has one, whoever works with it needs that key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncryptionKey {
    /// Follows from the key.
    pub id: [u8; 4],
    /// The key of look-ups, encrypted under this key. 1 to 256 bytes.
    pub wrapped_lookups: Vec<u8>,
}

/// What a store knows of how its texts are encrypted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EncryptionState {
    /// Whether [`PersonalStore::set_all_encrypted`] was called: false of a store whose schema has just come to this step.
    pub all_encrypted: bool,
    /// In order of their ids.
    pub keys: Vec<EncryptionKey>,
}

/// Personal texts, whatever they belong to: for who encrypts what is stored already.
#[async_trait]
pub trait PersonalStore: Send + Sync {
    /// The personal texts of some rows in order of their ids, from after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError>;

    /// Gives rows other texts, each where all of its texts are still those that were read, and nothing else of it: no
    /// date moves. Tells how many it has rewritten. Several processes may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError>;

    /// How the texts are encrypted.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn encryption_state(&self) -> Result<EncryptionState, StorageError>;

    /// Adds a key where the store's keys are those of these ids, in whatever order, and it is none of them; tells whether
    /// they were. Of several processes that add a first one at once, one does.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn add_encryption_key(&self, key: &EncryptionKey, beside: &[[u8; 4]])
    -> Result<bool, StorageError>;

    /// Drops a key that no text needs any more. The last one stays: it holds the key of look-ups.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError>;

    /// Remembers that no row is left that is not encrypted.
    ///
    /// # Errors
    /// When the store cannot answer.
    async fn set_all_encrypted(&self) -> Result<(), StorageError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_up_by_its_beginning_only_where_it_is_encrypted() {
        let plain = "a".repeat(50);
        assert_eq!(lookup_key(&plain), plain);
        let key = format!("{ENCRYPTED_MARK}{}", "0".repeat(48));
        assert_eq!(lookup_key(&format!("{key}body")), key);
        assert_eq!(lookup_key(&key), key);
    }
}
