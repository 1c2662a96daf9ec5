//! What a login is made of, each part alone and without Keyhaven's code. Each runs in a process of its own, so that
//! what it costs can be read off.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::{echo, statements};

/// Connections of the bare clients: as many as the server opens.
pub(crate) const CONNECTIONS: usize = 16;

/// About what a ceremony takes, in bytes.
const PAYLOAD: usize = 300;

/// Work under way at once.
pub(crate) const CONCURRENCY: usize = 32;

/// One part, as a process.
#[derive(clap::Subcommand)]
pub(crate) enum Part {
    /// Answer every request with the same bytes, and a finish after one raw verification.
    Echo {
        /// The body of the answer to a start.
        #[arg(long)]
        start: PathBuf,
        /// The body of the answer to a finish.
        #[arg(long)]
        finish: PathBuf,
    },
    /// Keep and take what a login keeps between start and finish.
    Redis {
        #[arg(long)]
        url: String,
    },
    /// Run the statements of a login.
    Sql {
        #[arg(long)]
        url: String,
        #[arg(long)]
        people: u64,
        /// With the one that a name needs.
        #[arg(long)]
        name: bool,
    },
}

impl Part {
    pub(crate) async fn run(&self) -> anyhow::Result<bool> {
        match self {
            Self::Echo { start, finish } => echo::serve(start, finish).await?,
            Self::Redis { url } => {
                let client = redis::Client::open(url.as_str())?;
                let connection = client.get_multiplexed_async_connection().await?;
                obey(async |n| ceremony(connection.clone(), n).await).await?;
            }
            Self::Sql { url, people, name } => {
                let logins = Arc::new(statements::Logins::connect(url, *people, *name).await?);
                obey(async |n| logins.one(n).await).await?;
            }
        }
        Ok(true)
    }
}

/// One ceremony in Redis: kept with an end, and taken once.
pub(crate) async fn ceremony(
    mut connection: redis::aio::MultiplexedConnection,
    n: u64,
) -> anyhow::Result<()> {
    let key = format!("bare:{n:020}:{:016x}", statements::random());
    let payload = [b'x'; PAYLOAD];
    let mut set = redis::cmd("SET");
    set.arg(&key).arg(&payload[..]).arg("PX").arg(300_000);
    let () = set.query_async(&mut connection).await?;
    let taken: Option<Vec<u8>> = redis::cmd("GETDEL")
        .arg(&key)
        .query_async(&mut connection)
        .await?;
    ensure!(taken.is_some_and(|taken| taken.len() == PAYLOAD), "it was there");
    Ok(())
}

/// Says `ready`; for each line `MILLISECONDS` works that long, and says how often; ends when its input does.
async fn obey(work: impl AsyncFn(u64) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let next = AtomicU64::new(0);
    for _ in 0..64 {
        work(next.fetch_add(1, Ordering::Relaxed)).await?;
    }
    println!("ready");
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next().transpose()? {
        let time = Duration::from_millis(line.trim().parse()?);
        let before = next.load(Ordering::Relaxed);
        let began = Instant::now();
        let worker = async || {
            while began.elapsed() < time {
                work(next.fetch_add(1, Ordering::Relaxed)).await?;
            }
            anyhow::Ok(())
        };
        let workers: Vec<_> = (0..CONCURRENCY).map(|_| worker()).collect();
        futures_util::future::try_join_all(workers).await?;
        println!("{}", next.load(Ordering::Relaxed).saturating_sub(before));
    }
    Ok(())
}

/// A part that runs, seen from outside. Ends with this.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub(crate) greeting: String,
}

impl Running {
    /// Starts a part, and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("part")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut running = Self {
            child,
            input,
            output,
            greeting: String::new(),
        };
        running.greeting = running.line()?;
        Ok(running)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Has it work, and tells how often it did.
    pub(crate) fn work(&mut self, time: Duration) -> anyhow::Result<u64> {
        let input = self.input.as_mut().context("its input")?;
        writeln!(input, "{}", time.as_millis())?;
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("a part has ended");
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
