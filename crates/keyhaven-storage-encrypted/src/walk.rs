//! From row to row: what is stored already is encrypted, or encrypted under another key.

use keyhaven_storage::{PersonalRewrite, PersonalRow, PersonalStore, PersonalTable, StorageError};

use crate::ring::{Column, KeyId, KeyRing, Place};
use crate::store::unreadable;

/// Over all personal texts of a store, step by step. Servers may be at work meanwhile, and others may walk, too; one that was
/// broken off is begun anew, and passes over what is done.
#[derive(Debug)]
pub struct Walk<'a, S: ?Sized> {
    store: &'a S,
    ring: &'a KeyRing,
    rows: u32,
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Walked {
    /// Rows it has looked at.
    pub looked_at: u64,
    /// Rows it has rewritten.
    pub rewritten: u64,
}

/// How much of what is stored needs which key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyUse {
    /// Texts that are not encrypted.
    pub plain: u64,
    /// Texts by key.
    pub keys: Vec<(KeyId, u64)>,
}

impl<'a, S: PersonalStore + ?Sized> Walk<'a, S> {
    /// Over the store itself, not over one that decrypts; `rows` at a time.
    pub const fn new(store: &'a S, ring: &'a KeyRing, rows: u32) -> Self {
        Self { store, ring, rows }
    }

    /// Has the first key of the ring encrypt whatever it has not. `told` hears how far it is, after each step.
    ///
    /// # Errors
    /// When the store cannot answer, or a text does not open: that one stays as it is, and so does everything after it.
    pub async fn renew(&self, mut told: impl FnMut(Walked) + Send) -> Result<Walked, StorageError> {
        let mut walked = Walked::default();
        for table in PersonalTable::ALL {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let rows = self
                    .store
                    .personal_rows(table, after.as_deref(), self.rows)
                    .await?;
                let Some(last) = rows.last().map(|row| row.id.clone()) else {
                    break;
                };
                walked.looked_at += u64::try_from(rows.len()).unwrap_or(u64::MAX);
                let rewrites = self.rewrites(table, rows)?;
                if !rewrites.is_empty() {
                    walked.rewritten += self.store.rewrite_personal(table, &rewrites).await?;
                }
                told(walked);
                after = Some(last);
            }
        }
        Ok(walked)
    }

    fn rewrites(
        &self,
        table: PersonalTable,
        rows: Vec<PersonalRow>,
    ) -> Result<Vec<PersonalRewrite>, StorageError> {
        let mut rewrites = Vec::new();
        for row in rows {
            let mut to = row.texts.clone();
            let mut changed = false;
            for ((column, stored), text) in columns(table).iter().zip(&row.texts).zip(&mut to) {
                let place = Place {
                    column: *column,
                    row: &row.id,
                };
                let Some(stored) = stored else { continue };
                if let Some(renewed) = self.ring.renew(place, stored).map_err(unreadable)? {
                    *text = Some(renewed);
                    changed = true;
                }
            }
            if changed {
                rewrites.push(PersonalRewrite { from: row, to });
            }
        }
        Ok(rewrites)
    }
}

/// Which keys all texts are encrypted under; reads `rows` at a time.
///
/// # Errors
/// When the store cannot answer, or a text is damaged.
pub async fn key_use<S: PersonalStore + ?Sized>(store: &S, rows: u32) -> Result<KeyUse, StorageError> {
    let mut uses = KeyUse::default();
    for table in PersonalTable::ALL {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store.personal_rows(table, after.as_deref(), rows).await?;
            let Some(last) = page.last().map(|row| row.id.clone()) else {
                break;
            };
            for (column, text) in page.iter().flat_map(|row| texts(table, row)) {
                match KeyRing::key_of(column, text).map_err(unreadable)? {
                    None => uses.plain += 1,
                    Some(id) => uses.count(id),
                }
            }
            after = Some(last);
        }
    }
    Ok(uses)
}

impl KeyUse {
    /// How many texts need this key.
    #[must_use]
    pub fn of(&self, id: KeyId) -> u64 {
        let found = self.keys.iter().find(|(key, _)| *key == id);
        found.map_or(0, |(_, texts)| *texts)
    }

    fn count(&mut self, id: KeyId) {
        match self.keys.iter_mut().find(|(key, _)| *key == id) {
            Some((_, texts)) => *texts += 1,
            None => self.keys.push((id, 1)),
        }
    }
}

/// In the order of the row's texts.
const fn columns(table: PersonalTable) -> &'static [Column] {
    match table {
        PersonalTable::Accounts => &[Column::Username, Column::DisplayName, Column::Address],
        PersonalTable::AddressClaims => &[Column::Address],
        PersonalTable::Credentials => &[Column::DeviceName, Column::RegisteredBy],
        PersonalTable::Sessions => &[Column::ClientAddress, Column::UserAgent],
    }
}

fn texts(table: PersonalTable, row: &PersonalRow) -> impl Iterator<Item = (Column, &str)> {
    let texts = row.texts.iter().map(Option::as_deref);
    let columns = columns(table).iter().copied();
    columns
        .zip(texts)
        .filter_map(|(column, text)| Some((column, text?)))
}
