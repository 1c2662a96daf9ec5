//! Records to test with. `n` tells them apart.

use keyhaven_types::{
    Aaguid, AuthenticatorTransport, CoseAlgorithm, CredentialId, RpId, SignCount, UnixTime, UserHandle,
};
use uuid::Uuid;

use crate::{
    Account, AccountId, Actor, Addition, Aftermath, AssertionCommit, AuditEvent, AuditOutcome, Credential,
    CredentialTraits, DurableStore, Ending, EventId, MailId, NewRegistration, OwnedCredential, QueuedMail,
    RegistrationAccount, RegistrationOutcome, Remembered, Removal, Role, Session, SessionId, SigningKey,
    StepUpGrant, TokenHash,
};

pub(super) const PURPOSE: &str = "delete_passkey";

/// So many milliseconds after the moment at which these tests play.
pub(super) const fn at(millis: i64) -> UnixTime {
    UnixTime::from_millis(1_600_000_000_000 + millis)
}

pub(super) fn account(n: u8) -> Account {
    Account {
        id: AccountId(Uuid::from_u128(0xacc0_0000 + u128::from(n))),
        user_handle: UserHandle::try_from(&[n; 32][..]).unwrap(),
        username: format!("user-{n}"),
        display_name: format!("User {n}"),
        email: Some(format!("user-{n}@example.org")),
        email_verified: false,
        active: true,
        role: Role::User,
        created_at: at(0),
        updated_at: at(1),
        last_login_at: None,
    }
}

pub(super) fn credential_id(n: u8) -> CredentialId {
    CredentialId::try_from(&[n; 16][..]).unwrap()
}

pub(super) fn credential(account: AccountId, n: u8) -> Credential {
    Credential {
        id: credential_id(n),
        account,
        rp_id: RpId::new("example.org").unwrap(),
        public_key: vec![n; 77],
        algorithm: CoseAlgorithm::ES256,
        sign_count: SignCount(7),
        aaguid: Aaguid::new([n; 16]),
        transports: vec![AuthenticatorTransport::Internal, AuthenticatorTransport::Hybrid],
        backup_eligible: false,
        backup_state: false,
        uv_initialized: true,
        pin: false,
        attestation_format: "none".into(),
        attestation_type: "none".into(),
        attestation_trusted: false,
        attestation_hardware: true,
        device_name: format!("Passkey {n}"),
        user_agent: Some("Mozilla/5.0".into()),
        created_at: at(i64::from(n)),
        last_used_at: None,
        active: true,
        inactive_reason: None,
        traits: CredentialTraits {
            discoverable: Some(true),
            cred_protect: Some(2),
            min_pin_length: None,
            large_blob: Some(false),
            prf: Some(true),
            serial_number: Some("00ff".into()),
        },
    }
}

pub(super) fn token(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

pub(super) fn family(n: u8) -> TokenHash {
    TokenHash([n, 0xfa, 0xfa, 0xfa].repeat(8).try_into().unwrap())
}

pub(super) fn session(account: AccountId, n: u8) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(0x5e55_0000 + u128::from(n))),
        account,
        token_family: family(n),
        token_hash: token(n),
        previous_token: None,
        earlier_tokens: Vec::new(),
        created_at: at(i64::from(n)),
        last_seen_at: at(i64::from(n)),
        expires_at: at(1_000_000),
        authenticated_at: at(i64::from(n)),
        aal: 2,
        amr: vec!["hwk".into(), "user".into(), "mfa".into()],
        credential: None,
        user_agent: Some("Mozilla/5.0".into()),
        ip: Some("192.0.2.1".into()),
    }
}

pub(super) fn grant(session: SessionId) -> StepUpGrant {
    StepUpGrant {
        session,
        purpose: PURPOSE.into(),
        expires_at: at(300_000),
    }
}

pub(super) fn event(n: u128, account: AccountId) -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(0xe0e0_0000_0000 + n)),
        at: at(0),
        action: "contract.test".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        account: Some(account),
        credential: None,
        session: None,
        ip: Some("192.0.2.1".into()),
        user_agent: None,
        request_id: Some("request".into()),
        personal: None,
        // Whoever writes it, with whatever commit: it is to come back.
        actor: (n % 2 == 1).then_some(Actor::CommandLine),
        mac: [9; 32],
    }
}

pub(super) fn mail(n: u128, account: AccountId) -> QueuedMail {
    QueuedMail {
        id: MailId(Uuid::from_u128(0x3a11_0000_0000 + n)),
        account: Some(account),
        sealed: vec![7; 100],
        created_at: at(0),
        due_at: at(10),
    }
}

/// Event `n` and mail `n`.
pub(super) fn announced(n: u128, account: AccountId) -> Aftermath {
    Aftermath {
        event: event(n, account),
        mails: vec![mail(n, account)],
    }
}

/// All mails that wait, whenever they are due; afterwards nobody else gets them.
pub(super) async fn all_mails(store: &dyn DurableStore) -> Vec<MailId> {
    let ever = UnixTime::from_millis(i64::MAX);
    let taken = store.take_mails(ever, ever, u32::MAX).await.unwrap();
    taken.into_iter().map(|taken| taken.mail.id).collect()
}

pub(super) fn signing_key(n: u8) -> SigningKey {
    SigningKey {
        id: format!("key-{n}"),
        algorithm: "EdDSA".into(),
        public_jwk: format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{n}"}}"#),
        sealed_private_key: vec![n; 60],
        created_at: at(i64::from(n) * 1000),
        expires_at: at(i64::from(n) * 1000 + 10_000),
    }
}

/// A new account with one passkey and no session; event `n`.
pub(super) fn newcomer(n: u8) -> NewRegistration {
    let account = account(n);
    NewRegistration {
        credential: credential(account.id, n),
        claim: None,
        recovery: None,
        session: None,
        ends: Ending::Nothing,
        password: None,
        client_key: None,
        reserved_id: false,
        audit: event(u128::from(n), account.id).into(),
        account: RegistrationAccount::New(account),
    }
}

pub(super) fn addition(account: AccountId) -> Addition {
    Addition {
        account,
        session: None,
        uses_grant: None,
        max_credentials: 100,
        at: at(600),
    }
}

/// One more passkey for an account; event 1000 + `n`.
pub(super) fn another(account: AccountId, n: u8) -> NewRegistration {
    NewRegistration {
        account: RegistrationAccount::Existing(addition(account)),
        credential: credential(account, n),
        claim: None,
        recovery: None,
        session: None,
        ends: Ending::Nothing,
        password: None,
        client_key: None,
        reserved_id: false,
        audit: event(1000 + u128::from(n), account).into(),
    }
}

/// A login by the credential of that number, which stands at 7; session and event 2000 + `n`.
pub(super) fn login(account: AccountId, credential: u8, n: u8) -> AssertionCommit {
    AssertionCommit {
        credential: credential_id(credential),
        account,
        expected_sign_count: SignCount(7),
        expected: Remembered::of(&OwnedCredential {
            credential: self::credential(account, credential),
            account: self::account(1),
        }),
        new_sign_count: SignCount(8),
        backup_eligible: false,
        backup_state: false,
        used_at: at(500),
        factors: None,
        session: Some(Session {
            credential: Some(credential_id(credential)),
            ..session(account, n)
        }),
        grant: None,
        rotation: None,
        ends_session: None,
        audit: event(2000 + u128::from(n), account).into(),
    }
}

/// A step-up by the credential of that number, which stands at 7; event 3000 + `credential`.
pub(super) fn step_up(account: AccountId, credential: u8, session: SessionId) -> AssertionCommit {
    AssertionCommit {
        session: None,
        grant: Some(grant(session)),
        audit: event(3000 + u128::from(credential), account).into(),
        ..login(account, credential, 0)
    }
}

/// The removal of credentials; event 4000 and the first one's number.
pub(super) fn removal(account: AccountId, credentials: &[u8]) -> Removal {
    Removal {
        account,
        credentials: credentials.iter().map(|n| credential_id(*n)).collect(),
        password_suffices: false,
        keeps_session: None,
        uses_grant: None,
        audit: event(4000 + u128::from(credentials[0]), account).into(),
    }
}

pub(super) async fn register(store: &dyn DurableStore, registration: NewRegistration) {
    assert_eq!(
        store.commit_registration(registration).await.unwrap(),
        RegistrationOutcome::Committed
    );
}

/// Registers [`newcomer`] `n` with session `n`, opened by its passkey, and answers both ids.
pub(super) async fn register_signed_in(store: &dyn DurableStore, n: u8) -> (AccountId, SessionId) {
    let mut newcomer = newcomer(n);
    let account = newcomer.credential.account;
    let session = Session {
        credential: Some(credential_id(n)),
        ..session(account, n)
    };
    let id = session.id;
    newcomer.session = Some(session);
    register(store, newcomer).await;
    (account, id)
}

/// Opens one more session: number `n`, by no passkey.
pub(super) async fn open_session(store: &dyn DurableStore, session: Session, credential: u8) {
    let id = credential_id(credential);
    let known = store.credential(&id).await.unwrap().unwrap();
    let n = session.token_family.0[0];
    let commit = AssertionCommit {
        expected_sign_count: known.credential.sign_count,
        expected: Remembered::of(&known),
        new_sign_count: known.credential.sign_count,
        audit: event(5000 + u128::from(n), session.account).into(),
        ..login(session.account, credential, n)
    };
    let commit = AssertionCommit {
        session: Some(session),
        ..commit
    };
    assert_eq!(
        store.commit_assertion(commit).await.unwrap(),
        crate::AssertionOutcome::Committed
    );
}

/// All that can be read about one account.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) account: Option<Account>,
    pub(super) credentials: Vec<Credential>,
    pub(super) sessions: Vec<Session>,
    pub(super) granted: Vec<bool>,
    pub(super) events: Vec<AuditEvent>,
    /// Of everybody.
    pub(super) waiting_mails: u64,
}

pub(super) async fn snapshot(store: &dyn DurableStore, account: AccountId) -> Snapshot {
    let sessions = store
        .sessions_of(account, UnixTime::from_millis(i64::MIN))
        .await
        .unwrap();
    let mut granted = Vec::new();
    for session in &sessions {
        granted.push(
            store
                .has_grant(session.id, PURPOSE, UnixTime::from_millis(i64::MIN))
                .await
                .unwrap(),
        );
    }
    Snapshot {
        account: store.account(account).await.unwrap(),
        credentials: store.credentials_of(account).await.unwrap(),
        sessions,
        granted,
        events: store.events_of(account, None, 1000).await.unwrap(),
        waiting_mails: store.outbox_figures().await.unwrap().waiting,
    }
}
