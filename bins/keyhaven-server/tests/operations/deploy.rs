//! The files under `docs/deploy` can be read, and say nothing that Keyhaven does not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyhaven_testkit::process::TempDir;
use serde_json::Value;

use crate::process::{keyhaven, succeeds};

/// Where ceremonies are, in the secret that is made by hand.
const CHALLENGES: &str = "rediss://keyhaven:x@redis.stores.svc:6379";

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/deploy")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}

fn yaml(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap()
}

const KEY_FILE: &str = "KEYHAVEN_SECRET_KEY_FILE";

/// A key, in place of the one that is not on this machine.
fn key_in(directory: &TempDir) -> String {
    let path = directory.path().join("keyhaven.key");
    std::fs::write(&path, [7; 32]).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What `config check` says to these variables: a name that is not known, or a value that makes no sense, is refused.
fn checked(settings: &BTreeMap<String, String>) -> String {
    let directory = TempDir::new("deploy");
    let named = settings.iter().filter(|(name, _)| *name != KEY_FILE);
    let mut settings: Vec<_> = named
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    assert!(settings.len() > 5);
    settings.push((KEY_FILE, key_in(&directory)));
    let output = keyhaven(directory.path(), &settings)
        .args(["config", "check"])
        .output()
        .unwrap();
    succeeds(&output)
}

fn variables(map: &Value) -> BTreeMap<String, String> {
    let map = map.as_object().unwrap().iter();
    map.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn compose_is_yaml_and_its_settings_are_known() {
    let compose = &yaml("compose.yaml")[0];
    let services = compose["services"].as_object().unwrap();
    for name in ["migrate", "keyhaven-1", "keyhaven-2"] {
        let service = &services[name];
        let mut settings = variables(&service["environment"]);
        for value in settings.values_mut() {
            // What whoever deploys it fills in.
            *value = value
                .replace("${KEYHAVEN_RP:?the domain passkeys belong to}", "example.org")
                .replace("${KEYHAVEN_SITE:?the host name of the page}", "login.example.org")
                .replace("${POSTGRES_PASSWORD:?a password for PostgreSQL}", "x")
                .replace("${REDIS_PASSWORD:?a password for Redis}", "x");
            assert!(!value.contains("${"), "{value}");
        }
        assert!(settings.contains_key(KEY_FILE));
        let said = checked(&settings);
        assert!(
            said.contains("login.example.org") && said.contains("postgres:5432"),
            "{said}"
        );
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"][0], "ALL");
    }
    assert_eq!(services["migrate"]["command"][0], "migrate");
    // A default would be a secret that everybody knows.
    for line in text("compose.yaml")
        .lines()
        .filter(|line| line.contains("PASSWORD:"))
    {
        assert!(line.contains(":?"), "{line}");
    }
}

#[test]
fn kubernetes_manifests_are_yaml_and_their_settings_are_known() {
    let manifests = yaml("kubernetes/keyhaven.yaml");
    let of_kind = |kind: &str| {
        manifests
            .iter()
            .find(|manifest| manifest["kind"] == kind)
            .unwrap()
    };
    let mut settings = variables(&of_kind("ConfigMap")["data"]);
    // The authorities of PostgreSQL are read when it is connected to, the key when it is served: neither is here.
    settings.insert("KEYHAVEN_CHALLENGES_URL".into(), CHALLENGES.into());
    assert!(settings.contains_key(KEY_FILE));
    checked(&settings);
    assert!(manifests.iter().all(|manifest| manifest["kind"] != "Secret"));
    for kind in [
        "Service",
        "ServiceAccount",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    ] {
        assert_eq!(of_kind(kind)["metadata"]["namespace"], "keyhaven");
    }
    for kind in ["Deployment", "Job"] {
        let pod = &of_kind(kind)["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{kind}");
        let container = &pod["containers"][0];
        assert_eq!(
            container["securityContext"]["readOnlyRootFilesystem"], true,
            "{kind}"
        );
        assert_eq!(
            container["securityContext"]["allowPrivilegeEscalation"], false,
            "{kind}"
        );
    }
    let pod = &of_kind("Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/health");
    let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let seconds = |name: &str| settings[name].parse::<u64>().unwrap();
    assert!(patience > seconds("KEYHAVEN_STOP__NOTICE_SECONDS") + seconds("KEYHAVEN_STOP__DRAIN_SECONDS"));
}

#[test]
fn the_unit_is_one_and_its_configuration_is_known() {
    let unit = text("keyhaven.service");
    let directory = TempDir::new("unit");
    // Where the program is not installed it is a fault of the machine, not of the file.
    let here = unit.replace("/usr/local/bin/keyhaven", env!("CARGO_BIN_EXE_keyhaven"));
    let path = directory.path().join("keyhaven.service");
    std::fs::write(&path, &here).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&path).output() {
        Err(error) => println!("systemd-analyze: {error}: the unit is not verified on this machine"),
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr);
            let ours: Vec<_> = said.lines().filter(|line| line.contains("keyhaven")).collect();
            assert!(ours.is_empty(), "{said}");
        }
    }
    let output = keyhaven(directory.path(), &[])
        .args(["config", "check", "--config"])
        .arg(deploy("keyhaven.toml"))
        .output()
        .unwrap();
    assert!(succeeds(&output).contains("https://login.example.org"));
    for line in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        let (name, _) = line.split_once('=').unwrap();
        assert!(
            ["KEYHAVEN_CONFIG", "KEYHAVEN_SECRET_KEY_FILE"].contains(&name),
            "{name}"
        );
    }
}

#[test]
fn alerts_are_about_metrics_that_there_are() {
    let described = std::fs::read_to_string(deploy("../operations.md")).unwrap();
    let rules = &yaml("alerts.yaml")[0]["groups"][0]["rules"];
    let rules = rules.as_array().unwrap();
    assert!(rules.len() > 5);
    for rule in rules {
        let expression = rule["expr"].as_str().unwrap();
        let names = expression
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("keyhaven_") || word.starts_with("process_"));
        let mut count = 0;
        for name in names {
            count += 1;
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(described.contains(&format!("| `{name}")), "{name}");
        }
        assert!(count > 0, "{expression}");
    }
}
