//! Thousands of generated ceremonies, valid and spoiled in random places, judged by both implementations. A disagreement
//! must be a row of [`explained::ROWS`], which `docs/crosscheck.md` tells of; anything else fails.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod explained;
mod random;
mod spoil;

use std::collections::BTreeMap;

use explained::Ceremony;
use keyhaven_core::{
    AssertionPolicy, AuthenticationResponse, Challenge, CosePublicKey, CredentialId, CredentialRecord,
    CrossOrigin, ExpectedAssertion, ExpectedRegistration, ExpectedUser, Mediation, Origin,
    RegistrationPolicy, RegistrationResponse, RelyingParty, RpId, SignCount, UserHandle, UserVerification,
    verify_assertion, verify_registration,
};
use keyhaven_crosscheck::{Opinion, Verdict, assertion, registration};
use keyhaven_testkit::authenticator::{AttestationKind, BE, BS, SoftwareAuthenticator, base64url};
use random::Random;
use serde_json::{Value, json};

const ORIGIN: &str = "https://example.org";
const USER_HANDLE: &[u8] = b"0123456789abcdef";
/// Of each kind of ceremony.
const CEREMONIES: u64 = 3000;

/// What happened, and how often.
struct Tally {
    ceremony: Ceremony,
    accepted: u32,
    refused: u32,
    abstained: u32,
    explained: BTreeMap<&'static str, u32>,
    unexplained: Vec<String>,
}

impl Tally {
    fn new(ceremony: Ceremony) -> Self {
        Self {
            ceremony,
            accepted: 0,
            refused: 0,
            abstained: 0,
            explained: BTreeMap::new(),
            unexplained: Vec::new(),
        }
    }

    fn count(&mut self, seed: u64, spoiled: &str, accepted: bool, verdict: &Verdict, json: &str) {
        match verdict {
            Verdict::Agree if accepted => self.accepted += 1,
            Verdict::Agree => self.refused += 1,
            Verdict::Abstain { .. } => self.abstained += 1,
            Verdict::Disagree { ours, theirs } => {
                match explained::row(self.ceremony, spoiled, ours, theirs) {
                    Some(row) => *self.explained.entry(row.name).or_default() += 1,
                    None => self.unexplained.push(format!(
                        "seed {seed}, spoiled {spoiled:?}: ours {ours}, theirs {theirs}\n  {json}"
                    )),
                }
            }
        }
    }

    fn judge(&self) {
        println!(
            "both accept {}, both refuse {}, abstained {}, explained {:?}",
            self.accepted, self.refused, self.abstained, self.explained
        );
        assert!(self.unexplained.is_empty(), "{}", self.unexplained.join("\n"));
        // A row that explains nothing any more is taken out.
        for row in explained::ROWS {
            let occurs = self.explained.contains_key(row.name);
            assert_eq!(occurs, row.ceremonies.contains(&self.ceremony), "{}", row.name);
        }
        // All of this says something only if both answers occur, and mostly are answers.
        let all = self.accepted + self.refused + self.abstained + self.explained.values().sum::<u32>();
        assert!(self.accepted > all / 5 && self.refused > all / 5 && self.abstained < all / 3);
    }
}

#[test]
fn registrations_are_judged_alike() {
    let mut tally = Tally::new(Ceremony::Registration);
    for seed in 0..CEREMONIES {
        let mut random = Random(seed);
        let mut authenticator = authenticator(&mut random, seed);
        let challenge = random.next().to_be_bytes().repeat(4);
        let mut draft = authenticator
            .draft_registration(&creation_options(&challenge), ORIGIN)
            .unwrap();
        let policy = RegistrationPolicy {
            user_verification: user_verification(&mut random),
            ..RegistrationPolicy::default()
        };
        let mut spoiled = "nowhere";
        let place = random.below(100);
        if (30..80).contains(&place) {
            let (name, spoil) = &spoil::REGISTRATIONS[random.below(spoil::REGISTRATIONS.len())];
            spoil(&mut random, &mut draft);
            spoiled = name;
        }
        let mut json = draft.finish();
        if place >= 80 {
            spoiled = on_the_way(&mut random, &mut json);
        }
        let text = json.to_string();
        let relying_party = relying_party();
        let challenge = Challenge::new(challenge).unwrap();
        let expected = ExpectedRegistration {
            relying_party: &relying_party,
            challenge: &challenge,
            origin: None,
            mediation: Mediation::Modal,
        };
        let ours = RegistrationResponse::from_json(text.as_bytes())
            .and_then(|response| verify_registration(&response, &expected, &policy));
        let verdict = registration(text.as_bytes(), &expected, &policy, ours.as_ref());
        tally.count(seed, spoiled, ours.is_ok(), &verdict, &text);
    }
    tally.judge();
}

#[test]
fn assertions_are_judged_alike() {
    let mut tally = Tally::new(Ceremony::Assertion);
    for seed in 0..CEREMONIES {
        let mut random = Random(seed);
        let mut authenticator = authenticator(&mut random, seed);
        let _ = authenticator.register(&creation_options(&[1]), ORIGIN);
        let backup_eligible = authenticator.credentials[0].backup & BE != 0;
        let stored_count = authenticator.credentials[0].sign_count;
        let challenge = random.next().to_be_bytes().repeat(4);
        let options = json!({"rpId": "example.org", "challenge": base64url(&challenge)});
        let mut draft = authenticator.draft_assertion(&options, ORIGIN).unwrap();
        let id = CredentialId::try_from(draft.envelope_id.as_slice()).unwrap();
        let policy = AssertionPolicy {
            user_verification: user_verification(&mut random),
            ..AssertionPolicy::default()
        };
        let mut spoiled = "nowhere";
        let place = random.below(100);
        if (30..80).contains(&place) {
            let (name, spoil) = &spoil::ASSERTIONS[random.below(spoil::ASSERTIONS.len())];
            spoil(&mut random, &mut draft);
            spoiled = name;
        }
        let mut json = draft.finish();
        if place >= 80 {
            spoiled = on_the_way(&mut random, &mut json);
        }
        let text = json.to_string();
        let relying_party = relying_party();
        let challenge = Challenge::new(challenge).unwrap();
        let user_handle = UserHandle::try_from(USER_HANDLE).unwrap();
        let public_key = draft.key.cose().encode();
        let expected = ExpectedAssertion {
            relying_party: &relying_party,
            challenge: &challenge,
            origin: None,
            allow_credentials: &[],
            user: ExpectedUser::Identified,
            appid: None,
        };
        let record = CredentialRecord {
            id: &id,
            public_key: &CosePublicKey::new(&public_key),
            sign_count: SignCount(stored_count),
            user_handle: Some(&user_handle),
            backup_eligible: Some(backup_eligible),
        };
        let ours = AuthenticationResponse::from_json(text.as_bytes())
            .and_then(|response| verify_assertion(&response, &expected, &record, &policy));
        let verdict = assertion(text.as_bytes(), &expected, &record, &policy, ours.as_ref());
        tally.count(seed, spoiled, ours.is_ok(), &verdict, &text);
    }
    tally.judge();
}

#[test]
fn the_document_tells_every_explained_row() {
    let document = include_str!("../../../../docs/crosscheck.md");
    for row in explained::ROWS {
        assert!(document.contains(&format!("| {} |", row.name)), "{}", row.name);
        assert!(document.contains(row.why), "{}", row.name);
    }
}

/// A verdict that is wrong on purpose is seen.
#[test]
fn a_wrong_verdict_is_a_disagreement() {
    let mut authenticator = SoftwareAuthenticator::new("wrong");
    let challenge = vec![5; 32];
    let response = authenticator.register(&creation_options(&challenge), ORIGIN);
    let text = response.to_string();
    let (relying_party, policy) = (relying_party(), RegistrationPolicy::default());
    let challenge = Challenge::new(challenge).unwrap();
    let expected = ExpectedRegistration {
        relying_party: &relying_party,
        challenge: &challenge,
        origin: None,
        mediation: Mediation::Modal,
    };
    let ours = RegistrationResponse::from_json(text.as_bytes())
        .and_then(|response| verify_registration(&response, &expected, &policy));
    assert_eq!(
        registration(text.as_bytes(), &expected, &policy, ours.as_ref()),
        Verdict::Agree
    );
    // The other one is told of another challenge than the one that ours was judged by.
    let other = Challenge::new(vec![6; 32]).unwrap();
    let misled = ExpectedRegistration {
        challenge: &other,
        ..expected
    };
    let verdict = registration(text.as_bytes(), &misled, &policy, ours.as_ref());
    assert!(
        matches!(
            &verdict,
            Verdict::Disagree {
                ours: Opinion::Accepted(_),
                theirs: Opinion::Refused { .. }
            }
        ),
        "{verdict:?}"
    );
}

fn authenticator(random: &mut Random, seed: u64) -> SoftwareAuthenticator {
    let mut authenticator = SoftwareAuthenticator::new(seed.to_be_bytes());
    // Mostly ES256; now and then one that the other implementation has to abstain from.
    authenticator.algorithms = vec![*random.pick(&[&-7, &-7, &-7, &-7, &-35, &-257, &-257, &-8])];
    authenticator.attestation = *random.pick(&[
        &AttestationKind::None,
        &AttestationKind::None,
        &AttestationKind::PackedSelf,
        &AttestationKind::PackedX5c(-7),
    ]);
    authenticator.backup = *random.pick(&[&0, &BE, &(BE | BS)]);
    authenticator.counts = random.one_in(2);
    authenticator.verifies_user = !random.one_in(8);
    authenticator
}

fn user_verification(random: &mut Random) -> UserVerification {
    *random.pick(&[
        &UserVerification::Required,
        &UserVerification::Required,
        &UserVerification::Preferred,
        &UserVerification::Discouraged,
    ])
}

fn on_the_way(random: &mut Random, json: &mut Value) -> &'static str {
    let (name, spoil) = &spoil::RESPONSES[random.below(spoil::RESPONSES.len())];
    spoil(random, json);
    name
}

fn relying_party() -> RelyingParty {
    RelyingParty {
        id: RpId::new("example.org").unwrap(),
        origins: vec![Origin::new(ORIGIN).unwrap()],
        cross_origin: CrossOrigin::Refuse,
    }
}

fn creation_options(challenge: &[u8]) -> Value {
    json!({
        "rp": {"id": "example.org"}, "user": {"id": base64url(USER_HANDLE)}, "challenge": base64url(challenge),
        "pubKeyCredParams": [{"alg": -7}, {"alg": -8}, {"alg": -35}, {"alg": -257}],
    })
}
