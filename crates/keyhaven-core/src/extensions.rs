//! Extension outputs (WebAuthn L3 §9 and §10, CTAP 2.2 §12).
//!
//! Two kinds that must not be mistaken for each other are two types: what the client *says*
//! ([`ClientExtensionResults`], signed by nobody) and what the authenticator *signed* ([`SignedRegistrationExtensions`],
//! [`SignedAssertionExtensions`]).

mod client;
mod signed;

use crate::authenticator_data::AuthenticatorData;

pub use client::{ClientExtensionResults, LargeBlobResults, PrfResults};
pub use signed::{CredProtect, SignedAssertionExtensions, SignedRegistrationExtensions};

/// An extension that this crate knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extension {
    /// `appid` (§10.1.1): sign in with a credential of the U2F API.
    AppId,
    /// `appidExclude` (§10.1.2): do not register an authenticator that holds one.
    AppIdExclude,
    /// `credBlob` (CTAP 2.2 §12.2): a few bytes kept with the credential.
    CredBlob,
    /// `credProps` (§10.1.3): whether the credential is discoverable.
    CredProps,
    /// `credProtect` (CTAP 2.2 §12.1): user verification needed to use the credential.
    CredProtect,
    /// `hmac-secret` (CTAP 2.2 §12.7): what `prf` is made of.
    HmacSecret,
    /// `largeBlob` (§10.1.5): data kept with the credential.
    LargeBlob,
    /// `minPinLength` (CTAP 2.2 §12.4): the authenticator's PIN rule.
    MinPinLength,
    /// `prf` (§10.1.4): secrets derived from the credential, for the page alone.
    Prf,
    /// `remoteClientDataJSON`: a remote desktop client ran the ceremony for another machine.
    RemoteClientDataJson,
}

/// A set of extensions: those that a ceremony's options asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExtensionSet(u16);

/// What to do with outputs of extensions that were not asked for (§7.1 step 28, §7.2 step 23).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum UnsolicitedExtensions {
    /// Leave them alone: clients and authenticators add some by themselves, and nothing is concluded from them.
    #[default]
    Ignore,
    /// Refuse.
    Refuse,
}

/// Which extension outputs are acceptable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExtensionPolicy {
    /// Those that the options asked for. Their signed outputs must be of the type that the extension defines; absence
    /// is always acceptable.
    pub requested: ExtensionSet,
    /// What to do with the others.
    pub unsolicited: UnsolicitedExtensions,
    /// What a registration must bring.
    pub demands: ExtensionDemands,
}

/// What the outputs of a registration must say. The default demands nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExtensionDemands {
    /// `credProtect`: at least this protection, signed by the authenticator. Its absence is refused.
    pub cred_protect: Option<CredProtect>,
    /// `largeBlob`: the client says that the credential can keep a blob. A client can say what it likes.
    pub large_blob: bool,
    /// `minPinLength`: where the authenticator tells its rule, no shorter PIN than this, in Unicode code points. Most do
    /// not tell, and are accepted.
    pub min_pin_length: Option<u32>,
}

/// Why extension outputs were refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExtensionError {
    /// An output that is demanded is missing, or says less than is demanded.
    #[error("{0} is missing, or less than is demanded")]
    Insufficient(&'static str),
    /// A requested extension's signed output is not of the type that the extension defines.
    #[error("the output of {0} is not one that the extension defines")]
    Malformed(&'static str),
    /// An output of an extension that was not asked for, under [`UnsolicitedExtensions::Refuse`].
    #[error("an output of {0}, which was not asked for")]
    Unsolicited(crate::Received),
}

impl Extension {
    const ALL: [Self; 10] = [
        Self::AppId,
        Self::AppIdExclude,
        Self::CredBlob,
        Self::CredProps,
        Self::CredProtect,
        Self::HmacSecret,
        Self::LargeBlob,
        Self::MinPinLength,
        Self::Prf,
        Self::RemoteClientDataJson,
    ];

    /// The registered identifier.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppId => "appid",
            Self::AppIdExclude => "appidExclude",
            Self::CredBlob => "credBlob",
            Self::CredProps => "credProps",
            Self::CredProtect => "credProtect",
            Self::HmacSecret => "hmac-secret",
            Self::LargeBlob => "largeBlob",
            Self::MinPinLength => "minPinLength",
            Self::Prf => "prf",
            Self::RemoteClientDataJson => "remoteClientDataJSON",
        }
    }

    /// The extension with this identifier; `None` for one this crate does not know.
    #[must_use]
    pub fn from_identifier(identifier: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|extension| extension.as_str() == identifier)
    }

    const fn bit(self) -> u16 {
        match self {
            Self::AppId => 1,
            Self::AppIdExclude => 1 << 1,
            Self::CredBlob => 1 << 2,
            Self::CredProps => 1 << 3,
            Self::CredProtect => 1 << 4,
            Self::HmacSecret => 1 << 5,
            Self::LargeBlob => 1 << 6,
            Self::MinPinLength => 1 << 7,
            Self::Prf => 1 << 8,
            Self::RemoteClientDataJson => 1 << 9,
        }
    }
}

impl ExtensionSet {
    /// Whether `extension` is in it.
    #[must_use]
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    /// The set with `extension` in it.
    #[must_use]
    pub const fn with(self, extension: Extension) -> Self {
        Self(self.0 | extension.bit())
    }

    /// Whether an output under `name` was asked for. `prf` is carried by `hmac-secret` between client and authenticator
    /// (§10.1.4), with inputs at creation also by `hmac-secret-mc` (CTAP 2.2 §12.8), and some platforms name it so in client
    /// outputs.
    fn allows(self, name: &str) -> bool {
        match name {
            "hmac-secret" | "hmac-secret-mc" | "hmacCreateSecret" | "hmacGetSecret" => {
                self.contains(Extension::HmacSecret) || self.contains(Extension::Prf)
            }
            "getCredBlob" => self.contains(Extension::CredBlob),
            _ => Extension::from_identifier(name).is_some_and(|extension| self.contains(extension)),
        }
    }
}

impl FromIterator<Extension> for ExtensionSet {
    fn from_iter<I: IntoIterator<Item = Extension>>(extensions: I) -> Self {
        extensions.into_iter().fold(Self::default(), Self::with)
    }
}

impl ExtensionPolicy {
    /// Refuses a registration that brings less than is demanded.
    pub(crate) fn check_demands(
        &self,
        client: &ClientExtensionResults,
        signed: &SignedRegistrationExtensions,
    ) -> Result<(), ExtensionError> {
        let demands = self.demands;
        let insufficient = |extension: Extension| Err(ExtensionError::Insufficient(extension.as_str()));
        if demands
            .cred_protect
            .is_some_and(|least| signed.cred_protect().is_none_or(|protection| protection < least))
        {
            return insufficient(Extension::CredProtect);
        }
        if let (Some(least), Some(length)) = (demands.min_pin_length, signed.min_pin_length())
            && length < least
        {
            return insufficient(Extension::MinPinLength);
        }
        if demands.large_blob && client.large_blob().and_then(|blob| blob.supported) != Some(true) {
            return insufficient(Extension::LargeBlob);
        }
        Ok(())
    }

    /// Refuses outputs that were not asked for, where policy says so.
    pub(crate) fn check_unsolicited(
        &self,
        client: &ClientExtensionResults,
        signed: &AuthenticatorData<'_>,
    ) -> Result<(), ExtensionError> {
        match self.unsolicited {
            UnsolicitedExtensions::Ignore => Ok(()),
            UnsolicitedExtensions::Refuse => client
                .names()
                .chain(signed.extension_names())
                .find(|name| !self.requested.allows(name))
                .map_or(Ok(()), |name| {
                    Err(ExtensionError::Unsolicited(crate::Received::new(name)))
                }),
        }
    }
}
