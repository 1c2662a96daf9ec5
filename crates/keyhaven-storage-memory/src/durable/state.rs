use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use keyhaven_storage::{
    Account, AccountId, AccountLock, AddressClaim, Aftermath, AuditBatch, AuditEvent, AuditKey, AuditLeaf,
    AuditPrune, ClientKey, Credential, EncryptionState, Ending, Enrolment, EventId, MAX_MAIL_BYTES, MailId,
    OpenedSession, PasswordVerifier, Recovery, RecoveryStage, Session, SessionId, SigningKey, TakenMail,
    TokenHash, lookup_key,
};
use keyhaven_types::{CredentialId, UnixTime, UserHandle};

use super::Conflict;

/// All records, and the look-ups that a database would call indexes.
#[derive(Default)]
pub(super) struct State {
    pub(super) accounts: HashMap<AccountId, Account>,
    pub(super) usernames: HashMap<String, AccountId>,
    user_handles: HashSet<UserHandle>,
    verified_emails: HashSet<String>,
    pub(super) locks: HashMap<AccountId, AccountLock>,
    pub(super) enrolments: HashMap<AccountId, Enrolment>,
    pub(super) claims: HashMap<AccountId, AddressClaim>,
    /// For claims that are gone, or have moved to another address.
    pub(super) past_claim_mails: Vec<ClaimMails>,
    pub(super) credentials: HashMap<CredentialId, Credential>,
    /// In the order in which they came.
    credentials_of: HashMap<AccountId, Vec<CredentialId>>,
    pub(super) client_keys: HashMap<AccountId, ClientKey>,
    pub(super) passwords: HashMap<AccountId, PasswordVerifier>,
    pub(super) sessions: HashMap<SessionId, Session>,
    pub(super) token_families: HashMap<TokenHash, SessionId>,
    /// In the order in which they came.
    sessions_of: HashMap<AccountId, Vec<SessionId>>,
    pub(super) grants: HashMap<SessionId, HashMap<String, UnixTime>>,
    /// Attempt 0: never taken.
    pub(super) outbox: BTreeMap<MailId, TakenMail>,
    pub(super) recoveries: HashMap<TokenHash, Recovery>,
    pub(super) recovery_codes: HashMap<AccountId, HashSet<[u8; 32]>>,
    pub(super) signing_keys: Vec<SigningKey>,
    pub(super) events: BTreeMap<EventId, AuditEvent>,
    events_of: HashMap<AccountId, Vec<EventId>>,
    /// Events that no batch holds.
    pub(super) unsealed: BTreeSet<EventId>,
    /// In order of their numbers, with what each holds; emptied when it was pruned.
    pub(super) batches: Vec<(AuditBatch, Vec<AuditLeaf>)>,
    pub(super) batch_of: HashMap<EventId, u64>,
    pub(super) audit_keys: Vec<AuditKey>,
    pub(super) audit_prunes: Vec<AuditPrune>,
    pub(super) encryption: EncryptionState,
}

/// What an address is looked up by, upper and lower case alike.
fn address_key(address: &str) -> String {
    lookup_key(address).to_ascii_lowercase()
}

/// What was mailed for a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimMails {
    pub(super) address_hash: [u8; 32],
    pub(super) mails: u32,
    pub(super) mailed_at: UnixTime,
}

impl ClaimMails {
    pub(super) fn of(claim: &AddressClaim) -> Self {
        Self {
            address_hash: claim.address_hash,
            mails: claim.mails,
            mailed_at: claim.mailed_at,
        }
    }
}

impl State {
    pub(super) fn check_account(&self, account: &Account) -> Result<(), Conflict> {
        if self.accounts.contains_key(&account.id) {
            return Err(Conflict("an account with this id exists"));
        }
        if self.user_handles.contains(&account.user_handle) {
            return Err(Conflict("an account with this user handle exists"));
        }
        match &account.email {
            None if account.email_verified => Err(Conflict("no address was verified")),
            Some(email) if account.email_verified && self.verified_emails.contains(&address_key(email)) => {
                Err(Conflict("the address was verified for another account"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn insert_account(&mut self, account: Account) {
        self.usernames
            .insert(lookup_key(&account.username).to_owned(), account.id);
        self.user_handles.insert(account.user_handle.clone());
        if let (true, Some(email)) = (account.email_verified, &account.email) {
            self.verified_emails.insert(address_key(email));
        }
        self.accounts.insert(account.id, account);
    }

    pub(super) fn rename(&mut self, id: AccountId, username: &str) {
        if let Some(account) = self.accounts.get_mut(&id) {
            self.usernames.remove(lookup_key(&account.username));
            username.clone_into(&mut account.username);
            self.usernames.insert(lookup_key(username).to_owned(), id);
        }
    }

    /// The account, which now has proven this address.
    pub(super) fn prove_email(&mut self, id: AccountId, address: String, at: UnixTime) -> Option<Account> {
        let account = self.accounts.get_mut(&id)?;
        if let (true, Some(before)) = (account.email_verified, &account.email) {
            self.verified_emails.remove(&address_key(before));
        }
        self.verified_emails.insert(address_key(&address));
        account.email = Some(address);
        account.email_verified = true;
        account.updated_at = at;
        Some(account.clone())
    }

    pub(super) fn put_claim(&mut self, mut claim: AddressClaim, mailed_since: UnixTime) {
        if let Some(before) = self.claims.remove(&claim.account) {
            if before.address_hash != claim.address_hash {
                self.keep_mails(&before);
            } else if before.mailed_at > mailed_since {
                if claim.mails == 0 {
                    claim.mailed_at = before.mailed_at;
                }
                claim.mails = claim.mails.saturating_add(before.mails);
            }
        }
        self.claims.insert(claim.account, claim);
    }

    pub(super) fn drop_claim(&mut self, account: AccountId) {
        if let Some(dropped) = self.claims.remove(&account) {
            self.keep_mails(&dropped);
        }
    }

    fn keep_mails(&mut self, claim: &AddressClaim) {
        if claim.mails > 0 {
            self.past_claim_mails.push(ClaimMails::of(claim));
        }
    }

    /// The account and everything of it, save events.
    pub(super) fn remove_account(&mut self, id: AccountId) {
        let Some(account) = self.accounts.remove(&id) else {
            return;
        };
        self.usernames.remove(lookup_key(&account.username));
        self.user_handles.remove(&account.user_handle);
        if let (true, Some(email)) = (account.email_verified, &account.email) {
            self.verified_emails.remove(&address_key(email));
        }
        self.drop_claim(id);
        for credential in self.credentials_of.remove(&id).unwrap_or_default() {
            self.credentials.remove(&credential);
        }
        self.end(id, &Ending::Everywhere { keep: None });
        self.sessions_of.remove(&id);
        self.client_keys.remove(&id);
        self.passwords.remove(&id);
        self.outbox.retain(|_, taken| taken.mail.account != Some(id));
        self.recoveries.retain(|_, recovery| recovery.account != Some(id));
        self.recovery_codes.remove(&id);
        self.locks.remove(&id);
        self.enrolments.remove(&id);
    }

    pub(super) fn insert_credential(&mut self, credential: Credential) {
        self.credentials_of
            .entry(credential.account)
            .or_default()
            .push(credential.id.clone());
        self.credentials.insert(credential.id.clone(), credential);
    }

    pub(super) fn remove_credential(&mut self, id: &CredentialId) {
        let Some(credential) = self.credentials.remove(id) else {
            return;
        };
        if let Some(ids) = self.credentials_of.get_mut(&credential.account) {
            ids.retain(|other| other != id);
        }
        for session in self
            .sessions
            .values_mut()
            .filter(|session| session.credential.as_ref() == Some(id))
        {
            session.credential = None;
        }
    }

    /// Oldest first; of equally old ones the first to come.
    pub(super) fn credentials_of(&self, account: AccountId) -> Vec<&Credential> {
        let ids = self
            .credentials_of
            .get(&account)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<_> = ids.iter().filter_map(|id| self.credentials.get(id)).collect();
        found.sort_by_key(|credential| credential.created_at);
        found
    }

    /// `opened_by`: a credential that the same commit brings.
    pub(super) fn check_session(
        &self,
        session: &Session,
        opened_by: Option<(&CredentialId, AccountId)>,
    ) -> Result<(), Conflict> {
        if self.sessions.contains_key(&session.id) {
            return Err(Conflict("a session with this id exists"));
        }
        if self.token_families.contains_key(&session.token_family) {
            return Err(Conflict("a session has tokens of this family"));
        }
        if !(1..=3).contains(&session.aal) {
            return Err(Conflict("an assurance level is 1 to 3"));
        }
        match &session.credential {
            Some(id)
                if opened_by != Some((id, session.account))
                    && self
                        .credentials
                        .get(id)
                        .is_none_or(|known| known.account != session.account) =>
            {
                Err(Conflict("a session is opened by a credential of its own account"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn open_session(&mut self, opened: OpenedSession) {
        if let Some(ends) = opened.ends {
            self.remove_session(ends);
        }
        self.insert_session(opened.session);
    }

    pub(super) fn insert_session(&mut self, session: Session) {
        self.token_families.insert(session.token_family, session.id);
        self.sessions_of
            .entry(session.account)
            .or_default()
            .push(session.id);
        self.sessions.insert(session.id, session);
    }

    /// Tells whether it was there.
    pub(super) fn remove_session(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.remove(&id) else {
            return false;
        };
        self.token_families.remove(&session.token_family);
        if let Some(ids) = self.sessions_of.get_mut(&session.account) {
            ids.retain(|other| *other != id);
        }
        self.grants.remove(&id);
        true
    }

    /// Ends what is under way to recover an account.
    pub(super) fn end_recoveries(&mut self, account: AccountId) {
        for recovery in self.recoveries.values_mut() {
            if recovery.account == Some(account) {
                recovery.stage = RecoveryStage::Ended;
            }
        }
    }

    /// Ends what a commit of this account ends with it, and tells how many.
    pub(super) fn end(&mut self, account: AccountId, ending: &Ending) -> u64 {
        let ids: Vec<_> = match ending {
            Ending::Everywhere { keep } => {
                let all = self.sessions_of(account).into_iter().map(|session| session.id);
                all.filter(|id| Some(*id) != *keep).collect()
            }
            Ending::Nothing => Vec::new(),
            Ending::OpenedBy(credential) => {
                let all = self.sessions_of(account).into_iter();
                all.filter(|session| session.credential.as_ref() == Some(credential))
                    .map(|session| session.id)
                    .collect()
            }
            Ending::Session(id) => vec![*id],
        };
        let ended = ids.into_iter().filter(|id| self.remove_session(*id)).count();
        u64::try_from(ended).unwrap_or(u64::MAX)
    }

    /// Newest first; of equally new ones the last to come.
    pub(super) fn sessions_of(&self, account: AccountId) -> Vec<&Session> {
        let ids = self
            .sessions_of
            .get(&account)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<_> = ids.iter().rev().filter_map(|id| self.sessions.get(id)).collect();
        found.sort_by_key(|session| std::cmp::Reverse(session.created_at));
        found
    }

    pub(super) fn check_aftermath(&self, aftermath: &Aftermath) -> Result<(), Conflict> {
        for (n, mail) in aftermath.mails.iter().enumerate() {
            let earlier = aftermath.mails.iter().take(n);
            if self.outbox.contains_key(&mail.id) || earlier.into_iter().any(|other| other.id == mail.id) {
                return Err(Conflict("a mail with this id exists"));
            }
            if !(1..=MAX_MAIL_BYTES).contains(&mail.sealed.len()) {
                return Err(Conflict("a mail has 1 to 65536 bytes"));
            }
        }
        self.check_event(&aftermath.event)
    }

    pub(super) fn append(&mut self, aftermath: Aftermath) {
        for mail in aftermath.mails {
            self.outbox.insert(mail.id, TakenMail { mail, attempt: 0 });
        }
        self.append_event(aftermath.event);
    }

    pub(super) fn check_event(&self, event: &AuditEvent) -> Result<(), Conflict> {
        if self.events.contains_key(&event.id) {
            Err(Conflict("an event with this id exists"))
        } else {
            Ok(())
        }
    }

    pub(super) fn append_event(&mut self, event: AuditEvent) {
        if let Some(account) = event.account {
            self.events_of.entry(account).or_default().push(event.id);
        }
        self.unsealed.insert(event.id);
        self.events.insert(event.id, event);
    }

    pub(super) fn drop_event(&mut self, id: EventId) {
        let account = self.events.remove(&id).and_then(|event| event.account);
        if let Some(ids) = account.and_then(|account| self.events_of.get_mut(&account)) {
            ids.retain(|other| *other != id);
        }
    }

    /// Newest first; of equally new ones that with the highest id.
    pub(super) fn events_of(&self, account: AccountId) -> Vec<&AuditEvent> {
        let ids = self
            .events_of
            .get(&account)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<_> = ids.iter().filter_map(|id| self.events.get(id)).collect();
        found.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
        found
    }
}
