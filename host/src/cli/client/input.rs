//! What a command reads: data from a file or standard input, words that nobody sees, a yes.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::value::RawValue;

use super::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::limits;

/// What `DATA` on a command line stands for: itself, the content of `@FILE`, or standard input for `-`.
pub(in crate::cli) fn data(asked: &str) -> Result<Vec<u8>> {
    match asked.strip_prefix('@') {
        _ if asked == "-" => stdin(),
        Some(path) => file(Path::new(path)),
        None => Ok(asked.as_bytes().to_vec()),
    }
}

/// The same, of which something is to be made as JSON, digit for digit.
pub(super) fn json(asked: &str) -> Result<Box<RawValue>> {
    let wrong =
        |why: String| Failure::new(Exit::Usage, format!("the data is no JSON: {why} (a text is written '\"like this\"')"));
    let text = String::from_utf8(data(asked)?).map_err(|_| wrong("it is no UTF-8".to_owned()))?;
    RawValue::from_string(text.trim().to_owned()).map_err(|error| wrong(error.to_string()))
}

/// A source, as text.
pub(super) fn source(path: &Path) -> Result<String> {
    let bytes = if path == Path::new("-") { stdin()? } else { file(path)? };
    let text = String::from_utf8(bytes);
    text.map_err(|_| Failure::new(Exit::Usage, format!("{} is no UTF-8", cell(&path.to_string_lossy()))))
}

/// All of standard input.
pub(super) fn stdin() -> Result<Vec<u8>> {
    whole(io::stdin().lock(), "standard input")
}

fn file(path: &Path) -> Result<Vec<u8>> {
    let name = cell(&path.to_string_lossy());
    let file = File::open(path).map_err(|e| Failure::new(Exit::Usage, format!("{name} cannot be read: {e}")))?;
    whole(file, &name)
}

fn whole(from: impl Read, name: &str) -> Result<Vec<u8>> {
    let most = limits::CLIENT_INPUT_BYTES_MAX;
    let mut bytes = Vec::new();
    let read = from.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Failure::new(Exit::Usage, format!("{name} cannot be read: {e}")))?;
    if bytes.len() > most {
        return Err(Failure::new(Exit::Usage, format!("{name} holds more than {most} bytes")));
    }
    Ok(bytes)
}

/// The first line of standard input, without its end.
pub(in crate::cli) fn line() -> Result<String> {
    let mut line = String::new();
    let mut from = io::stdin().lock().take(limits::CLIENT_INPUT_BYTES_MAX as u64);
    from.read_line(&mut line).map_err(|e| Failure::new(Exit::Usage, format!("standard input cannot be read: {e}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether a person could be asked something.
pub(in crate::cli) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person for a line.
pub(super) fn ask_line(what: &str) -> Result<String> {
    show(&format!("{what}: "));
    line()
}

/// The same, and nobody sees what is typed. Ctrl-C ends the process with the terminal as it was.
pub(in crate::cli) async fn ask_unseen(what: &str) -> Result<String> {
    let failed = |e: io::Error| Failure::new(Exit::Other, format!("the terminal cannot be used: {e}"));
    let before = tcgetattr(io::stdin()).map_err(|e| failed(e.into()))?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    unseen.local_modes.insert(LocalModes::ECHONL);
    show(&format!("{what}: "));
    tcsetattr(io::stdin(), OptionalActions::Flush, &unseen).map_err(|e| failed(e.into()))?;
    let typed = tokio::select! {
        typed = tokio::task::spawn_blocking(line) => typed.unwrap_or_else(|e| Err(failed(io::Error::other(e)))),
        _ = tokio::signal::ctrl_c() => {
            show("\n");
            Err(Failure::new(Exit::Other, "stopped"))
        }
    };
    tcsetattr(io::stdin(), OptionalActions::Now, &before).map_err(|e| failed(e.into()))?;
    typed
}

/// Goes on only if a person says yes, or `--yes` was given.
pub(in crate::cli) fn confirm(what: &str, is_sure: Sure) -> Result<()> {
    if is_sure == Sure::Said {
        return Ok(());
    }
    if !somebody_is_there() {
        return Err(Failure::new(Exit::Usage, format!("{what}: nobody is there to be asked; add --yes")));
    }
    show(&format!("{what}? [y/N] "));
    let answer = line()?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Exit::Other, "nothing was done"))
}

/// Whether `--yes` was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Sure {
    Said,
    Unsaid,
}

impl From<bool> for Sure {
    fn from(yes: bool) -> Self {
        if yes { Self::Said } else { Self::Unsaid }
    }
}

fn show(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_itself_or_the_content_of_a_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.json");
        std::fs::write(&path, "{\"n\": 10000000000000000000001}\n").unwrap();
        assert_eq!(data("{}").unwrap(), b"{}");
        let asked = format!("@{}", path.display());
        assert_eq!(data(&asked).unwrap(), b"{\"n\": 10000000000000000000001}\n");
        assert_eq!(json(&asked).unwrap().get(), "{\"n\": 10000000000000000000001}");
        assert!(json("hello").unwrap_err().into_line().contains("no JSON"));
        assert!(data("@/nowhere/at/all").unwrap_err().into_line().contains("/nowhere/at/all"));
    }

    #[test]
    fn what_is_read_is_bounded() {
        let most = limits::CLIENT_INPUT_BYTES_MAX;
        assert_eq!(whole(io::repeat(b'a').take(most as u64), "it").unwrap().len(), most);
        assert!(whole(io::repeat(b'a').take(most as u64 + 1), "it").unwrap_err().into_line().contains("more than"));
    }
}
