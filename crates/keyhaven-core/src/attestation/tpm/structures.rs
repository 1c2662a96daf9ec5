//! The two TPM structures that a statement carries, read exactly: every length, every selector, no trailing byte.
//!
//! Numbers are big-endian; a `TPM2B_…` is a length of two bytes and so many bytes. Source: Trusted Platform Module Library
//! Part 2 "Structures", family 2.0, revision 1.59: §10.12 (`TPMS_ATTEST`), §12.2 (`TPMT_PUBLIC`); identifiers from §6 and
//! the TCG Algorithm Registry.

use crate::crypto::Curve;

/// Why bytes are not the structure that they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TpmStructureError {
    /// A coordinate or modulus is empty, longer than its key, or a modulus with leading zeros.
    #[error("a public number of a wrong length")]
    NumberLength,
    /// The bytes end inside the structure.
    #[error("the input ends inside the structure")]
    EndOfInput,
    /// Bytes are left after the structure.
    #[error("{count} trailing bytes")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A selector that names no algorithm or curve of those that belong there.
    #[error("{field} {identifier:#06x} does not belong there")]
    UnknownIdentifier {
        /// Which selector.
        field: &'static str,
        /// Its value.
        identifier: u16,
    },
}

/// `TPMS_ATTEST`, but for its last field.
pub(super) struct Attest<'a> {
    pub(super) magic: u32,
    /// `type`.
    pub(super) kind: u16,
    pub(super) extra_data: &'a [u8],
    /// `attested`, whose structure depends on [`Self::kind`].
    pub(super) attested: &'a [u8],
}

/// `TPMS_CERTIFY_INFO`.
pub(super) struct CertifyInfo<'a> {
    pub(super) name: &'a [u8],
}

/// `TPMT_PUBLIC`.
pub(super) struct Public<'a> {
    pub(super) name_algorithm: u16,
    /// `TPMA_OBJECT` (Part 2 §8.3).
    object_attributes: u32,
    pub(super) id: PublicId<'a>,
}

/// `parameters` and `unique` of a public area.
pub(super) enum PublicId<'a> {
    Ecc {
        curve: Curve,
        x: &'a [u8],
        y: &'a [u8],
    },
    Rsa {
        bits: u16,
        /// As it stands: 0 means 65537.
        exponent: u32,
        n: &'a [u8],
    },
}

const TPM_ALG_RSA: u16 = 0x0001;
const TPM_ALG_ECC: u16 = 0x0023;
const TPM_ALG_NULL: u16 = 0x0010;

/// `fixedTPM`, `fixedParent` and `sensitiveDataOrigin` of `TPMA_OBJECT`.
const STAYS: u32 = 1 << 1 | 1 << 4 | 1 << 5;

impl<'a> Attest<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TpmStructureError> {
        let mut reader = Reader(bytes);
        let magic = reader.u32()?;
        let kind = reader.u16()?;
        let _qualified_signer = reader.sized()?;
        let extra_data = reader.sized()?;
        // clockInfo: clock, resetCount, restartCount, safe. A safe that is neither YES nor NO is let pass: the field is
        // ignored, and the specification's own vector has 0x33 there.
        let _clock_info: [u8; 17] = reader.array()?;
        let _firmware_version: [u8; 8] = reader.array()?;
        Ok(Self {
            magic,
            kind,
            extra_data,
            attested: reader.0,
        })
    }
}

impl<'a> CertifyInfo<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TpmStructureError> {
        let mut reader = Reader(bytes);
        let name = reader.sized()?;
        let _qualified_name = reader.sized()?;
        reader.finish()?;
        Ok(Self { name })
    }
}

impl<'a> Public<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TpmStructureError> {
        let mut reader = Reader(bytes);
        let kind = reader.u16()?;
        let name_algorithm = reader.u16()?;
        let object_attributes = reader.u32()?;
        let _auth_policy = reader.sized()?;
        let id = match kind {
            TPM_ALG_ECC => reader.ecc()?,
            TPM_ALG_RSA => reader.rsa()?,
            identifier => {
                return Err(TpmStructureError::UnknownIdentifier {
                    field: "type",
                    identifier,
                });
            }
        };
        reader.finish()?;
        Ok(Self {
            name_algorithm,
            object_attributes,
            id,
        })
    }

    /// Whether the TPM made the key itself and gives it to nobody. It certifies others as well: keys that were brought to
    /// it, and keys that may be copied elsewhere.
    pub(super) const fn stays_in_the_tpm(&self) -> bool {
        self.object_attributes & STAYS == STAYS
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// `TPMS_RSA_PARMS` and `TPM2B_PUBLIC_KEY_RSA`.
    fn rsa(&mut self) -> Result<PublicId<'a>, TpmStructureError> {
        self.symmetric()?;
        // TPMT_RSA_SCHEME: RSASSA, RSAPSS and OAEP with a hash, RSAES with nothing.
        match self.u16()? {
            TPM_ALG_NULL | 0x0015 => {}
            0x0014 | 0x0016 | 0x0017 => {
                let _hash = self.u16()?;
            }
            identifier => return Err(unknown("scheme", identifier)),
        }
        let bits = self.u16()?;
        let exponent = self.u32()?;
        let n = self.sized()?;
        if n.first().is_none_or(|&first| first == 0) {
            return Err(TpmStructureError::NumberLength);
        }
        Ok(PublicId::Rsa { bits, exponent, n })
    }

    /// `TPMS_ECC_PARMS` and `TPMS_ECC_POINT`.
    fn ecc(&mut self) -> Result<PublicId<'a>, TpmStructureError> {
        self.symmetric()?;
        // TPMT_ECC_SCHEME: ECDSA, ECDH, SM2, ECSCHNORR and ECMQV with a hash, ECDAA with a hash and a count.
        match self.u16()? {
            TPM_ALG_NULL => {}
            0x0018 | 0x0019 | 0x001b | 0x001c | 0x001d => {
                let _hash = self.u16()?;
            }
            0x001a => {
                let _hash_and_count = self.u32()?;
            }
            identifier => return Err(unknown("scheme", identifier)),
        }
        let curve = match self.u16()? {
            0x0003 => Curve::P256,
            0x0004 => Curve::P384,
            0x0005 => Curve::P521,
            identifier => return Err(unknown("curve", identifier)),
        };
        // TPMT_KDF_SCHEME: MGF1, KDF1 (two of them) and KDF2 with a hash.
        match self.u16()? {
            TPM_ALG_NULL => {}
            0x0007 | 0x0020 | 0x0021 | 0x0022 => {
                let _hash = self.u16()?;
            }
            identifier => return Err(unknown("kdf", identifier)),
        }
        let (x, y) = (self.sized()?, self.sized()?);
        if [x, y]
            .iter()
            .any(|number| number.is_empty() || number.len() > curve.coordinate_len())
        {
            return Err(TpmStructureError::NumberLength);
        }
        Ok(PublicId::Ecc { curve, x, y })
    }

    /// `TPMT_SYM_DEF_OBJECT`: nothing, or a block cipher (AES, SM4, Camellia, TDES) with its key size and mode.
    fn symmetric(&mut self) -> Result<(), TpmStructureError> {
        match self.u16()? {
            TPM_ALG_NULL => Ok(()),
            0x0003 | 0x0006 | 0x0013 | 0x0026 => {
                let _bits_and_mode = self.u32()?;
                Ok(())
            }
            identifier => Err(unknown("symmetric", identifier)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TpmStructureError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(TpmStructureError::EndOfInput)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, TpmStructureError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, TpmStructureError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A `TPM2B_…`.
    fn sized(&mut self) -> Result<&'a [u8], TpmStructureError> {
        let len = usize::from(self.u16()?);
        let (taken, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(TpmStructureError::EndOfInput)?;
        self.0 = rest;
        Ok(taken)
    }

    fn finish(self) -> Result<(), TpmStructureError> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(TpmStructureError::TrailingBytes { count }),
        }
    }
}

const fn unknown(field: &'static str, identifier: u16) -> TpmStructureError {
    TpmStructureError::UnknownIdentifier { field, identifier }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attestation::tests::hex;

    /// Of the specification's vector `tpm-es256`.
    const PUB_AREA: &str = "0023000b0004000000000010001000030010002041202698c9d9753fb4bb3f27cd09fe6b8afdb76438ee2ae54d7c9dade10d864b0020d8735115cdb330a63ea1d6e43d5000f4bd56f99bce83ee1d73301fc270116d07";
    const CERT_INFO: &str = "ff544347801700000020277d0e05579dd013215a62273f7f3a3e7e191ead2654a3036d75a5a3ee37a6b0000000000000000011111111222222223300000000000000000022000b9c42d8aad5939331b9af3711af179f17123178098c9a7d0ca89fcd1fc800f3c70000";

    fn certify(bytes: &[u8]) -> Result<usize, TpmStructureError> {
        CertifyInfo::parse(Attest::parse(bytes)?.attested).map(|info| info.name.len())
    }

    #[test]
    fn the_specification_s_structures_are_read() {
        let bytes = hex(PUB_AREA);
        let public = Public::parse(&bytes).unwrap();
        assert_eq!(public.name_algorithm, 0x000b);
        assert!(matches!(
            public.id,
            PublicId::Ecc { curve: Curve::P256, x, y } if x.len() == 32 && y.len() == 32
        ));
        let bytes = hex(CERT_INFO);
        let attest = Attest::parse(&bytes).unwrap();
        assert_eq!((attest.magic, attest.kind), (0xff54_4347, 0x8017));
        assert_eq!(attest.extra_data.len(), 32);
        // nameAlg and a SHA-256.
        assert_eq!(certify(&bytes), Ok(34));
    }

    #[test]
    fn nothing_is_missing_and_nothing_left() {
        let (public, attest) = (hex(PUB_AREA), hex(CERT_INFO));
        for end in 0..public.len() {
            assert!(Public::parse(&public[..end]).is_err(), "{end}");
        }
        for end in 0..attest.len() {
            assert_eq!(
                certify(&attest[..end]),
                Err(TpmStructureError::EndOfInput),
                "{end}"
            );
        }
        let trailing = TpmStructureError::TrailingBytes { count: 2 };
        assert_eq!(
            Public::parse(&[&public[..], &[0, 0]].concat()).err(),
            Some(trailing)
        );
        assert_eq!(certify(&[&attest[..], &[0, 0]].concat()), Err(trailing));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), ecc in any::<bool>()) {
            let _ = certify(&bytes);
            let _ = Public::parse(&bytes);
            // Further in: behind a type that is known, and a policy that is empty.
            let head = [0, if ecc { 0x23 } else { 1 }, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10];
            let _ = Public::parse(&[&head[..], &bytes].concat());
        }

        #[test]
        fn no_changed_structure_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let (mut public, mut attest) = (hex(PUB_AREA), hex(CERT_INFO));
            let (at_public, at_attest) = (at.index(public.len()), at.index(attest.len()));
            public[at_public] = byte;
            attest[at_attest] = byte;
            let _ = Public::parse(&public);
            let _ = certify(&attest);
        }
    }
}
