//! An axum server that reads bodies and answers with others of the right size, having verified a signature before it
//! answers a finish, and does nothing else. (One that does no work at all is never waited for by those who ask it, and so
//! wakes nobody: nothing that works can be compared with that.)

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tokio::net::TcpListener;

use crate::raw::Raw;
use crate::signer::Signer;

/// Serves until its input ends. Says its port.
pub(crate) async fn serve(start: &Path, finish: &Path) -> anyhow::Result<()> {
    let raw = Arc::new(Raw::new(&Signer::new()));
    let answer = |path: &Path, raw: Option<Arc<Raw>>| -> anyhow::Result<_> {
        let body = Bytes::from(std::fs::read(path)?);
        Ok(post(async move |received: Bytes| {
            // Read, as any server would; what is in it is another part's business.
            drop(received);
            match raw.is_none_or(|raw| raw.verify()) {
                true => Ok(([(CONTENT_TYPE, "application/json")], body)),
                false => Err(StatusCode::UNAUTHORIZED),
            }
        }))
    };
    let app = Router::new()
        .route("/login/start", answer(start, None)?)
        .route("/login/finish", answer(finish, Some(raw))?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let input_ends = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()));
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = input_ends => {}
    }
    Ok(())
}
