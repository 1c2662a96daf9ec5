//! The gates, in order. One that fails does not keep the later ones from being run.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::assurance;
use crate::fuzz;
use crate::load;
use crate::summary::{Count, failures, libtest, nextest};
use crate::tools::{self, CARGO_DENY, CARGO_NEXTEST, SQLX_CLI};
use crate::tree;

/// Every gate and every test. `false`: something failed.
pub(crate) fn test(install: bool) -> anyhow::Result<bool> {
    let mut total = Count::default();
    let mut failed = Vec::new();
    let mut gate = |name: &'static str, run: &mut dyn FnMut() -> anyhow::Result<Count>| {
        println!("\n── {name}");
        let started = Instant::now();
        let count = run().unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Count::FAILED
        });
        println!(
            "── {name}: {} passed, {} failed in {} s",
            count.passed,
            count.failed,
            started.elapsed().as_secs()
        );
        if count.failed > 0 {
            failed.push(name);
        }
        total += count;
    };

    let mut chromium = None;
    gate("chromium", &mut || {
        let found = tools::chromium(install)?;
        println!("{}", found.display());
        chromium = Some(found);
        Ok(Count::PASSED)
    });
    let mut postgres = None;
    gate("postgresql", &mut || {
        postgres = Some(tools::postgres(install)?);
        Ok(Count::PASSED)
    });
    let mut redis = None;
    gate("redis", &mut || {
        redis = Some(tools::redis(install)?);
        Ok(Count::PASSED)
    });
    gate("libfaketime", &mut || {
        tools::faketime(install)?;
        Ok(Count::PASSED)
    });
    gate("mail server", &mut || {
        tools::smtp(install)?;
        Ok(Count::PASSED)
    });
    gate("c++ compiler", &mut || {
        tools::cxx(install)?;
        Ok(Count::PASSED)
    });
    gate("format", &mut || {
        passes(&mut cargo(&["fmt", "--all", "--check"])?)
    });
    gate("clippy", &mut || {
        passes(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ])?)
    });
    gate("cargo deny", &mut || {
        let mut deny = tools::command(tools::cargo_tool(&CARGO_DENY)?)?;
        passes(deny.args(["--all-features", "check", "bans", "licenses", "sources"]))
    });
    gate("crates of the verifier", &mut || Ok(Count::one(tree::check()?)));
    gate("docs", &mut || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--all-features", "--locked"])?;
        passes(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    let nextest_of = |build: &[&str]| -> anyhow::Result<Command> {
        let mut run = tools::command(tools::cargo_tool(&CARGO_NEXTEST)?)?;
        run.args(["nextest", "run", "--locked"]).args(build);
        run.args(["--no-fail-fast", "--color", "never", "--show-progress", "none"]);
        run.args(["--failure-output", "final"]);
        Ok(run)
    };
    let why = RefCell::new(String::new());
    let counted = |run: &mut Command| -> anyhow::Result<Count> {
        let (succeeded, output) = shown(run)?;
        why.borrow_mut().push_str(failures(&output));
        Ok(nextest(&output).of_run(succeeded))
    };
    let nextest_run = |arguments: &[&str], environment: &[(&str, &str)]| -> anyhow::Result<Count> {
        let mut run = nextest_of(&["--workspace", "--all-features"])?;
        run.args(arguments).envs(environment.iter().copied());
        if let Some(postgres) = &postgres {
            run.env(keyhaven_testkit::postgres::SHARED_URL, postgres.root_url());
        }
        if let Some(redis) = &redis {
            run.env(keyhaven_testkit::redis::SHARED_URL, redis.url());
        }
        if let Some(chromium) = &chromium {
            run.env("KEYHAVEN_CHROMIUM", chromium);
        }
        counted(&mut run)
    };
    let browser = chromium.is_some();
    gate("tests", &mut || {
        if browser {
            return nextest_run(&[], &[]);
        }
        // Counted already, once, as what it is: a missing browser.
        println!("no Chromium: the browser tests are left out");
        nextest_run(&["--filterset", "not binary(browser)"], &[])
    });
    for (name, store) in [("API on SQLite", "sqlite"), ("API on PostgreSQL", "postgres")] {
        gate(name, &mut || {
            nextest_run(
                &["--filterset", "package(keyhaven-api) and binary(api)"],
                &[("KEYHAVEN_TEST_STORES", store)],
            )
        });
    }
    if browser {
        gate(
            "browser tests on PostgreSQL, Redis and two processes",
            &mut || {
                // How the page looks does not depend on the stores.
                let filter = "package(keyhaven-server) and binary(browser) and not test(/^looks::/)";
                nextest_run(
                    &["--filterset", filter],
                    &[("KEYHAVEN_TEST_STORES", "postgres,redis")],
                )
            },
        );
    }
    for (name, build) in [
        ("verifier without ring", tree::WITHOUT_RING),
        ("verifier with default features", tree::DEFAULT_FEATURES),
    ] {
        gate(name, &mut || {
            counted(nextest_of(&["--package", "keyhaven-core"])?.args(build))
        });
    }
    gate("documentation tests", &mut || {
        let (succeeded, output) = shown(&mut cargo(&[
            "test",
            "--doc",
            "--workspace",
            "--all-features",
            "--locked",
            "--no-fail-fast",
        ])?)?;
        Ok(libtest(&output).of_run(succeeded))
    });

    gate("load, for a moment", &mut || Ok(Count::one(load::smoke()?)));
    gate("fuzzing, for a moment", &mut fuzz::smoke);
    gate("assurance", &mut || Ok(Count::one(assurance::check()?)));

    if !failed.is_empty() {
        // Once more, for whoever begins to read at the end.
        println!("\n{}", why.into_inner());
        println!("failed: {}", failed.join(", "));
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

/// The RustSec database, which is fetched.
pub(crate) fn advisories() -> anyhow::Result<bool> {
    let mut deny = tools::command(tools::cargo_tool(&CARGO_DENY)?)?;
    Ok(deny
        .args(["--all-features", "check", "advisories"])
        .status()?
        .success())
}

/// Writes the committed API description.
pub(crate) fn openapi() -> anyhow::Result<bool> {
    let root = tools::root()?;
    let output = cargo(&["run", "--quiet", "--package", "keyhaven-server", "--", "openapi"])?.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::write(root.join("docs/openapi.json"), output.stdout)?;
    Ok(true)
}

/// Writes the committed query metadata: migrations are applied to a throwaway database, which the queries are then
/// checked against.
pub(crate) fn sqlx_prepare() -> anyhow::Result<bool> {
    Ok(prepare_sqlite()? && prepare_postgres()?)
}

/// Each query macro writes its metadata when it is compiled against a database.
fn prepare_postgres() -> anyhow::Result<bool> {
    let server = tools::postgres(tools::may_install())?;
    let url = server.url("postgres");
    let root = tools::root()?;
    let mut migrations: Vec<_> = std::fs::read_dir(root.join("migrations/postgres"))?
        .map(|file| Ok(file?.path()))
        .collect::<std::io::Result<_>>()?;
    migrations.sort();
    for migration in &migrations {
        server
            .run_file("postgres", migration)
            .map_err(anyhow::Error::msg)?;
    }
    let crate_directory = root.join("crates/keyhaven-storage-postgres");
    let metadata = crate_directory.join(".sqlx");
    let fresh = tools::target()?.join("sqlx-prepare-postgres");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh)?;
    // The macros are expanded anew only where the crate is compiled anew.
    if !cargo(&["clean", "--quiet", "--package", "keyhaven-storage-postgres"])?
        .status()?
        .success()
    {
        return Ok(false);
    }
    let checked = cargo(&["check", "--package", "keyhaven-storage-postgres"])?
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &fresh)
        .env("KEYHAVEN_POSTGRES_BUILD_URL", &url)
        .status()?;
    if !checked.success() {
        return Ok(false);
    }
    let _ = std::fs::remove_dir_all(&metadata);
    std::fs::create_dir_all(&metadata)?;
    for file in std::fs::read_dir(&fresh)? {
        let file = file?;
        std::fs::copy(file.path(), metadata.join(file.file_name()))?;
    }
    Ok(true)
}

fn prepare_sqlite() -> anyhow::Result<bool> {
    let root = tools::root()?;
    let sqlx = tools::cargo_tool(&SQLX_CLI)?;
    let database = tools::target()?.join("sqlx-prepare.db");
    let url = format!("sqlite:{}", database.display());
    let _ = std::fs::remove_file(&database);
    let crate_directory = root.join("crates/keyhaven-storage-sqlite");
    let mut succeeded = true;
    for arguments in [
        &["sqlx", "database", "create"][..],
        &["sqlx", "migrate", "run", "--source", "../../migrations/sqlite"],
        &["sqlx", "prepare"],
    ] {
        let mut command = tools::command(&sqlx)?;
        command
            .args(arguments)
            .args(["--database-url", &url])
            .current_dir(&crate_directory);
        command
            // sqlx asks cargo about the crate, and takes no cargo but the one that names itself here.
            .env("CARGO", "cargo")
            .env("SQLX_OFFLINE", "false")
            .env("KEYHAVEN_SQLITE_BUILD_URL", &url);
        succeeded = succeeded && command.status()?.success();
    }
    std::fs::remove_file(&database).ok();
    Ok(succeeded)
}

pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = tools::command("cargo")?;
    command.args(arguments);
    Ok(command)
}

fn passes(command: &mut Command) -> anyhow::Result<Count> {
    Ok(Count::one(
        command
            .status()
            .with_context(|| format!("{command:?}"))?
            .success(),
    ))
}

/// Runs a command, showing what it prints as it prints it, and keeping it.
pub(crate) fn shown(command: &mut Command) -> anyhow::Result<(bool, String)> {
    // Runners write their summaries to either stream: both go through one pipe.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()?;
    // The command holds the writing ends until it is dropped or given others: else the pipe would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut kept = String::new();
    for line in BufReader::new(reader).lines() {
        let line = line?;
        println!("{line}");
        kept.push_str(&line);
        kept.push('\n');
    }
    Ok((child.wait()?.success(), kept))
}
