//! Users with no more rights than needed, and TLS.

use std::process::Command;

use keyhaven_storage::CeremonyStore;
use keyhaven_testkit::redis::{Redis, cluster};

use crate::{open, works};

/// As `docs/configuration.md` has it.
const RIGHTS: &str = "~keyhaven:* resetchannels -@all +evalsha +eval +info +time +getdel +set +mget +zadd +zrem +zrange +zcount +pttl +pexpire";

/// What a Cluster's nodes are asked for besides.
const CLUSTER_RIGHTS: &str = "+cluster|slots";

#[test]
fn the_documented_rights_are_those_tested() {
    let documented = include_str!("../../../../docs/configuration.md");
    assert!(documented.contains(RIGHTS), "{RIGHTS}");
    assert!(documented.contains(CLUSTER_RIGHTS), "{CLUSTER_RIGHTS}");
}

fn add_user(redis: &Redis, rights: &str) {
    let mut words = vec!["ACL", "SETUSER", "keyhaven", "on", ">p@ss/word,"];
    words.extend(rights.split(' '));
    let answer = redis.command(&words);
    assert!(answer.starts_with("+OK"), "{answer}");
    let _ = redis.command(&["ACL", "SETUSER", "default", "off"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rights_is_enough() {
    let redis = Redis::start().unwrap();
    add_user(&redis, RIGHTS);
    let port = redis.port();
    let store = open(&format!("redis://keyhaven:p%40ss%2Fword,@127.0.0.1:{port}"));
    works(&store).await;
    for user in ["", "keyhaven:secret@", "other:p%40ss%2Fword,@"] {
        let refused = open(&format!("redis://{user}127.0.0.1:{port}"))
            .ping()
            .await
            .unwrap_err();
        assert_eq!(refused.reason, "refused", "{refused:?}");
        let said = format!("{refused:?} {refused} {}", refused.source);
        assert!(!said.contains("secret") && !said.contains("ss/word"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rights_is_enough_on_a_cluster() {
    let servers = cluster().unwrap();
    for node in &servers.nodes {
        add_user(node, &format!("{RIGHTS} {CLUSTER_RIGHTS}"));
    }
    let url = servers.url().replace("://", "://keyhaven:p%40ss%2Fword,@");
    works(&open(&url)).await;
}

fn openssl(directory: &std::path::Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_proves_who_answers_and_who_asks() {
    let directory = keyhaven_testkit::process::TempDir::new("redis-tls");
    let path = directory.path();
    std::fs::write(path.join("san"), "subjectAltName=DNS:localhost\n").unwrap();
    let ca = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout";
    openssl(path, &format!("{ca} ca.key -out ca.pem"));
    openssl(path, &format!("{ca} other.key -out other.pem"));
    for who in ["server", "client"] {
        let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj";
        openssl(
            path,
            &format!("{request} /CN={who} -keyout {who}.key -out {who}.csr"),
        );
        openssl(
            path,
            &format!("x509 -req -in {who}.csr -CA ca.pem -CAkey ca.key -days 2 -extfile san -out {who}.pem"),
        );
    }
    let file = |name: &str| path.join(name).display().to_string();
    let port = keyhaven_testkit::process::free_port().to_string();
    // The plain port is there for the tests to see that the server is up.
    let redis = Redis::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ])
    .unwrap();
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let client = format!("ssl_certfile={certificate}&ssl_keyfile={key}");
    works(&open(&format!(
        "rediss://localhost:{port}?ssl_ca_certs={ca}&{client}"
    )))
    .await;
    for refused in [
        // Another name, another authority, none, and no certificate of one's own.
        format!("rediss://127.0.0.1:{port}?ssl_ca_certs={ca}&{client}"),
        format!(
            "rediss://localhost:{port}?ssl_ca_certs={}&{client}",
            file("other.pem")
        ),
        format!("rediss://localhost:{port}?{client}"),
        format!("rediss://localhost:{port}?ssl_ca_certs={ca}"),
        format!("redis://localhost:{port}"),
    ] {
        open(&refused).ping().await.unwrap_err();
    }
    drop(redis);
}
