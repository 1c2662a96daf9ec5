//! What a login cannot do without: one ES256 signature verified by ring, and nothing around it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use crate::signer::Signer;

/// As long as authenticator data and the hash of client data are.
const MESSAGE: [u8; 69] = [7; 69];

/// A key as it comes, and its signature over a message.
pub(crate) struct Raw {
    point: Vec<u8>,
    signature: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(signer: &Signer) -> Self {
        let cose = signer.public_key(0);
        let coordinates = [10..42, 45..77]
            .into_iter()
            .filter_map(|range| cose.get(range))
            .flatten();
        Self {
            point: std::iter::once(4).chain(coordinates.copied()).collect(),
            signature: signer.sign(0, 1, [&MESSAGE, &[]]),
        }
    }

    /// Verifies it, the key parsed anew.
    pub(crate) fn verify(&self) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point)
            .verify(&MESSAGE, &self.signature)
            .is_ok()
    }

    /// What that takes on this thread, here and now: the least mean of a hundred, of twenty.
    pub(crate) fn time(&self) -> anyhow::Result<Duration> {
        let mut least = Duration::MAX;
        for _ in 0..20 {
            let began = Instant::now();
            for _ in 0..100 {
                ensure!(self.verify(), "the signature");
            }
            least = least.min(began.elapsed() / 100);
        }
        Ok(least)
    }
}
