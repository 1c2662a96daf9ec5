//! The signed-in account.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::IntoResponse;
use keyhaven_service::Error;
use keyhaven_session::Session;
use keyhaven_storage::EventId;
use keyhaven_types::UnixTime;
use serde::Deserialize;

use super::cookies;
use super::credentials::public_key;
use crate::bodies::{
    ChangeAccount, ChangedAccount, CredentialBody, CredentialWithKey, Deleted, EventBody, EventList,
    ExportBody, User,
};
use crate::error::{ApiError, Problem};
use crate::extract::{Body, From, NoQuery, Query, StoredSessions};
use crate::state::ApiState;

/// Events on one page.
const PAGE: u32 = 50;

/// The signed-in account.
#[utoipa::path(
    get, path = "/account", tag = "account", operation_id = "account",
    responses((status = 200, body = User), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn show(Session(current): Session<StoredSessions>) -> Json<User> {
    Json(User::from(current.signed_in.account()))
}

/// Change the display name.
#[utoipa::path(
    patch, path = "/account", tag = "account", operation_id = "changeAccount",
    request_body = ChangeAccount,
    responses(
        (status = 200, body = ChangedAccount), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn change(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    Body(body): Body<ChangeAccount>,
) -> Result<Json<ChangedAccount>, ApiError> {
    let privacy = &state.keyhaven.privacy;
    let (account, signals) = privacy
        .rename(&client, &current.signed_in, &body.display_name)
        .await?;
    Ok(Json(ChangedAccount {
        user: User::from(&account),
        signals,
    }))
}

/// Delete the account and everything of it, at once and for good. Needs a step-up for `delete_account`.
#[utoipa::path(
    delete, path = "/account", tag = "account", operation_id = "deleteAccount",
    responses(
        (status = 200, body = Deleted), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
    _: NoQuery,
) -> Result<impl IntoResponse, ApiError> {
    let signals = state.keyhaven.privacy.delete(&client, &current.signed_in).await?;
    Ok((cookies(state.settings.clear_session()), Json(Deleted { signals })))
}

/// Everything that is held of the account. Needs a step-up for `export`; an access token does not do.
#[utoipa::path(
    get, path = "/account/export", tag = "account", operation_id = "exportAccount",
    responses(
        (status = 200, body = ExportBody), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn export(
    State(state): State<ApiState>,
    From(client): From,
    Session(current): Session<StoredSessions>,
) -> Result<impl IntoResponse, ApiError> {
    if current.token.is_none() {
        return Err(Error::Unauthenticated.into());
    }
    let export = state.keyhaven.privacy.export(&client, &current.signed_in).await?;
    let credentials = export.credentials.iter().map(|credential| {
        Ok(CredentialWithKey {
            credential: CredentialBody::from(credential),
            public_key: public_key(credential)?,
        })
    });
    let credentials = credentials.collect::<Result<_, ApiError>>()?;
    let file = HeaderValue::from_static(r#"attachment; filename="account.json""#);
    let body = ExportBody::new(export, credentials, current.signed_in.session());
    Ok(([(CONTENT_DISPOSITION, file)], Json(body)))
}

/// Where a list of events goes on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// `next` of the page before.
    after: Option<String>,
}

/// What happened to the account, newest first.
#[utoipa::path(
    get, path = "/account/events", tag = "account", operation_id = "accountEvents",
    params(After),
    responses(
        (status = 200, body = EventList), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    Session(current): Session<StoredSessions>,
    Query(After { after }): Query<After>,
) -> Result<Json<EventList>, ApiError> {
    let after = after
        .map(|text| position(&text).ok_or_else(|| ApiError::invalid("after: not the end of a page")))
        .transpose()?;
    let privacy = &state.keyhaven.privacy;
    let events = privacy.events(&current.signed_in, after, PAGE).await?;
    let full = u32::try_from(events.len()).is_ok_and(|found| found == PAGE);
    let last = events.last().filter(|_| full);
    Ok(Json(EventList {
        next: last.map(|event| format!("{}.{}", event.at.as_millis(), event.id)),
        events: events.into_iter().map(EventBody::from).collect(),
    }))
}

fn position(text: &str) -> Option<(UnixTime, EventId)> {
    let (at, id) = text.split_once('.')?;
    Some((UnixTime::from_millis(at.parse().ok()?), id.parse().ok()?))
}
