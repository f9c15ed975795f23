//! What every command says of itself, as it is checked in (`help.txt`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Person, done};
use crate::support::repository;

/// Set to write the file anew.
const WRITE: &str = "PICLOUD_WRITE_HELP";
/// Commands that ask a node over its API, and their own.
const COMMANDS: &[(&str, &[&str])] = &[
    ("login", &[]),
    ("logout", &[]),
    ("whoami", &[]),
    ("apps", &["list", "create", "get", "rename", "delete"]),
    ("scripts", &["list", "get", "activate", "delete", "used-by"]),
    ("check", &[]),
    ("deploy", &[]),
    ("init", &[]),
    ("run", &[]),
    ("test", &[]),
    ("plan", &[]),
    ("apply", &[]),
    ("watch", &[]),
    ("pull", &[]),
    ("rollback", &[]),
    ("deployments", &["list", "get", "diff", "activate"]),
    ("preview", &[]),
    ("split", &["get", "set", "end"]),
    ("invoke", &[]),
    ("logs", &[]),
    ("versions", &["diff"]),
    ("routes", &["list", "add", "delete", "match"]),
    ("domains", &["list", "add", "verify", "delete"]),
    ("triggers", &["list", "add", "enable", "disable", "delete"]),
    ("secrets", &["list", "set", "delete"]),
    ("kv", &["list", "get", "set", "delete"]),
    ("docs", &["list", "get", "create", "update", "patch", "delete"]),
    ("files", &["list", "get", "put", "delete"]),
    ("queues", &["list", "send", "purge"]),
    ("topics", &["list", "publish"]),
    ("dead-letters", &["list", "get", "replay", "resolve", "count"]),
    ("members", &["list", "add", "remove"]),
    ("keys", &["list", "create", "delete"]),
    ("audit", &["list"]),
    ("usage", &[]),
    ("limits", &[]),
    ("nodes", &[]),
    ("grants", &["get", "set"]),
    ("restrictions", &["get", "set"]),
    ("quota", &["get", "set"]),
    ("completions", &[]),
    ("health", &[]),
    ("install", &[]),
    ("uninstall", &[]),
];

fn file() -> PathBuf {
    repository().join("tests/it/cli/help.txt")
}

/// Every command with the words that lead to it.
fn commands() -> Vec<Vec<&'static str>> {
    let one = |(noun, verbs): &(&'static str, &'static [&'static str])| {
        let noun = *noun;
        let of_verbs = verbs.iter().map(move |verb| vec![noun, *verb]);
        // Those of an operator stand beside them in these two.
        let itself = (!matches!(noun, "keys" | "audit")).then(|| vec![noun]);
        itself.into_iter().chain(of_verbs).collect::<Vec<_>>()
    };
    COMMANDS.iter().flat_map(one).collect()
}

#[tokio::test]
async fn the_help_of_every_command_is_as_it_is_checked_in_and_has_an_example() {
    let person = Person::new(&[]);
    let mut text = String::new();
    for command in commands() {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let ended = person.run(&args).await;
        let help = done(&ended);
        assert!(
            ["picloud", "echo", "sudo"].iter().any(|word| help.contains(&format!("Examples:\n  {word} "))),
            "{command:?}: {help}"
        );
        // These ask no node.
        if !matches!(command.first(), Some(&("completions" | "health" | "init" | "install" | "run" | "test" | "uninstall"))) {
            assert!(help.contains("PICLOUD_URL") && help.contains("PICLOUD_TOKEN"), "{command:?}: {help}");
        }
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!("$ picloud {}\n{}\n\n", args.join(" "), help.join("\n")));
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(file(), &text).expect("the file can be written");
    }
    let checked_in = std::fs::read_to_string(file()).expect("the file");
    let differing = text.lines().zip(checked_in.lines()).find(|(is, was)| is != was);
    assert_eq!(differing, None, "{WRITE}=1 writes it anew");
    assert_eq!(text, checked_in, "{WRITE}=1 writes it anew");
}

#[tokio::test]
async fn every_command_is_told_of() {
    let person = Person::new(&[]);
    let help = person.run(&["--help"]).await;
    let help = done(&help);
    for (noun, verbs) in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{noun} "))), "{noun}: {help}");
        if verbs.is_empty() {
            continue;
        }
        let of_noun = person.run(&[noun, "--help"]).await;
        let listed: BTreeSet<&str> = done(&of_noun)
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| !["help", "rotate", "verify"].contains(word) || *noun == "domains")
            .collect();
        let expected: BTreeSet<&str> = verbs.iter().copied().collect();
        assert_eq!(
            listed.difference(&expected).filter(|word| **word != "help").collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "{noun}"
        );
        assert_eq!(expected.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "{noun}");
    }
}

#[tokio::test]
async fn completions_are_printed_for_each_shell() {
    let person = Person::new(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let ended = person.run(&["completions", shell]).await;
        assert!(done(&ended).contains("dead-letters"), "{shell}");
    }
}
