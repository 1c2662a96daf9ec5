//! What Redis does in one step. Each script is sent by its hash, and in full where Redis does not have it (any more).

use std::sync::LazyLock;

/// A script, and its SHA-1, by which Redis knows it.
pub(crate) struct Script {
    pub(crate) source: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(crate) static $name: Script = Script {
            source: include_str!($file),
            hash: LazyLock::new(|| {
                redis::Script::new(include_str!($file))
                    .get_hash()
                    .to_owned()
            }),
        };
    };
}

script!(LIMITS, "scripts/limits.lua");
script!(PURGE, "scripts/purge.lua");
script!(PUT, "scripts/put.lua");
script!(TAKE, "scripts/take.lua");
