//! Where the deployment is: its RP ID, its origins, the base of its links, its proxies.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use ipnet::IpNet;
use keyhaven_core::CrossOrigin;
use keyhaven_types::{Origin, RpId};
use url::{Host, Url};

use super::apps::ANDROID;
use super::raw::{self, Raw};

pub(super) fn rp_id(text: &str) -> anyhow::Result<RpId> {
    let id = RpId::new(text).context("rp_id")?;
    match Host::parse(text) {
        Ok(Host::Domain(domain)) if domain == text => {}
        _ => bail!("rp_id: a domain name, not an address: {text:?}"),
    }
    ensure!(
        text == "localhost" || text.contains('.'),
        "rp_id: {text:?} is a single label; use a registrable domain such as example.org, or localhost"
    );
    Ok(id)
}

/// The origins that ceremonies may come from: own ones under the RP ID, related ones elsewhere, native apps'.
pub(super) fn origins(
    raw: &Raw,
    rp_id: &RpId,
    local: bool,
    listen: SocketAddr,
) -> anyhow::Result<Vec<Origin>> {
    let mut own = raw.origins.clone();
    if own.is_empty() {
        ensure!(
            local,
            "origins: RP ID {rp_id} needs the https origins of its pages, for example https://{rp_id}"
        );
        own.push(format!("http://localhost:{}", listen.port()));
    }
    let mut origins = Vec::new();
    for text in &own {
        if !is_app(text) {
            let url = web_origin(text, local)?;
            let host = url.host_str().unwrap_or("");
            let under = host == rp_id.as_str() || host.ends_with(&format!(".{rp_id}"));
            ensure!(
                under,
                "origins: {text} is not under the RP ID {rp_id}; a page of another domain belongs in related_origins"
            );
        }
        origins.push(Origin::new(text).context("origins")?);
    }
    ensure!(
        own.iter().any(|text| !is_app(text)),
        "origins: at least one web page's, for example https://{rp_id}"
    );
    for text in &raw.related_origins {
        web_origin(text, local).context("related_origins")?;
        origins.push(Origin::new(text).context("related_origins")?);
    }
    Ok(origins)
}

/// The origins native apps use, compared as they stand.
fn is_app(text: &str) -> bool {
    text.starts_with(ANDROID) || text.starts_with("ios:bundle-id:")
}

/// A web origin exactly as browsers serialise it.
fn web_origin(text: &str, local: bool) -> anyhow::Result<Url> {
    let url = Url::parse(text).with_context(|| format!("origins: {text:?} is no URL"))?;
    let serialised = url.origin().ascii_serialization();
    ensure!(
        serialised == text,
        "origins: write {text:?} as browsers do: {serialised}"
    );
    match url.scheme() {
        "https" => {}
        "http" if local && is_localhost(&url) => {}
        _ => bail!("origins: {text} must begin with https://; http is only for localhost"),
    }
    Ok(url)
}

pub(super) fn cross_origin(ceremonies: &raw::Ceremonies) -> anyhow::Result<CrossOrigin> {
    let top_origins = &ceremonies.top_origins;
    if ceremonies.cross_origin == raw::CrossOrigin::Refuse {
        ensure!(
            top_origins.is_empty(),
            "ceremonies.top_origins: only where ceremonies.cross_origin is \"allow\""
        );
        return Ok(CrossOrigin::Refuse);
    }
    let top_origins = top_origins.iter().map(|text| {
        web_origin(text, true).context("ceremonies.top_origins")?;
        Origin::new(text).context("ceremonies.top_origins")
    });
    Ok(CrossOrigin::Allow {
        top_origins: top_origins.collect::<Result<_, _>>()?,
    })
}

fn is_localhost(url: &Url) -> bool {
    matches!(url.host_str(), Some(host) if host == "localhost" || host.ends_with(".localhost"))
}

pub(super) fn public_url(text: Option<&str>, origins: &[Origin]) -> anyhow::Result<String> {
    let first = origins
        .iter()
        .map(|origin| origin.as_str())
        .find(|text| !is_app(text))
        .unwrap_or_default();
    let Some(text) = text else {
        return Ok(first.to_owned());
    };
    let url = Url::parse(text).with_context(|| format!("public_url: {text:?} is no URL"))?;
    let origin = url.origin().ascii_serialization();
    ensure!(
        origin == text.trim_end_matches('/'),
        "public_url: only scheme, host and port: {origin}; paths go into base_path"
    );
    ensure!(
        origins.iter().any(|allowed| allowed.as_str() == origin),
        "public_url: {origin} must be one of the origins"
    );
    Ok(origin)
}

pub(super) fn base_path(text: &str) -> anyhow::Result<String> {
    let plain = |segment: &str| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let trimmed = text.trim_matches('/');
    ensure!(
        text.starts_with('/') && (trimmed.is_empty() || trimmed.split('/').all(plain)),
        "base_path: a path such as / or /auth/, not {text:?}"
    );
    Ok(if trimmed.is_empty() {
        "/".to_owned()
    } else {
        format!("/{trimmed}/")
    })
}

pub(super) fn network(text: &str) -> anyhow::Result<IpNet> {
    let single = text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or(single)
        .with_context(|| format!("trusted_proxies: a network such as 10.0.0.0/8, not {text:?}"))
}
