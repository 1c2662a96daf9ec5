//! Whether a server is fit to keep what must not be lost at its convenience.

use std::collections::HashMap;
use std::sync::Arc;

use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Cmd, ErrorKind, RedisResult};

use crate::topology::Connection;

/// Asks for the run of a server.
pub(crate) fn which_run() -> Cmd {
    let mut command = redis::cmd("INFO");
    command.arg("server");
    command
}

/// The run of a server: another one after each start.
pub(crate) fn run_id(info: &str) -> RedisResult<Arc<str>> {
    let id = field(info, "run_id").filter(|id| !id.is_empty());
    let id = id.ok_or((ErrorKind::UnexpectedReturnType, "INFO does not tell run_id"))?;
    Ok(id.into())
}

/// What each master says about itself.
pub(crate) async fn ask(connection: &mut Connection) -> RedisResult<Vec<String>> {
    let mut command = redis::cmd("INFO");
    command.arg("memory").arg("replication");
    match connection {
        Connection::Cluster(cluster) => {
            let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            // By the names of the nodes.
            let reports = cluster.route_command(command, masters).await?;
            let reports: HashMap<String, String> = redis::from_redis_value(reports)?;
            Ok(reports.into_values().collect())
        }
        Connection::One(one) => Ok(vec![command.query_async(one).await?]),
    }
}

/// What keeps a Redis that answers from being used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(
        "Redis may drop pending ceremonies and rate limits when its memory is full: maxmemory-policy is {policy}, and \
         must be noeviction"
    )]
    MayEvict { policy: String },
    #[error("Redis is a replica: it takes no writes")]
    Replica,
}

impl Unfit {
    /// Why, in a word.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::MayEvict { .. } => "may_evict",
            Self::Replica => "read_only",
        }
    }
}

/// Where there are several servers, the first that is unfit counts.
pub(crate) fn judge(reports: &[String]) -> Result<(), Unfit> {
    for report in reports {
        let said = |name| field(report, name).unwrap_or("");
        if said("role") != "master" {
            return Err(Unfit::Replica);
        }
        let policy = said("maxmemory_policy");
        if policy != "noeviction" && said("maxmemory") != "0" {
            return Err(Unfit::MayEvict {
                policy: policy.to_owned(),
            });
        }
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_drop_what_it_holds_is_unfit() {
        let report = |role: &str, maxmemory: &str, policy: &str| {
            format!(
                "# Memory\r\nmaxmemory:{maxmemory}\r\nmaxmemory_human:x\r\nmaxmemory_policy:{policy}\r\n\r\n\
                 # Replication\r\nrole:{role}\r\n"
            )
        };
        let fit = report("master", "1000000", "noeviction");
        let unlimited = report("master", "0", "allkeys-lru");
        judge(&[fit.clone(), unlimited]).unwrap();
        let evicting = report("master", "1000000", "volatile-ttl");
        let refused = judge(&[fit.clone(), evicting]).unwrap_err();
        let policy = "volatile-ttl".to_owned();
        assert_eq!(refused, Unfit::MayEvict { policy });
        let replica = report("slave", "0", "noeviction");
        assert_eq!(judge(&[replica, fit]), Err(Unfit::Replica));
        judge(&["# nothing".to_owned()]).unwrap_err();
    }

    #[test]
    fn a_run_is_named() {
        assert_eq!(&*run_id("# Server\r\nrun_id:00ff\r\nx:1").unwrap(), "00ff");
        assert!(run_id("run_id:\r\n").is_err());
        assert!(run_id("").is_err());
    }
}
