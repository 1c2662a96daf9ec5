//! The passkeys of the signed-in account.

use axum::Json;
use axum::extract::State;
use keyhaven_core::PublicKey;
use keyhaven_service::Error;
use keyhaven_session::Session;
use keyhaven_storage::Credential;
use keyhaven_types::{CredentialId, base64url};
use serde::Deserialize;

use crate::bodies::{
    ChangeCredential, ChangedCredential, CredentialBody, CredentialWithKey, Credentials, Deleted,
    PublicKeyBody,
};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, From, NoQuery, Path, Query, StoredSessions};
use crate::state::ApiState;

/// All passkeys of the account, oldest first.
#[utoipa::path(
    get, path = "/credentials", tag = "passkeys", operation_id = "credentials",
    responses((status = 200, body = Credentials), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
) -> Result<Json<Credentials>, ApiError> {
    let credentials = state.keyhaven.passkeys.list(&current.signed_in).await?;
    let signals = state
        .keyhaven
        .passkeys
        .signals_with(&current.signed_in, &credentials);
    Ok(Json(Credentials {
        signals,
        credentials: credentials.iter().map(CredentialBody::from).collect(),
        rp_id: state.keyhaven.settings().relying_party.id.to_string(),
        user_id: base64url::encode(current.signed_in.account().user_handle.as_bytes()),
    }))
}

/// One passkey, with its public key.
#[utoipa::path(
    get, path = "/credentials/{id}", tag = "passkeys", operation_id = "credential",
    params(("id" = String, Path, description = "the credential id, base64url")),
    responses(
        (status = 200, body = CredentialWithKey), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
    Path(id): Path<String>,
) -> Result<Json<CredentialWithKey>, ApiError> {
    let credential = state
        .keyhaven
        .passkeys
        .one(&current.signed_in, &credential_id(&id)?)
        .await?;
    Ok(Json(CredentialWithKey {
        credential: CredentialBody::from(&credential),
        public_key: public_key(&credential)?,
    }))
}

pub(super) fn public_key(credential: &Credential) -> Result<PublicKeyBody, ApiError> {
    // Every stored key was imported once: this cannot fail unless the build lost an algorithm.
    let key = PublicKey::from_cose(&credential.public_key)
        .map_err(|_| ApiError::new("internal_error", "the stored key cannot be read by this build"))?;
    Ok(PublicKeyBody {
        algorithm: credential.algorithm.identifier(),
        cose: base64url::encode(&credential.public_key),
        pem: key.to_pem(),
        jwk: key.to_jwk_json(),
    })
}

/// Rename a passkey, or put a suspended one back in use.
#[utoipa::path(
    patch, path = "/credentials/{id}", tag = "passkeys", operation_id = "changeCredential",
    params(("id" = String, Path, description = "the credential id, base64url")),
    request_body = ChangeCredential,
    responses(
        (status = 200, body = ChangedCredential), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn change(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Path(id): Path<String>,
    Body(body): Body<ChangeCredential>,
) -> Result<Json<ChangedCredential>, ApiError> {
    let id = credential_id(&id)?;
    let (passkeys, signed_in) = (&state.keyhaven.passkeys, &current.signed_in);
    let changed = match (&body.device_name, body.active) {
        (Some(name), None) => passkeys.rename(&client, signed_in, &id, name).await?,
        (None, Some(true)) => passkeys.reinstate(&client, signed_in, &id).await?,
        _ => {
            return Err(ApiError::invalid(
                "one of deviceName, and active, which can be true",
            ));
        }
    };
    Ok(Json(ChangedCredential {
        credential: CredentialBody::from(&changed),
        signals: passkeys.signals(signed_in).await,
    }))
}

/// Delete a passkey. Needs a recent sign-in or a step-up; the last one cannot be deleted.
#[utoipa::path(
    delete, path = "/credentials/{id}", tag = "passkeys", operation_id = "deleteCredential",
    params(("id" = String, Path, description = "the credential id, base64url")),
    responses(
        (status = 200, body = Deleted), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    _: NoQuery,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let (passkeys, signed_in) = (&state.keyhaven.passkeys, &current.signed_in);
    passkeys.remove(&client, signed_in, &credential_id(&id)?).await?;
    Ok(Json(Deleted {
        signals: passkeys.signals(signed_in).await,
    }))
}

/// Which passkey to leave.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Except {
    /// The one passkey that stays, base64url.
    except: Option<String>,
}

/// Delete all passkeys, or all but one. Needs a recent sign-in or a step-up; one way to sign in must be left.
#[utoipa::path(
    delete, path = "/credentials", tag = "passkeys", operation_id = "deleteCredentials",
    params(Except),
    responses(
        (status = 200, body = Deleted), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn delete_all(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Query(Except { except }): Query<Except>,
) -> Result<Json<Deleted>, ApiError> {
    let except = except.as_deref().map(credential_id).transpose()?;
    let (passkeys, signed_in) = (&state.keyhaven.passkeys, &current.signed_in);
    passkeys.remove_all(&client, signed_in, except.as_ref()).await?;
    Ok(Json(Deleted {
        signals: passkeys.signals(signed_in).await,
    }))
}

/// What is no credential id names none of the account's.
pub(super) fn credential_id(text: &str) -> Result<CredentialId, Error> {
    let bytes = base64url::decode(text).map_err(|_| Error::NotFound)?;
    CredentialId::try_from(bytes.as_slice()).map_err(|_| Error::NotFound)
}
