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
  7    the node is not reachable
  8    not logged in, or not allowed
  9    what was named is not there
  10   refused: what was sent is invalid or too large
  11   in conflict with what is there
  12   busy, or over a limit: later, or after something was deleted
  13   there are changes (picloud plan --exit-code)
  14   a script failed (picloud run), or a test did (picloud test)
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
    Unreachable = 7,
    Denied = 8,
    NotFound = 9,
    Refused = 10,
    Conflict = 11,
    Busy = 12,
    Differs = 13,
    ScriptFailed = 14,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    line: String,
    told: Told,
}

/// What is said beside the line, or in its place.
#[derive(Debug)]
enum Told {
    Line,
    Hint(String),
    /// Places of a source, quoted: shown as they are.
    Quote(String),
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(super) fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, line: line.into(), told: Told::Line }
    }

    /// With what to do about it, on a line of its own.
    pub(super) fn hinting(self, hint: impl Into<String>) -> Self {
        Self { told: Told::Hint(hint.into()), ..self }
    }

    /// By a text of several lines that is shown as it is.
    pub(super) fn quoting(exit: Exit, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { exit, line: text.lines().next().unwrap_or_default().to_owned(), told: Told::Quote(text) }
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
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

    /// Says it on standard error: in one line, a hint on a second one.
    pub(super) fn report(&self) -> ExitCode {
        eprint!("{}", self.told());
        ExitCode::from(self.exit as u8)
    }

    /// What is said.
    pub(super) fn told(&self) -> String {
        let one = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = format!("picloud: {}\n", one(&self.line));
        match &self.told {
            Told::Line => line,
            Told::Hint(hint) => format!("{line}  hint: {}\n", one(hint)),
            Told::Quote(text) => text.clone(),
        }
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
        let of_nodes = [Exit::Other, Exit::Usage, Exit::DataDirectory, Exit::Database, Exit::Address, Exit::Sandbox];
        let of_clients =
            [Exit::Unreachable, Exit::Denied, Exit::NotFound, Exit::Refused, Exit::Conflict, Exit::Busy, Exit::Differs];
        for exit in of_nodes.into_iter().chain(of_clients).chain([Exit::ScriptFailed]) {
            assert!(EXIT_CODES.contains(&format!("\n  {:<5}", exit as u8)), "{exit:?}");
        }
    }

    #[test]
    fn a_failure_is_one_line_and_a_hint_another() {
        let failure = Failure::new(Exit::NotFound, "no\n  such app");
        assert_eq!(failure.told(), "picloud: no such app\n");
        assert_eq!(failure.hinting("look\nthere").told(), "picloud: no such app\n  hint: look there\n");
        let quote = "error: a:1:1: no\n  1 | x\n    | ^\n";
        assert_eq!(Failure::quoting(Exit::Refused, quote).told(), quote);
    }
}
