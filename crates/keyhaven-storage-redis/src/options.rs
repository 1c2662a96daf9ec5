use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use redis::{ClientTlsConfig, ConnectionAddr, RedisConnectionInfo, TlsCertificates};
use url::Url;

use crate::topology::Topology;

/// Where Redis is, and how it is used.
#[derive(Clone)]
pub struct RedisOptions {
    pub(crate) kind: Kind,
    /// The server, the Sentinels, or some nodes of the Cluster.
    pub(crate) nodes: Vec<Node>,
    pub(crate) tls: bool,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) certificates: Option<TlsCertificates>,
    /// How long to wait for a connection, at each server that is tried.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub response_timeout: Duration,
    /// Into how many parts pending ceremonies are divided: a Cluster keeps each part on one node, and each has its share
    /// of the bound. The same for all processes: it is part of the keys. 1 on a single server, where the bound is exact;
    /// 64 on a Cluster, where one part can be full a little before the others.
    pub shards: u16,
}

/// Where a server listens.
#[derive(Clone)]
pub(crate) struct Node {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Cluster,
    Sentinel { master: String, login: SentinelLogin },
    Standalone,
}

/// Sentinels have users of their own, most often none.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct SentinelLogin {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for SentinelLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentinelLogin(..)")
    }
}

/// The text is no URL of a Redis.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a Redis URL is redis://USER:PASSWORD@HOST:PORT/DATABASE, redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER \
     or redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT; with TLS rediss: {reason}"
)]
pub struct InvalidRedisUrl {
    /// What is wrong with it; never the URL, which may hold a password.
    pub reason: String,
}

impl RedisOptions {
    /// How long an operation takes at most.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.connect_timeout.saturating_add(self.response_timeout)
    }

    /// Whether nobody between here and Redis can read along: it is on this machine, or TLS is spoken.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let is_here = |node: &Node| {
            node.host == "localhost" || node.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        };
        self.tls || self.nodes.iter().all(is_here)
    }

    /// Where the nodes are, as the driver names it.
    pub(crate) fn addresses(&self) -> Vec<ConnectionAddr> {
        let address = |node: &Node| {
            let (host, port) = (node.host.clone(), node.port);
            if self.tls {
                ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    tls_params: None,
                }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        };
        self.nodes.iter().map(address).collect()
    }
}

impl FromStr for RedisOptions {
    type Err = InvalidRedisUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| refused("it begins with redis:// or rediss://"))?;
        let (tls, form) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", form) => (false, form),
            ("rediss", form) => (true, form),
            _ => return Err(refused("it begins with redis:// or rediss://")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold slashes and commas: what comes before the last @ is not looked into.
        let (user, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut query = Query::read(query)?;
        let (kind, database, port) = match form {
            "" => (Kind::Standalone, path, 6379),
            "cluster" => (Kind::Cluster, path, 6379),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(refused("Sentinels need the master's name: …/MASTER"));
                }
                let master = master.to_owned();
                let login = SentinelLogin {
                    username: query.take("sentinel_username"),
                    password: query.take("sentinel_password"),
                };
                (Kind::Sentinel { master, login }, database, 26379)
            }
            _ => return Err(refused("after redis+ comes sentinel or cluster")),
        };
        let hosts: Vec<&str> = hosts.split(',').collect();
        if kind == Kind::Standalone && hosts.len() > 1 {
            return Err(refused(
                "several hosts are for redis+sentinel:// or redis+cluster://",
            ));
        }
        let nodes = hosts
            .into_iter()
            .map(|host| node(host, port))
            .collect::<Result<_, _>>()?;
        let certificates = if tls { query.certificates()? } else { None };
        query.is_used_up()?;
        let options = Self {
            shards: if kind == Kind::Cluster { 64 } else { 1 },
            login: login(user, database, &kind)?,
            kind,
            nodes,
            tls,
            certificates,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        };
        // What the driver would refuse, certificates above all, is refused here.
        Topology::new(&options).map_err(|error| refused(&error.to_string()))?;
        Ok(options)
    }
}

/// Scheme, hosts, ports and the master's name; no user, no password.
impl fmt::Display for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match self.kind {
            Kind::Cluster => "+cluster://",
            Kind::Sentinel { .. } => "+sentinel://",
            Kind::Standalone => "://",
        })?;
        for (n, node) in self.nodes.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            let Node { host, port } = node;
            if host.contains(':') {
                write!(f, "[{host}]:{port}")?;
            } else {
                write!(f, "{host}:{port}")?;
            }
        }
        match &self.kind {
            Kind::Sentinel { master, .. } => write!(f, "/{master}"),
            Kind::Cluster | Kind::Standalone => Ok(()),
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisOptions({self})")
    }
}

fn refused(reason: &str) -> InvalidRedisUrl {
    InvalidRedisUrl {
        reason: reason.to_owned(),
    }
}

fn node(text: &str, default_port: u16) -> Result<Node, InvalidRedisUrl> {
    let url = Url::parse(&format!("redis://{text}")).map_err(|error| refused(&format!("a host: {error}")))?;
    let host = match url.host() {
        // Without the brackets that it has in a URL.
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        Some(host) => host.to_string(),
        None => return Err(refused("a host is missing")),
    };
    if host.is_empty() || !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(refused("a host is missing"));
    }
    let port = url.port().unwrap_or(default_port);
    Ok(Node { host, port })
}

fn login(user: &str, database: &str, kind: &Kind) -> Result<RedisConnectionInfo, InvalidRedisUrl> {
    let decoded = |text: &str| {
        // The only decoder at hand reads forms, where a plus sign is a space.
        let form = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(form.as_bytes())
            .next()
            .map(|(name, _)| name.into_owned())
    };
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let mut login = RedisConnectionInfo::default();
    if let Some(username) = decoded(username) {
        login = login.set_username(username);
    }
    if let Some(password) = decoded(password) {
        login = login.set_password(password);
    }
    let database: i64 = match database.trim_matches('/') {
        "" => 0,
        number => number
            .parse()
            .ok()
            .filter(|number| (0..=65_535).contains(number))
            .ok_or_else(|| refused("the database is a number"))?,
    };
    if database != 0 && *kind == Kind::Cluster {
        return Err(refused("a Cluster has one database only"));
    }
    Ok(login.set_db(database))
}

/// What stands behind the question mark.
struct Query(Vec<(String, String)>);

impl Query {
    const KNOWN: [&str; 5] = [
        "sentinel_password",
        "sentinel_username",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
    ];

    fn read(text: &str) -> Result<Self, InvalidRedisUrl> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect();
        for (name, _) in &pairs {
            if !Self::KNOWN.contains(&name.as_str()) {
                return Err(refused(
                    "behind ? comes one of ssl_ca_certs, ssl_certfile, ssl_keyfile, sentinel_username, sentinel_password",
                ));
            }
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn certificates(&mut self) -> Result<Option<TlsCertificates>, InvalidRedisUrl> {
        let mut file = |name: &str| {
            let read = |path: String| {
                std::fs::read(&path).map_err(|error| refused(&format!("{name}: {path}: {error}")))
            };
            self.take(name).map(read).transpose()
        };
        let root_cert = file("ssl_ca_certs")?;
        let client_tls = match (file("ssl_certfile")?, file("ssl_keyfile")?) {
            (None, None) => None,
            (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig {
                client_cert,
                client_key,
            }),
            _ => return Err(refused("ssl_certfile and ssl_keyfile go together")),
        };
        if root_cert.is_none() && client_tls.is_none() {
            return Ok(None);
        }
        Ok(Some(TlsCertificates {
            client_tls,
            root_cert,
        }))
    }

    fn is_used_up(&self) -> Result<(), InvalidRedisUrl> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(refused(&format!(
                "{name} is not for this kind of URL, or stands there twice"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> RedisOptions {
        url.parse().unwrap()
    }

    #[test]
    fn a_url_names_servers_and_its_secrets_stay_inside() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://u:secret@[::1]:7000/2", "redis://[::1]:7000"),
            ("rediss://:secret@r.example.org", "rediss://r.example.org:6379"),
            (
                "redis+sentinel://u:secret@a,b:1/main?sentinel_password=secret",
                "redis+sentinel://a:26379,b:1/main",
            ),
            ("rediss+cluster://u:secret@a:1,b", "rediss+cluster://a:1,b:6379"),
            // An @, a slash and a comma in a password.
            ("redis://u:se@cr/et,@h", "redis://h:6379"),
        ] {
            let options = options(url);
            assert_eq!(options.to_string(), shown);
            assert!(!format!("{options:?}").contains("secret"));
        }
        for url in [
            "",
            "redis:",
            "redis:x",
            "memcached://u:secret@h",
            "redis://",
            "redis://u:secret@",
            "redis://u:secret@h:x",
            "redis://u:secret@h/x",
            "redis://u:secret@h/-1",
            "redis://u:secret@a,b",
            "redis://u:secret@h?secret=1",
            "redis://u:secret@h?ssl_ca_certs=x",
            "redis://u:secret@h?sentinel_password=secret",
            "rediss://u:secret@h?ssl_ca_certs=/nowhere/at/all",
            "rediss://u:secret@h?ssl_certfile=/dev/null",
            "rediss://u:secret@h?ssl_ca_certs=/dev/null&ssl_ca_certs=/dev/null",
            "redis+sentinel://u:secret@h",
            "redis+sentinel://u:secret@a,/main",
            "redis+cluster://u:secret@h/3",
            "redis+ring://u:secret@h",
        ] {
            let refused = url.parse::<RedisOptions>().unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn users_and_passwords_are_percent_decoded() {
        let login = |url: &str| options(url).login;
        let acl = login("redis://key%2Fhaven:p%40ss+%26=%25@h/3");
        assert_eq!(acl.username(), Some("key/haven"));
        assert_eq!(acl.password(), Some("p@ss+&=%"));
        assert_eq!(acl.db(), 3);
        let only = login("redis://:word@h");
        assert_eq!((only.username(), only.password()), (None, Some("word")));
        let nobody = login("redis://h");
        assert_eq!((nobody.username(), nobody.password()), (None, None));
        let sentinel = options("redis+sentinel://h/main/4?sentinel_username=a%20b&sentinel_password=c");
        assert_eq!(sentinel.login.db(), 4);
        let login = SentinelLogin {
            username: Some("a b".into()),
            password: Some("c".into()),
        };
        let master = "main".into();
        assert_eq!(sentinel.kind, Kind::Sentinel { master, login });
    }

    #[test]
    fn what_travels_unencrypted_is_known() {
        for (url, private) in [
            ("redis://localhost", true),
            ("redis://127.0.0.1,", false),
            ("redis://[::1]", true),
            ("redis://192.0.2.1", false),
            ("redis+cluster://127.0.0.1,192.0.2.1", false),
            ("rediss://192.0.2.1", true),
        ] {
            match url.parse::<RedisOptions>() {
                Ok(options) => assert_eq!(options.is_private(), private, "{url}"),
                Err(_) => assert!(!private),
            }
        }
    }
}
