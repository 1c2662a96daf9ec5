//! Credentials that do not exist, for names that do not exist.
//!
//! A login by name answers with the account's credential ids. For an unknown name it answers with decoys: made from the
//! name and a secret key, so the same name always gets the same ones; as long as real ones, with transports that go
//! together with that length. Each ends in a keyed MAC over the rest of itself, so that the finish recognises a decoy
//! without knowing the name, and spends the same work on refusing it as on refusing a real one.

use keyhaven_storage::CredentialHandle;
use keyhaven_types::{AuthenticatorTransport, CredentialId, UserHandle};
use ring::hmac;
use subtle::ConstantTimeEq as _;

const MAC_LEN: usize = 8;

/// The decoy credentials of a (case-mapped) name: one, or for every fourth name two.
pub(crate) fn credentials(key: &hmac::Key, username: &str) -> Vec<CredentialHandle> {
    let seed = mac(key, &[b"seed", username.as_bytes()]);
    let [first, second, how_many, ..] = seed;
    let mut kinds = vec![first];
    if how_many % 4 == 0 {
        kinds.push(second);
    }
    kinds
        .into_iter()
        .zip(0_u8..)
        .filter_map(|(kind, index)| one(key, &seed, kind, index))
        .collect()
}

/// Whether an id is one of ours that no authenticator has.
pub(crate) fn recognises(key: &hmac::Key, id: &[u8]) -> bool {
    let Some((body, tag)) = id.split_last_chunk::<MAC_LEN>() else {
        return false;
    };
    bool::from(tag_of(key, body).ct_eq(tag))
}

/// A user handle that nobody has, for comparing where a real account's would be compared.
pub(crate) fn user_handle(key: &hmac::Key, id: &[u8]) -> Option<UserHandle> {
    UserHandle::try_from(&mac(key, &[b"user handle", id])[..]).ok()
}

fn one(key: &hmac::Key, seed: &[u8; 32], kind: u8, index: u8) -> Option<CredentialHandle> {
    use AuthenticatorTransport::{Hybrid, Internal, Nfc, Usb};
    // Lengths and transports as phones, computers, password managers and security keys have them.
    let (len, transports) = match kind {
        0..=79 => (16, vec![Hybrid, Internal]),
        80..=159 => (20, vec![Hybrid, Internal]),
        160..=207 => (32, vec![Internal]),
        208..=231 => (48, vec![Nfc, Usb]),
        232..=255 => (64, vec![Usb]),
    };
    let stream = [
        mac(key, &[b"body", &[index, 0], seed]),
        mac(key, &[b"body", &[index, 1], seed]),
    ]
    .concat();
    let mut id = stream.get(..len - MAC_LEN)?.to_vec();
    let tag = tag_of(key, &id);
    id.extend_from_slice(&tag);
    Some(CredentialHandle {
        id: CredentialId::try_from(id.as_slice()).ok()?,
        transports,
    })
}

fn tag_of(key: &hmac::Key, body: &[u8]) -> [u8; MAC_LEN] {
    let [a, b, c, d, e, f, g, h, ..] = mac(key, &[b"tag", body]);
    [a, b, c, d, e, f, g, h]
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        // Parts cannot run into each other: each is preceded by its length.
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    #[test]
    fn decoys_are_stable_and_differ_by_name_and_key() {
        assert_eq!(credentials(&key(1), "alice"), credentials(&key(1), "alice"));
        assert_ne!(credentials(&key(1), "alice"), credentials(&key(1), "bob"));
        assert_ne!(credentials(&key(1), "alice"), credentials(&key(2), "alice"));
    }

    #[test]
    fn every_decoy_is_recognised_and_nothing_else() {
        for n in 0..500 {
            for decoy in credentials(&key(1), &format!("user{n}")) {
                assert!(recognises(&key(1), decoy.id.as_bytes()));
                assert!(!recognises(&key(2), decoy.id.as_bytes()));
            }
        }
        assert!(!recognises(&key(1), &[0; 32]));
        assert!(!recognises(&key(1), &[0; 3]));
    }

    #[test]
    fn decoys_have_the_lengths_and_numbers_of_real_ones() {
        let all: Vec<_> = (0..500)
            .map(|n| credentials(&key(1), &format!("user{n}")))
            .collect();
        for len in [16, 20, 32, 48, 64] {
            assert!(
                all.iter().flatten().any(|decoy| decoy.id.as_bytes().len() == len),
                "{len}"
            );
        }
        assert!(all.iter().any(|decoys| decoys.len() == 1) && all.iter().any(|decoys| decoys.len() == 2));
    }
}
