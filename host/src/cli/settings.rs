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
    let secret =
        ["database_url", "admin_password", "secret_key", "smtp_url", "metrics_token", "otlp_headers", "backup_passphrase"];
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
        "trusted_proxies" => {
            let networks: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
            (!networks.is_empty()).then(|| networks.join(","))
        }
        "public_base_url" => settings.public_base_url.clone(),
        "ready_file" => path(&settings.ready_file),
        "roles" => Some(settings.roles.to_string()),
        "otlp_endpoint" => settings.otlp_endpoint.clone(),
        "trace_ratio" => Some(settings.trace_ratio.to_string()),
        "node_name" => settings.node_name.clone(),
        "drain_delay_ms" => Some(settings.drain_delay_ms.to_string()),
        "smtp_from" => settings.smtp_from.clone(),
        "admin_username" => Some(settings.admin_username().to_owned()),
        "max_concurrent_executions" => settings.max_concurrent_executions.map(|n| n.to_string()),
        "worker_threads" => settings.worker_threads.map(|n| n.to_string()),
        "event_interval" => Some(settings.event_interval.to_string()),
        "seccomp" => Some(settings.seccomp.as_str().to_owned()),
        "backup_dir" => path(&settings.backup.backup_dir),
        "backup_schedule" => settings.backup.backup_schedule.clone(),
        "backup_timezone" => Some(settings.backup.backup_timezone.clone()),
        "backup_keep" => Some(settings.backup.backup_keep.clone()),
        "backup_key_file" => path(&settings.backup.backup_key_file),
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
            "--metrics-token",
            "hush-hush-hush-hush",
            "--otlp-headers",
            "authorization=hush",
        ]);
        assert!(!format!("{rows:?}").contains("hush"));
        assert!(rows.iter().any(|row| row.setting == "--admin-password" && row.from == "flag" && row.value.is_none()));
    }

    #[test]
    fn every_setting_has_a_row_and_every_plain_one_its_value() {
        let given: [(&str, &str); 28] = [
            ("--data-dir", "/d"),
            ("--postgres-bin", "/pg"),
            ("--bind", "127.0.0.1:1"),
            ("--admin-bind", "127.0.0.1:2"),
            ("--apps-domain", "example.org"),
            ("--trusted-proxies", "10.0.0.5/32,172.16.0.0/12"),
            ("--backup-dir", "/b"),
            ("--backup-schedule", "0 0 3 * * *"),
            ("--backup-timezone", "Europe/Rome"),
            ("--backup-keep", "last=3"),
            ("--backup-key-file", "/k"),
            ("--public-base-url", "https://example.org"),
            ("--ready-file", "/r"),
            ("--roles", "api,workers"),
            ("--otlp-endpoint", "http://127.0.0.1:4318"),
            ("--trace-ratio", "0.25"),
            ("--node-name", "pi-2"),
            ("--drain-delay-ms", "5000"),
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
        assert_eq!(
            rows.len(),
            given.len() + 8,
            "database url, password, secret key, mail relay, token of metrics, headers, passphrase of backups and event interval besides"
        );
        let from_file = rows.iter().find(|row| row.setting == "--secret-key").unwrap();
        assert_eq!((from_file.value.as_deref(), from_file.from), (None, "file"));
    }
}
