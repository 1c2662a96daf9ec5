//! Anna, her passkey, and what she does.

use keyhaven_storage::{
    Account, AccountId, Addition, AssertionCommit, AuditEvent, AuditOutcome, Credential, CredentialTraits,
    Ending, EventId, NewRegistration, RegistrationAccount, Remembered, Session, SessionId, TokenHash,
};
use keyhaven_types::{Aaguid, CoseAlgorithm, CredentialId, RpId, SignCount, UnixTime, UserHandle};
use uuid::Uuid;

pub(crate) const AT: UnixTime = UnixTime::from_millis(1_790_000_000_000);

pub(crate) fn event(n: u128) -> AuditEvent {
    AuditEvent {
        id: EventId(Uuid::from_u128(n)),
        at: AT,
        action: "test".into(),
        outcome: AuditOutcome::Success,
        code: None,
        step: None,
        account: Some(AccountId(Uuid::from_u128(1))),
        credential: None,
        session: None,
        ip: None,
        user_agent: None,
        request_id: None,
        personal: None,
        actor: None,
        mac: [0; 32],
    }
}

pub(crate) fn anna() -> NewRegistration {
    let account = Account {
        id: AccountId(Uuid::from_u128(1)),
        user_handle: UserHandle::try_from(&[1; 32][..]).unwrap(),
        username: "anna".into(),
        display_name: "Anna".into(),
        email: Some("Anna@Example.org".into()),
        email_verified: true,
        active: true,
        role: keyhaven_storage::Role::User,
        created_at: AT,
        updated_at: AT,
        last_login_at: None,
    };
    let credential = Credential {
        id: CredentialId::try_from(&[1; 16][..]).unwrap(),
        account: account.id,
        rp_id: RpId::new("example.org").unwrap(),
        public_key: vec![1; 77],
        algorithm: CoseAlgorithm::ES256,
        sign_count: SignCount(0),
        aaguid: Aaguid::ZERO,
        transports: Vec::new(),
        backup_eligible: false,
        backup_state: false,
        uv_initialized: true,
        pin: false,
        attestation_format: "none".into(),
        attestation_type: "none".into(),
        attestation_trusted: false,
        attestation_hardware: false,
        device_name: "Key".into(),
        user_agent: None,
        created_at: AT,
        last_used_at: None,
        active: true,
        inactive_reason: None,
        traits: CredentialTraits::default(),
    };
    NewRegistration {
        session: Some(session(1)),
        account: RegistrationAccount::New(account),
        credential,
        ends: Ending::Nothing,
        claim: None,
        recovery: None,
        password: None,
        client_key: None,
        reserved_id: false,
        audit: event(1).into(),
    }
}

pub(crate) fn session(n: u8) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(u128::from(n))),
        account: AccountId(Uuid::from_u128(1)),
        token_family: TokenHash([n; 32]),
        token_hash: TokenHash([n; 32]),
        previous_token: None,
        earlier_tokens: Vec::new(),
        created_at: AT,
        last_seen_at: AT,
        expires_at: UnixTime::from_millis(i64::MAX),
        authenticated_at: AT,
        aal: 2,
        amr: vec!["hwk".into()],
        credential: Some(CredentialId::try_from(&[1; 16][..]).unwrap()),
        user_agent: None,
        ip: None,
    }
}

/// One more passkey for this account.
pub(crate) fn addition(account: AccountId) -> RegistrationAccount {
    RegistrationAccount::Existing(Addition {
        account,
        session: None,
        uses_grant: None,
        max_credentials: 100,
        at: AT,
    })
}

/// Anna's login from this sign count to the next, with session and event 10 more than it.
pub(crate) fn login(from: u8) -> AssertionCommit {
    let registration = anna();
    AssertionCommit {
        credential: registration.credential.id,
        account: registration.credential.account,
        expected_sign_count: SignCount(u32::from(from)),
        expected: Remembered {
            account_updated_at: AT,
            backup_eligible: false,
            device_name: "Key".into(),
        },
        new_sign_count: SignCount(u32::from(from) + 1),
        backup_eligible: false,
        backup_state: false,
        used_at: AT,
        factors: None,
        session: Some(session(from + 10)),
        grant: None,
        rotation: None,
        ends_session: None,
        audit: event(u128::from(from) + 10).into(),
    }
}
