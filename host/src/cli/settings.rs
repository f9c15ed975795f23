//! `picloud config`: what every setting is now, and where it comes from.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _};
use serde::Serialize;

use super::terminal::{print, print_json};
use crate::config::Settings;

#[derive(Debug, Serialize)]
struct Row {
    setting: String,
    variable: Option<String>,
    /// Left out for secrets, and where nothing is set.
    value: Option<String>,
    from: &'static str,
}

/// `matches` are those of the `config` command.
pub(super) fn run(settings: &Settings, matches: Option<&ArgMatches>, json: bool) {
    let rows = rows(settings, matches);
    if json {
        return print_json(&rows);
    }
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (setting, variable) = (width(|row| row.setting.len()), width(|row| row.variable.as_ref().map_or(0, String::len)));
    let mut text = String::new();
    for row in &rows {
        let value = row.value.as_deref().unwrap_or(if row.from == "default" { "(default)" } else { "(set, not shown)" });
        let name = row.variable.as_deref().unwrap_or("");
        text.push_str(&format!("{:setting$}  {name:variable$}  {:11}  {value}\n", row.setting, row.from));
    }
    text.push_str("\nWhat each one does, and its default: picloud help config\n");
    print(&text);
}

fn rows(settings: &Settings, matches: Option<&ArgMatches>) -> Vec<Row> {
    let secret = ["database_url", "admin_password", "secret_key", "smtp_url"];
    let command = Settings::augment_args(clap::Command::new("config"));
    command
        .get_arguments()
        .map(|argument| {
            let id = argument.get_id().as_str();
            let from = match matches.and_then(|matches| matches.value_source(id)) {
                Some(ValueSource::CommandLine) => "flag",
                Some(ValueSource::EnvVariable) => "environment",
                _ if settings.file_of(id).is_some() => "file",
                _ => "default",
            };
            Row {
                setting: format!("--{}", argument.get_long().unwrap_or(id)),
                variable: argument.get_env().map(|name| name.to_string_lossy().into_owned()),
                value: if secret.contains(&id) { None } else { value(settings, id) },
                from,
            }
        })
        .collect()
}

fn value(settings: &Settings, id: &str) -> Option<String> {
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    match id {
        "data_dir" => path(&settings.data_dir),
        "postgres_bin" => path(&settings.postgres_bin),
        "bind" => settings.bind.map(|address| address.to_string()),
        "admin_bind" => Some(settings.admin_bind.to_string()),
        "apps_domain" => Some(settings.apps_domain.clone()),
        "public_base_url" => settings.public_base_url.clone(),
        "ready_file" => path(&settings.ready_file),
        "smtp_from" => settings.smtp_from.clone(),
        "admin_username" => Some(settings.admin_username().to_owned()),
        "max_concurrent_executions" => settings.max_concurrent_executions.map(|n| n.to_string()),
        "worker_threads" => settings.worker_threads.map(|n| n.to_string()),
        "event_interval" => Some(settings.event_interval.to_string()),
        "seccomp" => Some(settings.seccomp.as_str().to_owned()),
        "log" => Some(settings.log.clone()),
        _ => id.strip_suffix("_file").and_then(|of| settings.file_of(of)).map(|path| path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn read(arguments: &[&str]) -> Vec<Row> {
        let command = Settings::augment_args(clap::Command::new("config"));
        let matches = command.get_matches_from(std::iter::once("config").chain(arguments.iter().copied()));
        let settings = Settings::from_arg_matches(&matches).unwrap();
        rows(&settings, Some(&matches))
    }

    #[test]
    fn secrets_are_named_and_not_shown() {
        let rows = read(&[
            "--admin-password",
            "hush-hush-hush",
            "--database-url",
            "postgres://a:hush@b/c",
            "--secret-key",
            "hush",
            "--smtp-url",
            "smtp://a:hush@b",
        ]);
        assert!(!format!("{rows:?}").contains("hush"));
        assert!(rows.iter().any(|row| row.setting == "--admin-password" && row.from == "flag" && row.value.is_none()));
    }

    #[test]
    fn every_setting_has_a_row_and_every_plain_one_its_value() {
        let given: [(&str, &str); 17] = [
            ("--data-dir", "/d"),
            ("--postgres-bin", "/pg"),
            ("--bind", "127.0.0.1:1"),
            ("--admin-bind", "127.0.0.1:2"),
            ("--apps-domain", "example.org"),
            ("--public-base-url", "https://example.org"),
            ("--ready-file", "/r"),
            ("--smtp-from", "cloud@example.org"),
            ("--admin-username", "ada"),
            ("--max-concurrent-executions", "7"),
            ("--worker-threads", "3"),
            ("--seccomp", "log"),
            ("--log", "debug"),
            ("--database-url-file", "/u"),
            ("--secret-key-file", "/k"),
            ("--admin-password-file", "/p"),
            ("--smtp-url-file", "/s"),
        ];
        let arguments: Vec<&str> = given.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let rows = read(&arguments);
        for (name, value) in given {
            let row = rows.iter().find(|row| row.setting == name).unwrap();
            assert_eq!((row.value.as_deref(), row.from), (Some(value), "flag"), "{name}");
        }
        assert_eq!(rows.len(), given.len() + 5, "database url, password, secret key, mail relay and event interval besides");
        let from_file = rows.iter().find(|row| row.setting == "--secret-key").unwrap();
        assert_eq!((from_file.value.as_deref(), from_file.from), (None, "file"));
    }
}
