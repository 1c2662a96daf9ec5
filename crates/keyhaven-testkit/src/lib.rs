//! Software authenticator, browser driver and throwaway servers: for tests only.

#[cfg(feature = "authenticator")]
pub mod authenticator;
#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "corpus")]
pub mod corpus;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "process")]
pub mod site;
#[cfg(feature = "tamper")]
pub mod tamper;
#[cfg(feature = "tcp_proxy")]
pub mod tcp_proxy;
