//! The accounts of others, for administrators. Behind [`crate::gate`], which everybody else takes for the end of the world.

mod audit;

pub(crate) use audit::*;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use keyhaven_service::{Error, UserQuery};
use keyhaven_storage::AccountId;
use serde::Deserialize;

use super::credentials::credential_id;
use crate::bodies::admin::{
    AdminUser, AdminUserDetails, AdminUsers, ClientKeyVerdict, EnrolmentLinkBody, LockUser,
    MakeEnrolmentLink, VerifyClientKey,
};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, From, NoQuery, OptionalBody, Path, Query};
use crate::gate::{Admitted, unknown};
use crate::state::ApiState;

/// As many lines as a page has where nothing is said.
const LIMIT: u32 = 50;

/// Which accounts to list; at most one of `email`, `id` and `username`, each of which is the whole of it: names and
/// addresses are stored encrypted, so that none is found by a part.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct UsersQuery {
    /// The account that has proven exactly this address, upper and lower case alike.
    email: Option<String>,
    /// The account with this id.
    id: Option<String>,
    /// The account with exactly this username.
    username: Option<String>,
    /// As a page before answered it.
    cursor: Option<String>,
    /// 1 to 100; 50 where it is left out.
    limit: Option<u32>,
}

impl UsersQuery {
    fn query(&self) -> Result<UserQuery, ApiError> {
        let given = [
            self.email.clone().map(UserQuery::Email),
            self.id.clone().map(UserQuery::Id),
            self.username.clone().map(UserQuery::Username),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (None, _) => Ok(UserQuery::All),
            (Some(query), None) => Ok(query),
            (Some(_), Some(_)) => Err(ApiError::invalid("query: one of email, id and username")),
        }
    }
}

/// Accounts, newest first, a page at a time; or the one that is looked for, or none.
#[utoipa::path(
    get, path = "/admin/users", tag = "admin", operation_id = "adminUsers",
    params(UsersQuery),
    responses(
        (status = 200, body = AdminUsers), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn users(
    State(state): State<ApiState>,
    admitted: Admitted,
    Query(query): Query<UsersQuery>,
) -> Result<Json<AdminUsers>, ApiError> {
    let (cursor, limit) = (query.cursor.as_deref(), query.limit.unwrap_or(LIMIT));
    let administration = &state.keyhaven.administration;
    let page = administration
        .users(&admitted.operator, &query.query()?, cursor, limit)
        .await?;
    Ok(Json(AdminUsers {
        users: page.items.iter().map(AdminUser::from).collect(),
        next: page.next,
    }))
}

/// One account, with its passkeys, sessions and factors. That somebody looked is recorded.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin", operation_id = "adminUser",
    params(("id" = String, Path, description = "the account's id")),
    responses(
        (status = 200, body = AdminUserDetails), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn user(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path(id): Path<String>,
) -> Result<Json<AdminUserDetails>, ApiError> {
    let administration = &state.keyhaven.administration;
    let details = administration
        .user(&client, &admitted.operator, account_id(&id)?)
        .await?;
    Ok(Json(AdminUserDetails::new(&details, &admitted.session)))
}

/// Lock an account: nobody signs in to it, and all its sessions end. Not one's own, nor the last administrator's.
#[utoipa::path(
    post, path = "/admin/users/{id}/lock", tag = "admin", operation_id = "adminLockUser",
    params(("id" = String, Path, description = "the account's id")),
    request_body = LockUser,
    responses(
        (status = 204), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn lock(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path(id): Path<String>,
    Body(body): Body<LockUser>,
) -> Result<StatusCode, ApiError> {
    let administration = &state.keyhaven.administration;
    administration
        .lock(&client, &admitted.operator, account_id(&id)?, &body.reason)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let an account sign in again.
#[utoipa::path(
    post, path = "/admin/users/{id}/unlock", tag = "admin", operation_id = "adminUnlockUser",
    params(("id" = String, Path, description = "the account's id")),
    responses(
        (status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn unlock(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let administration = &state.keyhaven.administration;
    administration
        .unlock(&client, &admitted.operator, account_id(&id)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End all sessions of an account.
#[utoipa::path(
    delete, path = "/admin/users/{id}/sessions", tag = "admin", operation_id = "adminSignOutUser",
    params(("id" = String, Path, description = "the account's id")),
    responses(
        (status = 204), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn sign_out(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    _: NoQuery,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let administration = &state.keyhaven.administration;
    administration
        .sign_out(&client, &admitted.operator, account_id(&id)?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the removal of a passkey may leave.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct RemovePasskey {
    /// Also where no passkey would be left.
    #[serde(default)]
    even_last: bool,
}

/// Remove a passkey of an account; the sessions that it opened end. Uses the step-up up.
#[utoipa::path(
    delete, path = "/admin/users/{id}/credentials/{credentialId}", tag = "admin",
    operation_id = "adminRemovePasskey",
    params(
        ("id" = String, Path, description = "the account's id"),
        ("credentialId" = String, Path, description = "the credential id, base64url"),
        RemovePasskey,
    ),
    responses(
        (status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn remove_passkey(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path((id, credential)): Path<(String, String)>,
    Query(RemovePasskey { even_last }): Query<RemovePasskey>,
) -> Result<StatusCode, ApiError> {
    let (id, credential) = (account_id(&id)?, credential_id(&credential)?);
    let administration = &state.keyhaven.administration;
    administration
        .remove_passkey(&client, &admitted.operator, id, &credential, even_last)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a link by which the owner of an account can add a passkey, once; the one before is good for nothing then. Uses the
/// step-up up.
#[utoipa::path(
    post, path = "/admin/users/{id}/enrolment-link", tag = "admin", operation_id = "adminMakeEnrolmentLink",
    params(("id" = String, Path, description = "the account's id")),
    request_body(content = Option<MakeEnrolmentLink>, description = "nothing: the link is answered"),
    responses(
        (status = 201, body = EnrolmentLinkBody), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn enrolment_link(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<MakeEnrolmentLink>,
) -> Result<impl IntoResponse, ApiError> {
    let administration = &state.keyhaven.administration;
    let by_mail = body.unwrap_or_default().mail;
    let offer = administration
        .enrolment_link(&client, &admitted.operator, account_id(&id)?, by_mail)
        .await?;
    Ok((StatusCode::CREATED, Json(EnrolmentLinkBody::from(offer))))
}

/// Whether something is an account's client key; never the key itself. There only where it is switched on.
#[utoipa::path(
    post, path = "/admin/users/{id}/client-key/verify", tag = "admin", operation_id = "adminVerifyClientKey",
    params(("id" = String, Path, description = "the account's id")),
    request_body = VerifyClientKey,
    responses(
        (status = 200, body = ClientKeyVerdict), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn verify_client_key(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
    Path(id): Path<String>,
    request: axum::extract::Request,
) -> Result<Json<ClientKeyVerdict>, ApiError> {
    let administration = &state.keyhaven.administration;
    // Where it is off, nothing of the request is looked at.
    if !administration.checks_client_keys() {
        return Err(unknown());
    }
    let Body(body) =
        <Body<VerifyClientKey> as axum::extract::FromRequest<_>>::from_request(request, &state).await?;
    let check = administration
        .check_client_key(&client, &admitted.operator, account_id(&id)?, &body.candidate)
        .await?;
    Ok(Json(ClientKeyVerdict::from(check)))
}

/// What is no account's id names none.
fn account_id(text: &str) -> Result<AccountId, Error> {
    text.parse().map_err(|_| Error::NotFound)
}
