//! The command line over the API: the real binary, as a person or a script calls it, against a node or a stand-in for one.

mod data;
mod follow;
mod help;
mod local;
mod manifest;
mod releases;
mod safety;
mod story;
mod watch;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::TestApp;
use crate::support::client::{PASSWORD, USERNAME};
use crate::support::process::{Ended, Scratch, finish, picloud};

/// A person at a terminal of their own, with a home of their own.
pub(crate) struct Person {
    pub(crate) scratch: Scratch,
    /// What is set in their environment.
    pub(crate) environment: Vec<(String, String)>,
}

impl Person {
    pub(crate) fn new(environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { scratch: Scratch::new(), environment }
    }

    /// Somebody who logged in as the owner.
    pub(crate) async fn logged_in(app: &TestApp) -> Self {
        let person = Self::new(&[]);
        let login = ["login", "--url", &app.admin, "--username", USERNAME, "--password-stdin"];
        done(&person.fed(&login, &format!("{PASSWORD}\n")).await);
        person
    }

    /// The same with one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = picloud(&self.scratch, args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end. The node is served by this very thread, so it must not wait for it.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args)).await
    }

    /// The same, with something on standard input.
    pub(crate) async fn fed(&self, args: &[&str], input: &str) -> Ended {
        let path = self.write("input", input);
        let mut command = self.command(args);
        command.stdin(Stdio::from(std::fs::File::open(path).expect("a file")));
        ended(command).await
    }

    /// A file in the directory where the commands run.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.scratch.path().join(".config/picloud/credentials.json")
    }
}

pub(crate) async fn ended(command: Command) -> Ended {
    tokio::task::spawn_blocking(move || finish(command)).await.expect("it ends")
}

/// What a command that must succeed printed.
#[track_caller]
pub(crate) fn done(ended: &Ended) -> &str {
    assert!(ended.status.success(), "{ended:?}");
    &ended.stdout
}

/// The one JSON document that it printed.
#[track_caller]
pub(crate) fn json(ended: &Ended) -> Value {
    let text = done(ended);
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a command that must fail said, with its exit code.
#[track_caller]
pub(crate) fn refused(ended: &Ended, code: i32) -> &str {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    &ended.stderr
}

/// The words of each line, with `[id]` and `[age]` for what is another at every run.
pub(crate) fn told(text: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().map(|word| if is_id(word) { "[id]" } else { word }).collect();
        let mut kept: Vec<&str> = Vec::new();
        for word in words {
            let is_count = |word: Option<&&str>| word.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
            match word {
                "ago" if matches!(kept.last(), Some(&("s" | "min"))) && is_count(kept.iter().rev().nth(1)) => {
                    kept.truncate(kept.len() - 2);
                    kept.push("[age]");
                }
                "now" => kept.push("[age]"),
                word => kept.push(word),
            }
        }
        kept.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn is_id(word: &str) -> bool {
    word.trim_end_matches([')', '.']).len() == 36 && word.matches('-').count() == 4
}

#[test]
fn what_changes_from_run_to_run_is_left_out() {
    let text = "a  01990a6e-7777-7a10-8f3c-5e2d1c0b9a88  12 s ago\nnow  b s ago\n";
    assert_eq!(told(text), "a [id] [age]\n[age] b s ago");
}
