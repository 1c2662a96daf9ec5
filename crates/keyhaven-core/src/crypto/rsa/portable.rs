//! RSA verification in Rust alone: the public operation by crypto-bigint, the encodings of RFC 8017 here.
//!
//! The `rsa` crate is not used: its stable line is an older generation of every crate it stands on and carries an
//! advisory (RUSTSEC-2023-0071) about private keys, of which this crate has none. Verifying needs one exponentiation
//! with public numbers and a comparison. The tests hold every answer to ring's.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

use super::super::Hash;

/// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2): the encoding is made and compared, never parsed.
#[cfg(any(test, not(feature = "ring")))]
pub(super) fn verify_pkcs1(n: &[u8], e: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let digest = hash.digest(&[message]);
    let info = [digest_info(hash), digest.as_ref()].concat();
    // 00 01 ff..ff 00 info, with eight ff at least: 2048 bits leave room for every hash.
    let Some(padding) = n.len().checked_sub(3 + info.len()) else {
        return false;
    };
    let expected = [&[0, 1][..], &vec![0xff; padding], &[0], &info].concat();
    public_operation(n, e, signature).is_some_and(|encoded| encoded == expected)
}

/// RSASSA-PSS (RFC 8017 §8.1.2 and §9.1.2), MGF1 with the same hash, a salt of the hash's length.
pub(super) fn verify_pss(n: &[u8], e: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let Some(encoded) = public_operation(n, e, signature) else {
        return false;
    };
    // emBits is one less than the modulus has: so many bits at the front are zero, a whole byte among them at times.
    let spare = 1 + n.first().map_or(0, |first| first.leading_zeros());
    let encoded = match (spare, encoded.split_first()) {
        (8, Some((0, rest))) => rest,
        (8, _) => return false,
        _ => &encoded,
    };
    let mask = 0xff_u8.checked_shr(spare % 8).unwrap_or_default();
    let Some((masked, [hashed @ .., 0xbc])) = encoded
        .len()
        .checked_sub(hash.len() + 1)
        .and_then(|at| encoded.split_at_checked(at))
    else {
        return false;
    };
    if masked.first().is_none_or(|first| first & !mask != 0) {
        return false;
    }
    // DB, unmasked: 00..00 01 salt.
    let mut block: Vec<u8> = masked
        .iter()
        .zip(mgf1(hash, hashed, masked.len()))
        .map(|(masked, mask)| masked ^ mask)
        .collect();
    if let Some(first) = block.first_mut() {
        *first &= mask;
    }
    let Some((padding, salt)) = block
        .len()
        .checked_sub(hash.len())
        .and_then(|at| block.split_at_checked(at))
    else {
        return false;
    };
    let [zeros @ .., 1] = padding else {
        return false;
    };
    let prehash = hash.digest(&[message]);
    let again = hash.digest(&[&[0; 8], prehash.as_ref(), salt]);
    zeros.iter().all(|&byte| byte == 0) && again.as_ref() == hashed
}

/// MGF1 (RFC 8017 §B.2.1): `len` bytes or more.
fn mgf1(hash: Hash, seed: &[u8], len: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(len + hash.len());
    for counter in 0_u32.. {
        if mask.len() >= len {
            break;
        }
        mask.extend_from_slice(hash.digest(&[seed, &counter.to_be_bytes()]).as_ref());
    }
    mask
}

/// RSAVP1 and I2OSP (RFC 8017 §5.2.2): s^e mod n in as many bytes as n has. `None` when the signature has another
/// length, or is not below n.
fn public_operation(n: &[u8], e: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    if signature.len() != n.len() {
        return None;
    }
    let precision = u32::try_from(n.len())
        .ok()?
        .checked_next_multiple_of(8)?
        .checked_mul(8)?;
    let modulus = BoxedUint::from_be_slice(n, precision).ok()?;
    let signature = BoxedUint::from_be_slice(signature, precision).ok()?;
    if signature >= modulus {
        return None;
    }
    let exponent = BoxedUint::from_be_slice(e, 64).ok()?;
    let parameters = BoxedMontyParams::new_vartime(Odd::new(modulus).into_option()?);
    let result = BoxedMontyForm::new(signature, &parameters)
        .pow_bounded_exp(&exponent, exponent.bits())
        .retrieve()
        .to_be_bytes();
    let start = result.len().checked_sub(n.len())?;
    result.get(start..).map(<[u8]>::to_vec)
}

/// What stands before the hash in a `DigestInfo` (RFC 8017 §9.2, note 1).
#[cfg(any(test, not(feature = "ring")))]
const fn digest_info(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}
