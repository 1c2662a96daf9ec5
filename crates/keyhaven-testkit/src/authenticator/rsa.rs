use num_bigint::BigUint;
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, digest};

use super::certificate::tlv;

/// An RSA private key. Neither fast nor of constant time: for tests, whose signatures must be the same every time.
#[derive(Clone, Debug)]
pub(super) struct RsaKey {
    n: BigUint,
    e: BigUint,
    d: BigUint,
}

impl RsaKey {
    /// The test key of this size. They protect nothing.
    pub(super) fn of_bits(bits: u16) -> Option<Self> {
        let der: &[u8] = match bits {
            1024 => include_bytes!("rsa-1024-test-key.pkcs8.der"),
            2048 => include_bytes!("rsa-2048-test-key.pkcs8.der"),
            3072 => include_bytes!("rsa-3072-test-key.pkcs8.der"),
            8192 => include_bytes!("rsa-8192-test-key.pkcs8.der"),
            _ => return None,
        };
        // PrivateKeyInfo: version, algorithm, and in an octet string RSAPrivateKey: version, n, e, d, ...
        let (mut info, _) = element(der);
        for _ in 0..2 {
            info = element(info).1;
        }
        let (mut fields, _) = element(element(info).0);
        let mut next = || {
            let (value, rest) = element(fields);
            fields = rest;
            BigUint::from_bytes_be(value)
        };
        let _version = next();
        let (n, e, d) = (next(), next(), next());
        Some(Self { n, e, d })
    }

    /// Modulus and exponent, big-endian, without leading zeros.
    pub(super) fn public(&self) -> (Vec<u8>, Vec<u8>) {
        (self.n.to_bytes_be(), self.e.to_bytes_be())
    }

    /// RSAPublicKey in DER.
    pub(super) fn rsa_public_key(&self) -> Vec<u8> {
        let integer = |number: &BigUint| tlv(0x02, &[&[0][..], &number.to_bytes_be()].concat());
        let exponent = tlv(0x02, &self.e.to_bytes_be());
        tlv(0x30, &[integer(&self.n), exponent].concat())
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    pub(super) fn sign_pkcs1(&self, hash: &'static Algorithm, message: &[u8]) -> Vec<u8> {
        let identifier: &[u8] = if hash == &SHA1_FOR_LEGACY_USE_ONLY {
            &[0x2b, 14, 3, 2, 26]
        } else if hash == &SHA256 {
            &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]
        } else if hash == &SHA384 {
            &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2]
        } else {
            &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]
        };
        let algorithm = tlv(0x30, &[tlv(0x06, identifier), tlv(0x05, &[])].concat());
        let info = tlv(
            0x30,
            &[algorithm, tlv(0x04, digest(hash, message).as_ref())].concat(),
        );
        let padding = vec![0xff; self.len() - info.len() - 3];
        self.raw(&[&[0, 1], &padding[..], &[0], &info].concat())
    }

    /// RSASSA-PSS (RFC 8017 §8.1) with MGF1 over the same hash. The salt is derived from the message.
    pub(super) fn sign_pss(&self, hash: &'static Algorithm, message: &[u8], salt_len: usize) -> Vec<u8> {
        let hashed = digest(hash, message);
        let salt: Vec<u8> = mgf1(hash, hashed.as_ref(), salt_len);
        let h = digest(hash, &[&[0; 8], hashed.as_ref(), &salt].concat());
        // Every modulus here has a multiple of 8 bits, so emBits is one less than the whole.
        let db_len = self.len() - hash.output_len() - 1;
        let mut db = vec![0; db_len - salt_len - 1];
        db.push(1);
        db.extend(&salt);
        for (byte, mask) in db.iter_mut().zip(mgf1(hash, h.as_ref(), db_len)) {
            *byte ^= mask;
        }
        db[0] &= 0x7f;
        self.raw(&[&db, h.as_ref(), &[0xbc]].concat())
    }

    fn len(&self) -> usize {
        self.n.to_bytes_be().len()
    }

    fn raw(&self, encoded: &[u8]) -> Vec<u8> {
        let signature = BigUint::from_bytes_be(encoded)
            .modpow(&self.d, &self.n)
            .to_bytes_be();
        [vec![0; self.len() - signature.len()], signature].concat()
    }
}

fn mgf1(hash: &'static Algorithm, seed: &[u8], len: usize) -> Vec<u8> {
    let blocks = (0_u32..).flat_map(|counter| {
        let block = digest(hash, &[seed, &counter.to_be_bytes()].concat());
        block.as_ref().to_vec()
    });
    blocks.take(len).collect()
}

/// The value of the DER element at the front, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (len, head) = match usize::from(der[1]) {
        short @ 0..=0x7f => (short, 2),
        long => {
            let bytes = long - 0x80;
            let len = der[2..2 + bytes]
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte));
            (len, 2 + bytes)
        }
    };
    der[head..].split_at(len)
}
