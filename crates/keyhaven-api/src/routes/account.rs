//! The signed-in account.

use axum::Json;
use keyhaven_session::Session;

use crate::bodies::User;
use crate::error::Problem;
use crate::extract::StoredSessions;

/// The signed-in account.
#[utoipa::path(
    get, path = "/account", tag = "account", operation_id = "account",
    responses((status = 200, body = User), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn show(Session(current): Session<StoredSessions>) -> Json<User> {
    Json(User::from(current.signed_in.account()))
}
