//! Extensions that ceremonies ask for, and what became of them (WebAuthn L3 §10, CTAP 2.2 §12).

use std::fmt::Write as _;

use keyhaven_core::{
    CredProtect, Extension, ExtensionDemands, ExtensionPolicy, ExtensionSet, RegistrationResponse,
    VerifiedRegistration,
};
use keyhaven_storage::CredentialTraits;
use keyhaven_types::options::{
    CreationExtensions, LargeBlobInput, LargeBlobSupport, PrfInput, RequestExtensions,
};

use crate::settings::Settings;

/// A serial number that is longer is not kept.
const MAX_SERIAL_NUMBER: usize = 256;

/// The extensions that are asked for beside `credProps`, which always is. Each costs a registration nothing where the
/// authenticator does not know it, unless it is said to be demanded.
#[derive(Clone, Debug, Default)]
pub struct ExtensionSettings {
    /// `appid` and `appidExclude`: the AppID under which the U2F API was used before.
    pub appid: Option<String>,
    /// `credProtect`: the protection to ask for.
    pub cred_protect: Option<CredProtect>,
    /// Whether a passkey that is protected less is refused: by the client, and by its signed output.
    pub enforce_cred_protect: bool,
    /// `largeBlob`.
    pub large_blob: Option<LargeBlobSupport>,
    /// `minPinLength`: ask, and refuse an authenticator that says it takes a shorter PIN.
    pub min_pin_length: Option<u32>,
    /// `prf`: ask, so that the page can derive secrets.
    pub prf: bool,
}

impl ExtensionSettings {
    /// The inputs of a registration.
    pub(crate) fn creation(&self) -> CreationExtensions {
        CreationExtensions {
            appid_exclude: self.appid.clone(),
            cred_props: true,
            credential_protection_policy: self.cred_protect.map(CredProtect::as_str),
            enforce_credential_protection_policy: self.cred_protect.map(|_| self.enforce_cred_protect),
            large_blob: self.large_blob.map(|support| LargeBlobInput { support }),
            min_pin_length: self.min_pin_length.map(|_| true),
            prf: self.prf.then_some(PrfInput {}),
        }
    }

    /// The inputs of a sign-in or a step-up. What a page reads from `largeBlob` and `prf` it asks for itself.
    pub(crate) fn request(&self) -> RequestExtensions {
        RequestExtensions {
            appid: self.appid.clone(),
        }
    }

    fn registration_set(&self) -> ExtensionSet {
        [
            Some(Extension::CredProps),
            self.appid.as_ref().map(|_| Extension::AppIdExclude),
            self.cred_protect.map(|_| Extension::CredProtect),
            self.large_blob.map(|_| Extension::LargeBlob),
            self.min_pin_length.map(|_| Extension::MinPinLength),
            self.prf.then_some(Extension::Prf),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn assertion_set(&self) -> ExtensionSet {
        [
            self.appid.as_ref().map(|_| Extension::AppId),
            self.large_blob.map(|_| Extension::LargeBlob),
            self.prf.then_some(Extension::Prf),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Settings {
    /// What the verifier holds the outputs of a registration to.
    pub(crate) fn registration_extensions(&self) -> ExtensionPolicy {
        let extensions = &self.extensions;
        ExtensionPolicy {
            requested: extensions.registration_set(),
            unsolicited: self.unsolicited_extensions,
            demands: ExtensionDemands {
                cred_protect: extensions
                    .cred_protect
                    .filter(|_| extensions.enforce_cred_protect),
                large_blob: extensions.large_blob == Some(LargeBlobSupport::Required),
                min_pin_length: extensions.min_pin_length,
            },
        }
    }

    /// What the verifier holds the outputs of an assertion to.
    pub(crate) fn assertion_extensions(&self) -> ExtensionPolicy {
        ExtensionPolicy {
            requested: self.extensions.assertion_set(),
            unsolicited: self.unsolicited_extensions,
            demands: ExtensionDemands::default(),
        }
    }
}

/// What a verified registration says of its credential: of extensions that were asked for alone, since what comes unasked
/// is not looked at.
pub(crate) fn traits(
    settings: &Settings,
    response: &RegistrationResponse,
    verified: &VerifiedRegistration,
) -> CredentialTraits {
    let asked = settings.extensions.registration_set();
    let (client, signed) = (response.client_extension_results(), verified.signed_extensions());
    let prf = signed
        .hmac_secret()
        .or_else(|| client.prf().and_then(|prf| prf.enabled));
    CredentialTraits {
        discoverable: client.cred_props_rk(),
        cred_protect: signed
            .cred_protect()
            .filter(|_| asked.contains(Extension::CredProtect))
            .map(CredProtect::level),
        min_pin_length: signed
            .min_pin_length()
            .filter(|_| asked.contains(Extension::MinPinLength)),
        large_blob: client
            .large_blob()
            .filter(|_| asked.contains(Extension::LargeBlob))
            .map(|blob| blob.supported == Some(true)),
        prf: prf.filter(|_| asked.contains(Extension::Prf)),
        serial_number: verified
            .enterprise_serial_number()
            .filter(|bytes| bytes.len() <= MAX_SERIAL_NUMBER)
            .map(hexadecimal),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
