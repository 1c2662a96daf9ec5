use keyhaven_types::CoseAlgorithm;

use crate::cbor::{CanonicalCbor, CborError, Key, Value};

/// A COSE_Key whose structure is right: `kty` and `alg` and exactly the other parameters of its key type.
///
/// Whether the values make a usable key is the import's answer ([`PublicKey`](crate::PublicKey)). Source: WebAuthn L3
/// §6.5.1.1, RFC 9052 §7, RFC 9053 §7, RFC 8230 §4, and for ML-DSA
/// draft-ietf-cose-dilithium §3.
#[derive(Clone, Copy, Debug)]
pub struct CoseKey<'a> {
    raw: &'a [u8],
    algorithm: CoseAlgorithm,
    parameters: CoseParameters<'a>,
}

/// The parameters of a key type, big-endian bytes as received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CoseParameters<'a> {
    /// `kty` 7, a key that its algorithm alone describes (ML-DSA).
    Akp {
        /// The public key.
        public: &'a [u8],
    },
    /// `kty` 2, a point in two coordinates.
    Ec2 {
        /// The curve.
        crv: i64,
        /// The x-coordinate.
        x: &'a [u8],
        /// The y-coordinate; `None` for a compressed point, where only its sign is told.
        y: Option<&'a [u8]>,
    },
    /// `kty` 1, an octet key pair.
    Okp {
        /// The curve.
        crv: i64,
        /// The public key.
        x: &'a [u8],
    },
    /// Any other key type: its parameters are not looked at, because no algorithm here uses it.
    Other {
        /// The key type.
        kty: i64,
    },
    /// `kty` 3.
    Rsa {
        /// The modulus.
        n: &'a [u8],
        /// The public exponent.
        e: &'a [u8],
    },
}

/// Why bytes are not a COSE_Key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CoseKeyError {
    /// Not canonical CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A required parameter is absent.
    #[error("parameter {label} ({name}) is missing")]
    Missing {
        /// The parameter's label.
        label: i8,
        /// Its name.
        name: &'static str,
    },
    /// The item is no map.
    #[error("not a map")]
    NotAMap,
    /// A parameter that is neither required nor allowed here.
    #[error("a parameter that does not belong in a credential public key")]
    Unexpected,
    /// A parameter is of another CBOR type than its definition says, or an integer out of range.
    #[error("parameter {label} ({name}) has the wrong type")]
    WrongType {
        /// The parameter's label.
        label: i8,
        /// Its name.
        name: &'static str,
    },
}

const KTY: (i8, &str) = (1, "kty");
const ALG: (i8, &str) = (3, "alg");

impl<'a> CoseKey<'a> {
    /// Reads one COSE_Key from the front of `bytes` and returns it with the bytes after it.
    ///
    /// # Errors
    /// The first fault of structure.
    pub fn parse_prefix(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<(Self, &'a [u8]), CoseKeyError> {
        let (value, rest) = Value::parse_prefix(bytes, canonical)?;
        let raw = bytes
            .get(..bytes.len().saturating_sub(rest.len()))
            .unwrap_or_default();
        let Value::Map(map) = value else {
            return Err(CoseKeyError::NotAMap);
        };
        let mut fields = Fields::default();
        for (key, value) in map.entries() {
            fields.take(key, value);
        }
        let kty = integer(KTY, fields.kty)?;
        let algorithm = CoseAlgorithm::new(integer(ALG, fields.alg)?);
        let parameters = match kty {
            1 => fields.okp()?,
            2 => fields.ec2()?,
            3 => fields.rsa()?,
            7 => fields.akp()?,
            _ => CoseParameters::Other { kty },
        };
        Ok((
            Self {
                raw,
                algorithm,
                parameters,
            },
            rest,
        ))
    }

    /// Reads the COSE_Key that is all of `bytes`.
    ///
    /// # Errors
    /// As [`CoseKey::parse_prefix`]; trailing bytes are a [`CborError`].
    pub fn parse(bytes: &'a [u8], canonical: CanonicalCbor) -> Result<Self, CoseKeyError> {
        match Self::parse_prefix(bytes, canonical)? {
            (key, []) => Ok(key),
            (_, rest) => Err(CborError::TrailingBytes { count: rest.len() }.into()),
        }
    }

    /// The encoded key, as received.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> CoseAlgorithm {
        self.algorithm
    }

    /// The parameters of its key type.
    #[must_use]
    pub const fn parameters(&self) -> CoseParameters<'a> {
        self.parameters
    }
}

#[derive(Default)]
struct Fields<'a> {
    kty: Option<Value<'a>>,
    alg: Option<Value<'a>>,
    /// Labels -1, -2 and -3: `crv`, `x` and `y`, or `n` and `e`, or `pub`.
    minus1: Option<Value<'a>>,
    minus2: Option<Value<'a>>,
    minus3: Option<Value<'a>>,
    others: bool,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: Key<'_>, value: Value<'a>) {
        match key {
            Key::Integer(1) => self.kty = Some(value),
            Key::Integer(3) => self.alg = Some(value),
            Key::Integer(-1) => self.minus1 = Some(value),
            Key::Integer(-2) => self.minus2 = Some(value),
            Key::Integer(-3) => self.minus3 = Some(value),
            Key::Integer(_) | Key::Text(_) => self.others = true,
        }
    }

    fn akp(self) -> Result<CoseParameters<'a>, CoseKeyError> {
        if self.others || self.minus2.is_some() || self.minus3.is_some() {
            return Err(CoseKeyError::Unexpected);
        }
        Ok(CoseParameters::Akp {
            public: bytes((-1, "pub"), self.minus1)?,
        })
    }

    fn okp(self) -> Result<CoseParameters<'a>, CoseKeyError> {
        if self.others || self.minus3.is_some() {
            return Err(CoseKeyError::Unexpected);
        }
        Ok(CoseParameters::Okp {
            crv: integer((-1, "crv"), self.minus1)?,
            x: bytes((-2, "x"), self.minus2)?,
        })
    }

    fn ec2(self) -> Result<CoseParameters<'a>, CoseKeyError> {
        if self.others {
            return Err(CoseKeyError::Unexpected);
        }
        let y = match self.minus3 {
            Some(Value::Bool(_)) => None,
            y => Some(bytes((-3, "y"), y)?),
        };
        Ok(CoseParameters::Ec2 {
            crv: integer((-1, "crv"), self.minus1)?,
            x: bytes((-2, "x"), self.minus2)?,
            y,
        })
    }

    fn rsa(self) -> Result<CoseParameters<'a>, CoseKeyError> {
        if self.others || self.minus3.is_some() {
            return Err(CoseKeyError::Unexpected);
        }
        Ok(CoseParameters::Rsa {
            n: bytes((-1, "n"), self.minus1)?,
            e: bytes((-2, "e"), self.minus2)?,
        })
    }
}

fn integer((label, name): (i8, &'static str), value: Option<Value<'_>>) -> Result<i64, CoseKeyError> {
    match value {
        None => Err(CoseKeyError::Missing { label, name }),
        Some(Value::Integer(integer)) => {
            i64::try_from(integer).map_err(|_| CoseKeyError::WrongType { label, name })
        }
        Some(_) => Err(CoseKeyError::WrongType { label, name }),
    }
}

fn bytes<'a>((label, name): (i8, &'static str), value: Option<Value<'a>>) -> Result<&'a [u8], CoseKeyError> {
    match value {
        None => Err(CoseKeyError::Missing { label, name }),
        Some(Value::Bytes(bytes)) => Ok(bytes),
        Some(_) => Err(CoseKeyError::WrongType { label, name }),
    }
}

#[cfg(test)]
mod tests {
    use coset::{CborSerializable as _, iana, iana::EnumI64 as _};
    use keyhaven_testkit::authenticator::{Cbor, SigningKey};
    use proptest::prelude::*;

    use super::*;

    /// coset's reading of a parameter.
    fn parameter(key: &coset::CoseKey, label: i64) -> Option<&ciborium::Value> {
        key.params
            .iter()
            .find(|(name, _)| *name == coset::Label::Int(label))
            .map(|(_, value)| value)
    }

    /// Whether coset reads the same key out of the same bytes.
    fn agrees(ours: &CoseKey<'_>) -> bool {
        let theirs = coset::CoseKey::from_slice(ours.as_bytes()).unwrap();
        let kty = match theirs.kty {
            coset::KeyType::Assigned(kty) => kty.to_i64(),
            coset::KeyType::Text(_) => return false,
        };
        let algorithm = match theirs.alg {
            Some(coset::RegisteredLabelWithPrivate::Assigned(alg)) => alg.to_i64(),
            Some(coset::RegisteredLabelWithPrivate::PrivateUse(alg)) => alg,
            Some(coset::RegisteredLabelWithPrivate::Text(_)) | None => return false,
        };
        let bytes = |label| {
            parameter(&theirs, label)
                .and_then(ciborium::Value::as_bytes)
                .map(Vec::as_slice)
        };
        let crv = parameter(&theirs, -1)
            .and_then(ciborium::Value::as_integer)
            .and_then(|crv| i64::try_from(crv).ok());
        ours.algorithm().identifier() == algorithm
            && match ours.parameters() {
                CoseParameters::Akp { public } => kty == 7 && bytes(-1) == Some(public),
                CoseParameters::Ec2 { crv: ours, x, y } => {
                    kty == iana::KeyType::EC2.to_i64()
                        && crv == Some(ours)
                        && bytes(-2) == Some(x)
                        && bytes(-3) == y
                }
                CoseParameters::Okp { crv: ours, x } => {
                    kty == iana::KeyType::OKP.to_i64() && crv == Some(ours) && bytes(-2) == Some(x)
                }
                CoseParameters::Other { kty: ours } => kty == ours,
                CoseParameters::Rsa { n, e } => {
                    kty == iana::KeyType::RSA.to_i64() && bytes(-1) == Some(n) && bytes(-2) == Some(e)
                }
            }
    }

    fn refusal(key: &Cbor) -> Option<CoseKeyError> {
        CoseKey::parse(&key.encode(), CanonicalCbor::AnyKeyOrder).err()
    }

    #[test]
    fn coset_reads_the_same_keys() {
        for algorithm in [-7, -8, -35, -257] {
            let bytes = SigningKey::new(algorithm, b"").unwrap().cose().encode();
            let key = CoseKey::parse(&bytes, CanonicalCbor::Strict).unwrap();
            assert!(agrees(&key), "{algorithm}");
            assert_eq!(key.as_bytes(), bytes);
        }
    }

    #[test]
    fn each_parameter_is_required_and_typed() {
        for algorithm in [-7, -8, -35, -257] {
            let key = SigningKey::new(algorithm, b"").unwrap().cose();
            let Cbor::Map(entries) = &key else {
                panic!("no map")
            };
            for (label, _) in entries {
                let Cbor::Int(number) = *label else {
                    panic!("no integer")
                };
                let (mut without, mut null) = (key.clone(), key.clone());
                without.remove(number);
                null.set(number, Cbor::Null);
                assert!(
                    matches!(refusal(&without), Some(CoseKeyError::Missing { .. })),
                    "{algorithm} {number}"
                );
                assert!(
                    matches!(refusal(&null), Some(CoseKeyError::WrongType { .. })),
                    "{algorithm} {number}"
                );
            }
            for label in [2, 4, 5, -4, -70_000] {
                let mut more = key.clone();
                more.set(label, Cbor::Bytes(vec![1]));
                assert_eq!(
                    refusal(&more),
                    Some(CoseKeyError::Unexpected),
                    "{algorithm} {label}"
                );
            }
        }
        assert_eq!(refusal(&Cbor::Null), Some(CoseKeyError::NotAMap));
    }

    #[test]
    fn the_bytes_after_a_key_are_given_back() {
        let mut bytes = SigningKey::new(-7, b"").unwrap().cose().encode();
        bytes.extend([1, 2]);
        let (key, rest) = CoseKey::parse_prefix(&bytes, CanonicalCbor::Strict).unwrap();
        assert_eq!((key.as_bytes().len(), rest), (bytes.len() - 2, &[1, 2][..]));
        let trailing = CoseKeyError::Cbor(CborError::TrailingBytes { count: 2 });
        assert_eq!(
            CoseKey::parse(&bytes, CanonicalCbor::Strict).err(),
            Some(trailing)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_coset_reads_the_same(
            algorithm in prop::sample::select(vec![-7, -8, -35, -257]),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = SigningKey::new(algorithm, b"").unwrap().cose().encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok((key, _)) = CoseKey::parse_prefix(&bytes, CanonicalCbor::AnyKeyOrder) {
                // Key types and algorithms that no registry knows are coset's to refuse.
                if coset::CoseKey::from_slice(key.as_bytes()).is_ok() {
                    prop_assert!(agrees(&key));
                }
            }
        }
    }
}
