//! `keyhaven audit export`.

use std::io::{self, Stdout, Write as _};
use std::process::ExitCode;

use keyhaven_service::{LogWriter, export_log};

use crate::config::{Config, Flags};
use crate::{serve, stores};

pub(super) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    serve::runtime()?.block_on(async {
        let store = stores::read_only(&config).await?;
        export_log(&*store, &mut Output(io::stdout())).await?;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

struct Output(Stdout);

impl LogWriter for Output {
    async fn write(&mut self, part: Vec<u8>) -> io::Result<()> {
        self.0.write_all(&part)?;
        self.0.flush()
    }
}
