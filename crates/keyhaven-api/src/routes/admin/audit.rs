//! The events of all.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream;
use keyhaven_service::{Error, EventFilter, LogWriter, export_log};
use keyhaven_storage::{AuditOutcome, DurableStore};
use keyhaven_types::UnixTime;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::LIMIT;
use crate::bodies::admin::{AdminEvent, AdminEvents};
use crate::error::{ApiError, Problem};
use crate::extract::{From, Query};
use crate::gate::Admitted;
use crate::state::ApiState;

/// Parts of an export that wait to be sent; one is a batch of events at most.
const PARTS: usize = 4;

/// Who takes nothing for so long does not want the rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which events to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Of the account with this id.
    account: Option<String>,
    /// Of this action, for example `login.finish`.
    action: Option<String>,
    /// `success` or `refused`.
    outcome: Option<String>,
    /// From this moment on (RFC 3339).
    from: Option<String>,
    /// Before this moment (RFC 3339).
    to: Option<String>,
    /// As a page before answered it.
    cursor: Option<String>,
    /// 1 to 100; 50 where it is left out.
    limit: Option<u32>,
}

impl EventsQuery {
    fn filter(&self) -> Result<EventFilter, ApiError> {
        let account = self.account.as_deref().map(str::parse).transpose();
        let outcome = match self.outcome.as_deref() {
            None => None,
            Some("refused") => Some(AuditOutcome::Refused),
            Some("success") => Some(AuditOutcome::Success),
            Some(_) => return Err(ApiError::invalid("outcome: success or refused")),
        };
        Ok(EventFilter {
            account: account.map_err(|_| ApiError::invalid("account: an account's id"))?,
            action: self.action.clone(),
            outcome,
            from: self.from.as_deref().map(moment).transpose()?,
            to: self.to.as_deref().map(moment).transpose()?,
        })
    }
}

fn moment(text: &str) -> Result<UnixTime, ApiError> {
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| ApiError::invalid("from, to: RFC 3339, as 2026-01-31T00:00:00Z"))?;
    let millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    Ok(UnixTime::from_millis(millis))
}

/// Events of all accounts, newest first, a page at a time.
#[utoipa::path(
    get, path = "/admin/audit", tag = "admin", operation_id = "adminEvents",
    params(EventsQuery),
    responses(
        (status = 200, body = AdminEvents), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn events(
    State(state): State<ApiState>,
    admitted: Admitted,
    Query(query): Query<EventsQuery>,
) -> Result<Json<AdminEvents>, ApiError> {
    let (cursor, limit) = (query.cursor.as_deref(), query.limit.unwrap_or(LIMIT));
    let administration = &state.keyhaven.administration;
    let page = administration
        .events(&admitted.operator, &query.filter()?, cursor, limit)
        .await?;
    Ok(Json(AdminEvents {
        events: page.items.iter().map(AdminEvent::from).collect(),
        next: page.next,
    }))
}

/// The whole sealed log as lines of JSON, for `keyhaven audit verify --export`. One at a time; one that was cut short lacks
/// its last line.
#[utoipa::path(
    get, path = "/admin/audit/export", tag = "admin", operation_id = "adminExportAudit",
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem),
    )
)]
pub(crate) async fn export(
    State(state): State<ApiState>,
    From(client): From,
    admitted: Admitted,
) -> Result<impl IntoResponse, ApiError> {
    let alone = state
        .exports
        .clone()
        .try_acquire_owned()
        .map_err(|_| Error::Busy)?;
    let administration = &state.keyhaven.administration;
    let store = administration.begin_export(&client, &admitted.operator).await?;
    let (sender, parts) = mpsc::channel(PARTS);
    // Ends when nobody takes what it writes.
    tokio::spawn(write(store, Sending(sender), alone));
    let parts = stream::unfold(parts, async |mut parts| {
        let part: io::Result<Bytes> = parts.recv().await?;
        Some((part, parts))
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"keyhaven-audit.ndjson\"",
        ),
    ];
    Ok((headers, Body::from_stream(parts)))
}

async fn write(store: Arc<dyn DurableStore>, mut sending: Sending, alone: OwnedSemaphorePermit) {
    if let Err(error) = export_log(&*store, &mut sending).await {
        tracing::warn!(%error, "an export of the audit log ended early");
        // The answer is broken off: it must not look like a whole one.
        let _ = sending
            .0
            .send(Err(io::Error::other("the export ended early")))
            .await;
    }
    drop(alone);
}

struct Sending(mpsc::Sender<io::Result<Bytes>>);

impl LogWriter for Sending {
    async fn write(&mut self, part: Vec<u8>) -> io::Result<()> {
        let sent = tokio::time::timeout(PATIENCE, self.0.send(Ok(part.into()))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }
}
