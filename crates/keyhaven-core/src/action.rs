//! Transaction confirmation: a challenge that says what is confirmed.

use keyhaven_types::Challenge;

use crate::crypto::sha256;

/// The challenge of a ceremony that confirms an action: SHA-256 of a fixed prefix, 32 random bytes and the SHA-256 of
/// the action, 32 bytes in all.
///
/// What the action is, and how it is written down before it is hashed, is the application's to say. The authenticator
/// signs over the challenge (L3 §7.2 step 21 by way of the client data), so who keeps the response, the nonce and the
/// action can show at any later time that this key confirmed this action: compute the challenge again and verify the
/// assertion against it. The nonce makes each challenge as unguessable as a random one (L3 §13.4.3).
#[must_use]
pub fn action_challenge(nonce: &[u8; 32], action_hash: &[u8; 32]) -> Challenge {
    let mut bytes = b"keyhaven action confirmation 1\0".to_vec();
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(action_hash);
    Challenge::from(sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_hash_of_prefix_nonce_and_action() {
        // printf 'keyhaven action confirmation 1\0' and 32 times 01, 32 times 02: sha256sum.
        let expected = "VIHV4pjiXexCwIO6bZz7pefg2JZLUdxCoKNa4mo8FI4";
        let challenge = action_challenge(&[1; 32], &[2; 32]);
        assert_eq!(keyhaven_types::base64url::encode(challenge.as_bytes()), expected);
        let other = action_challenge(&[2; 32], &[1; 32]);
        assert_ne!(challenge.as_bytes(), other.as_bytes());
    }
}
