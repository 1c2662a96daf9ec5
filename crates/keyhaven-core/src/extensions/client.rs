use std::borrow::Cow;

use keyhaven_types::base64url;

use crate::json::{Json, JsonError, Object};

/// What the client says of extensions: `clientExtensionResults`. Asserted by the client, signed by nobody: nothing that
/// matters for security may be concluded from it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientExtensionResults {
    appid: Option<bool>,
    appid_exclude: Option<bool>,
    cred_props_rk: Option<bool>,
    large_blob: Option<LargeBlobResults>,
    prf: Option<PrfResults>,
    remote_client_data_json: Option<bool>,
    names: Vec<Box<str>>,
}

/// What the client says of `largeBlob` (§10.1.5).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LargeBlobResults {
    /// Registration: the credential can keep a blob.
    pub supported: Option<bool>,
    /// Assertion: the blob that was read, where it came as base64url.
    pub blob: Option<Vec<u8>>,
    /// Assertion: the blob was written.
    pub written: Option<bool>,
}

/// What the client says of `prf` (§10.1.4). The outputs themselves are the page's secrets and do not belong on a server:
/// they are dropped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PrfResults {
    /// Registration: the credential can do it.
    pub enabled: Option<bool>,
    /// The page sent its secrets along. It should not.
    pub has_results: bool,
}

impl ClientExtensionResults {
    /// Reads the outputs. Those of one member and a plain type must be of it; in the compound ones (`largeBlob`, `prf`)
    /// only what can be read counts, because clients in the field serialise their binary parts in several wrong ways.
    /// Clients that fill in records write `null` for an output that is not there.
    pub(crate) fn read(mut results: Object<'_>) -> Result<Self, JsonError> {
        results.nulls_are_absent();
        let names = results.names().map(Into::into).collect();
        Ok(Self {
            appid: results.optional_bool("appid")?,
            appid_exclude: results.optional_bool("appidExclude")?,
            cred_props_rk: match results.optional_object("credProps")? {
                None => None,
                Some(mut properties) => {
                    properties.null_is_absent("rk");
                    properties.optional_bool("rk")?
                }
            },
            large_blob: results
                .optional_object("largeBlob")
                .unwrap_or_default()
                .map(large_blob),
            prf: results
                .optional_object("prf")
                .unwrap_or_default()
                .map(|mut prf| PrfResults {
                    enabled: prf.optional_bool("enabled").unwrap_or_default(),
                    has_results: !matches!(prf.take("results"), None | Some(Json::Null)),
                }),
            remote_client_data_json: results.optional_bool("remoteClientDataJSON")?,
            names,
        })
    }

    /// `appid`: the client says that the AppID was used instead of the RP ID (§10.1.1).
    #[must_use]
    pub const fn appid(&self) -> Option<bool> {
        self.appid
    }

    /// `appidExclude`: the client says that it looked for credentials of the AppID (§10.1.2).
    #[must_use]
    pub const fn appid_exclude(&self) -> Option<bool> {
        self.appid_exclude
    }

    /// `credProps.rk`: the client says whether the credential is discoverable (§10.1.3).
    #[must_use]
    pub const fn cred_props_rk(&self) -> Option<bool> {
        self.cred_props_rk
    }

    /// `largeBlob` (§10.1.5).
    #[must_use]
    pub const fn large_blob(&self) -> Option<&LargeBlobResults> {
        self.large_blob.as_ref()
    }

    /// `prf` (§10.1.4).
    #[must_use]
    pub const fn prf(&self) -> Option<&PrfResults> {
        self.prf.as_ref()
    }

    /// `remoteClientDataJSON`: the client says that it ran the ceremony for a page on another machine.
    #[must_use]
    pub const fn remote_client_data_json(&self) -> Option<bool> {
        self.remote_client_data_json
    }

    /// The identifiers of all outputs, known or not, in the order received.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }
}

fn large_blob(mut output: Object<'_>) -> LargeBlobResults {
    LargeBlobResults {
        supported: output.optional_bool("supported").unwrap_or_default(),
        blob: output
            .optional_text("blob")
            .unwrap_or_default()
            .and_then(|text: Cow<'_, str>| base64url::decode(&text).ok()),
        written: output.optional_bool("written").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClientExtensionResults, JsonError> {
        ClientExtensionResults::read(Object::parse(text)?)
    }

    #[test]
    fn known_outputs_are_typed_and_others_named() {
        let results = read(
            r#"{"appid": true, "appidExclude": false, "credProps": {"rk": true}, "largeBlob": {"blob": "AQI", "written": true},
                "prf": {"enabled": true, "results": {"first": "AA"}}, "remoteClientDataJSON": true, "uvm": [[2, 4, 2]]}"#,
        )
        .unwrap();
        assert_eq!(results.appid(), Some(true));
        assert_eq!(results.appid_exclude(), Some(false));
        assert_eq!(results.cred_props_rk(), Some(true));
        let large_blob = LargeBlobResults {
            supported: None,
            blob: Some(vec![1, 2]),
            written: Some(true),
        };
        assert_eq!(results.large_blob(), Some(&large_blob));
        let prf = PrfResults {
            enabled: Some(true),
            has_results: true,
        };
        assert_eq!(results.prf(), Some(&prf));
        assert_eq!(results.remote_client_data_json(), Some(true));
        assert!(results.names().any(|name| name == "uvm"));
        assert_eq!(read("{}").unwrap(), ClientExtensionResults::default());
    }

    #[test]
    fn what_old_clients_make_of_binary_outputs_locks_nobody_out() {
        let results =
            read(r#"{"prf": {"enabled": 1, "results": {"first": {}}}, "largeBlob": {"blob": {"0": 1}}}"#)
                .unwrap();
        assert_eq!(results.large_blob(), Some(&LargeBlobResults::default()));
        assert!(results.prf().unwrap().has_results);
        assert!(read(r#"{"prf": true, "largeBlob": []}"#).is_ok());
    }

    #[test]
    fn null_is_no_output() {
        let nulls = r#"{"appid": null, "appidExclude": null, "credProps": null, "remoteClientDataJSON": null, "x": null}"#;
        assert_eq!(read(nulls), Ok(ClientExtensionResults::default()));
        assert_eq!(
            read(r#"{"credProps": {"rk": null}}"#).unwrap().cred_props_rk(),
            None
        );
        assert!(read(r#"{"appid": null, "appid": true}"#).is_err());
    }

    #[test]
    fn plain_outputs_have_their_type() {
        for text in [
            r#"{"appid": "true"}"#,
            r#"{"appidExclude": 1}"#,
            r#"{"credProps": true}"#,
            r#"{"credProps": {"rk": "true"}}"#,
            r#"{"remoteClientDataJSON": {}}"#,
        ] {
            assert!(matches!(read(text), Err(JsonError::WrongType { .. })), "{text}");
        }
    }
}
