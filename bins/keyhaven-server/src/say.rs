//! What commands say. Whoever reads it may have had enough: then the command ends, rather than panic as `println!` does.

use std::fmt;
use std::io::{self, Write as _};

/// Says a line on standard output, as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::on_output(format_args!($($text)*)) };
}

/// Says a line on standard error, as `eprintln!` does.
macro_rules! note {
    ($($text:tt)*) => { $crate::say::on_error(format_args!($($text)*)) };
}

pub(crate) use {note, say};

pub(crate) fn on_output(text: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

pub(crate) fn on_error(text: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}
