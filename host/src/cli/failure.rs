//! How a command fails: one line, and an exit code that a script can tell apart.

use std::process::ExitCode;

use crate::error::{Error, Kind};
use crate::{postgres, vault};

/// The exit codes, as `picloud --help` lists them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    done, or stopped as asked
  1    something else failed
  2    the command line or a setting is wrong
  3    the data directory is not usable (foreign, damaged, in use, not writable), or its master key is the wrong one
  4    the database is not usable (no PostgreSQL, not reachable, does not start)
  5    an address to listen on is not usable (taken, not allowed)
  6    the sandbox cannot be built on this machine
  130  stopped at once by a third signal";

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Other = 1,
    Usage = 2,
    DataDirectory = 3,
    Database = 4,
    Address = 5,
    Sandbox = 6,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    line: String,
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(super) fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, line: line.into() }
    }

    /// From a platform error: its message, and where that says nothing, its causes.
    pub(super) fn of(exit: Exit, doing: &str, error: &Error) -> Self {
        let line = match (&error.source, error.kind) {
            (Some(source), Kind::Internal) if error.code == "internal" => {
                let said = Error::internal("").message;
                if error.message == said {
                    format!("{doing}: {}", chain(&**source))
                } else {
                    format!("{doing}: {}", error.message)
                }
            }
            _ => format!("{doing}: {}", error.message),
        };
        Self::new(exit, line)
    }

    /// The line alone.
    pub(super) fn into_line(self) -> String {
        self.line
    }

    /// Says it on standard error, in one line.
    pub(super) fn report(&self) -> ExitCode {
        let line: Vec<&str> = self.line.split_whitespace().collect();
        eprintln!("picloud: {}", line.join(" "));
        ExitCode::from(self.exit as u8)
    }
}

/// What kind of thing a failure of the services is: a master key that cannot be used is one of its file or of its setting.
pub(super) fn exit_of(error: &Error) -> Exit {
    match error.source.as_ref().and_then(|source| source.downcast_ref()) {
        Some(vault::Error::Setting(_)) => Exit::Usage,
        Some(vault::Error::File(_) | vault::Error::Missing(_)) => Exit::DataDirectory,
        _ => Exit::Other,
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        let exit = match error {
            postgres::Error::Directory(_) => Exit::DataDirectory,
            postgres::Error::Server(_) => Exit::Database,
        };
        Self::new(exit, error.to_string())
    }
}

/// An error and its causes, each once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_error_speaks_for_itself_and_an_internal_one_through_its_cause() {
        let invalid = Failure::of(Exit::Usage, "the first owner", &Error::invalid("password", "too short"));
        assert_eq!((invalid.line.as_str(), invalid.exit), ("the first owner: too short", Exit::Usage));
        let internal = Failure::of(Exit::Other, "starting", &Error::internal(std::io::Error::other("no luck")));
        assert_eq!(internal.line, "starting: no luck");
    }

    #[test]
    fn every_exit_code_is_listed() {
        for exit in [Exit::Other, Exit::Usage, Exit::DataDirectory, Exit::Database, Exit::Address, Exit::Sandbox] {
            assert!(EXIT_CODES.contains(&format!("\n  {}    ", exit as u8)), "{exit:?}");
        }
    }
}
