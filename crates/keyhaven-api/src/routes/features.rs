//! What this deployment offers, so that a page shows no button that leads nowhere.

use axum::Json;
use axum::extract::State;
use keyhaven_service::{Demand, Identifier};
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// `GET /features`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Features {
    /// Whether mails are sent: then addresses can be proven, and accounts recovered by them.
    mail: bool,
    /// What accounts are called by: `username`, or `email`, their address.
    identifier: &'static str,
    /// Whether a password alone makes an account and signs in.
    password_fallback: bool,
    /// Whether a sign-in with a passkey asks for the password too: `off`, `by-account`, `required`.
    password_with_passkey: &'static str,
    /// Whether it asks for the client key too: `off`, `by-account`, `required`.
    client_key: &'static str,
}

/// What this deployment offers.
#[utoipa::path(get, path = "/features", tag = "system", operation_id = "features", responses((status = 200, body = Features)))]
pub(crate) async fn show(State(state): State<ApiState>) -> Json<Features> {
    let settings = state.keyhaven.settings();
    Json(Features {
        mail: settings.mail.is_some(),
        identifier: match settings.identifier {
            Identifier::Email => "email",
            Identifier::Username => "username",
        },
        password_fallback: settings.passwords.fallback,
        password_with_passkey: name(settings.passwords.with_passkey),
        client_key: name(settings.client_key),
    })
}

/// As the configuration has it.
const fn name(demand: Demand) -> &'static str {
    match demand {
        Demand::ByAccount => "by-account",
        Demand::Off => "off",
        Demand::Required => "required",
    }
}
