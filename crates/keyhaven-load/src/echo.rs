//! An axum server that reads bodies and answers with others of the right size, and does nothing else.

use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tokio::net::TcpListener;

/// Serves until its input ends. Says its port.
pub(crate) async fn serve(start: &Path, finish: &Path) -> anyhow::Result<()> {
    let answer = |path: &Path| -> anyhow::Result<_> {
        let body = Bytes::from(std::fs::read(path)?);
        Ok(post(async move |received: Bytes| {
            // Read, as any server would; what is in it is another part's business.
            drop(received);
            ([(CONTENT_TYPE, "application/json")], body)
        }))
    };
    let app = Router::new()
        .route("/login/start", answer(start)?)
        .route("/login/finish", answer(finish)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let input_ends = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()));
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = input_ends => {}
    }
    Ok(())
}
