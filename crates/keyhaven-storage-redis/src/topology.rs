//! The three ways in which Redis is run, as one thing that makes connections.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo as _, RedisResult, TlsMode, Value};
use tokio::sync::Mutex;

use crate::options::{Kind, RedisOptions};

/// What connections are made to.
#[derive(Clone)]
pub(crate) enum Topology {
    Cluster(ClusterClient),
    /// Asks the Sentinels for the master, anew for each connection.
    Sentinel(Arc<Mutex<SentinelClient>>, AsyncConnectionConfig),
    Standalone(Client, AsyncConnectionConfig),
}

/// A connection that many calls share. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Connection {
    Cluster(Box<ClusterConnection>),
    One(MultiplexedConnection),
}

/// Calls that wait to be written.
const QUEUE: usize = 1024;

impl Topology {
    /// Nothing is connected yet.
    pub(crate) fn new(options: &RedisOptions) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout))
            .set_pipeline_buffer_size(QUEUE);
        let addresses = options.addresses();
        let infos = addresses.iter().map(|address| {
            let info = address.clone().into_connection_info()?;
            Ok(info.set_redis_settings(options.login.clone()))
        });
        let infos: Vec<_> = infos.collect::<RedisResult<_>>()?;
        Ok(match &options.kind {
            Kind::Cluster => {
                let mut builder = ClusterClientBuilder::new(infos)
                    .connection_timeout(options.connect_timeout)
                    .response_timeout(options.response_timeout)
                    .overall_response_timeout(Some(options.patience()))
                    // The driver would also try again what may have happened.
                    .retries(0);
                if let Some(certificates) = &options.certificates {
                    builder = builder.certs(certificates.clone());
                }
                Self::Cluster(builder.build()?)
            }
            Kind::Sentinel { master, login } => {
                let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                    .set_client_to_redis_db(options.login.db());
                if let Some(username) = options.login.username() {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = options.login.password() {
                    builder = builder.set_client_to_redis_password(password);
                }
                if let Some(username) = &login.username {
                    builder = builder.set_client_to_sentinel_username(username);
                }
                if let Some(password) = &login.password {
                    builder = builder.set_client_to_sentinel_password(password);
                }
                if options.tls {
                    builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
                    if let Some(certificates) = &options.certificates {
                        builder = builder
                            .set_client_to_redis_certificates(certificates.clone())
                            .set_client_to_sentinel_certificates(certificates.clone());
                    }
                }
                Self::Sentinel(Arc::new(Mutex::new(builder.build()?)), config)
            }
            Kind::Standalone => {
                let info = infos
                    .into_iter()
                    .next()
                    .ok_or((redis::ErrorKind::InvalidClientConfig, "no host"))?;
                let client = match &options.certificates {
                    None => Client::open(info)?,
                    Some(certificates) => Client::build_with_tls(info, certificates.clone())?,
                };
                Self::Standalone(client, config)
            }
        })
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        Ok(match self {
            Self::Cluster(client) => Connection::Cluster(Box::new(client.get_async_connection().await?)),
            Self::Sentinel(client, config) => {
                let mut client = client.lock().await;
                Connection::One(client.get_async_connection_with_config(config).await?)
            }
            Self::Standalone(client, config) => Connection::One(
                client
                    .get_multiplexed_async_connection_with_config(config)
                    .await?,
            ),
        })
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Cluster(connection) => command.query_async(connection.as_mut()).await,
            Self::One(connection) => command.query_async(connection).await,
        }
    }
}
