use async_trait::async_trait;
use keyhaven_storage::{
    AccountId, EncryptionKey, EncryptionState, PersonalRewrite, PersonalRow, PersonalStore, PersonalTable,
    SessionId, StorageError,
};
use keyhaven_types::CredentialId;

use super::state::State;
use super::{Conflict, MemoryStore};

#[async_trait]
impl PersonalStore for MemoryStore {
    async fn personal_rows(
        &self,
        table: PersonalTable,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<PersonalRow>, StorageError> {
        self.with("personal.list", |state| {
            let mut rows = rows(state, table);
            rows.retain(|row| after.is_none_or(|after| &row.id[..] > after));
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(rows)
        })
    }

    async fn rewrite_personal(
        &self,
        table: PersonalTable,
        rewrites: &[PersonalRewrite],
    ) -> Result<u64, StorageError> {
        self.with("personal.rewrite", |state| {
            let mut done = 0;
            for rewrite in rewrites {
                if rows(state, table).contains(&rewrite.from) {
                    put(state, table, &rewrite.from.id, &rewrite.to)
                        .ok_or(Conflict("as many texts as there were"))?;
                    done += 1;
                }
            }
            Ok(done)
        })
    }

    async fn encryption_state(&self) -> Result<EncryptionState, StorageError> {
        self.with("personal.encryption_state", |state| Ok(state.encryption.clone()))
    }

    async fn add_encryption_key(
        &self,
        key: &EncryptionKey,
        beside: &[[u8; 4]],
    ) -> Result<bool, StorageError> {
        self.with("personal.add_key", |state| {
            if !(1..=256).contains(&key.wrapped_lookups.len()) {
                return Err(Conflict("a wrapped key has 1 to 256 bytes"));
            }
            let keys = &mut state.encryption.keys;
            let among = |id: &[u8; 4]| keys.iter().any(|known| known.id == *id);
            if keys.len() != beside.len() || !beside.iter().all(among) || among(&key.id) {
                return Ok(false);
            }
            keys.push(key.clone());
            keys.sort_by_key(|known| known.id);
            Ok(true)
        })
    }

    async fn drop_encryption_key(&self, id: [u8; 4]) -> Result<(), StorageError> {
        self.with("personal.drop_key", |state| {
            let keys = &mut state.encryption.keys;
            if keys.len() > 1 {
                keys.retain(|known| known.id != id);
            }
            Ok(())
        })
    }

    async fn set_all_encrypted(&self) -> Result<(), StorageError> {
        self.with("personal.set_all_encrypted", |state| {
            state.encryption.all_encrypted = true;
            Ok(())
        })
    }
}

fn rows(state: &State, table: PersonalTable) -> Vec<PersonalRow> {
    let row = |id: &[u8], texts: &[Option<&String>]| PersonalRow {
        id: id.to_vec(),
        texts: texts.iter().map(|text| text.cloned()).collect(),
    };
    match table {
        PersonalTable::Accounts => state
            .accounts
            .values()
            .map(|account| {
                row(
                    account.id.0.as_bytes(),
                    &[
                        Some(&account.username),
                        Some(&account.display_name),
                        account.email.as_ref(),
                    ],
                )
            })
            .collect(),
        PersonalTable::AddressClaims => state
            .claims
            .values()
            .map(|claim| row(claim.account.0.as_bytes(), &[Some(&claim.address)]))
            .collect(),
        PersonalTable::Credentials => state
            .credentials
            .values()
            .map(|credential| {
                row(
                    credential.id.as_bytes(),
                    &[Some(&credential.device_name), credential.user_agent.as_ref()],
                )
            })
            .collect(),
        PersonalTable::Sessions => state
            .sessions
            .values()
            .map(|session| {
                row(
                    session.id.0.as_bytes(),
                    &[session.ip.as_ref(), session.user_agent.as_ref()],
                )
            })
            .collect(),
    }
}

/// `None`: these are not the texts of such a row.
fn put(state: &mut State, table: PersonalTable, id: &[u8], to: &[Option<String>]) -> Option<()> {
    match (table, to) {
        (PersonalTable::Accounts, [Some(username), Some(display_name), email]) => {
            let id = AccountId(id.try_into().ok().map(uuid::Uuid::from_bytes)?);
            let verified = state.accounts.get(&id)?.email_verified;
            state.rename(id, username);
            if let (true, Some(address)) = (verified, email) {
                let at = state.accounts.get(&id)?.updated_at;
                state.prove_email(id, address.clone(), at)?;
            }
            let account = state.accounts.get_mut(&id)?;
            display_name.clone_into(&mut account.display_name);
            account.email.clone_from(email);
        }
        (PersonalTable::AddressClaims, [Some(address)]) => {
            let id = AccountId(id.try_into().ok().map(uuid::Uuid::from_bytes)?);
            address.clone_into(&mut state.claims.get_mut(&id)?.address);
        }
        (PersonalTable::Credentials, [Some(device_name), user_agent]) => {
            let id = CredentialId::try_from(id).ok()?;
            let credential = state.credentials.get_mut(&id)?;
            device_name.clone_into(&mut credential.device_name);
            credential.user_agent.clone_from(user_agent);
        }
        (PersonalTable::Sessions, [ip, user_agent]) => {
            let id = SessionId(id.try_into().ok().map(uuid::Uuid::from_bytes)?);
            let session = state.sessions.get_mut(&id)?;
            session.ip.clone_from(ip);
            session.user_agent.clone_from(user_agent);
        }
        _ => return None,
    }
    Some(())
}
