//! What many commands take: which node, which app, which page.

use std::path::Path;

use clap::Args;

use super::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::limits;

const MANIFEST: &str = "picloud.toml";

/// Which node, and how the answer is shown.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct At {
    /// The control plane of the node [default: where the last login was, else http://127.0.0.1:8081].
    #[arg(long, env = "PICLOUD_URL", hide_env_values = true, value_name = "URL", global = true, help_heading = "Node")]
    pub(super) url: Option<String>,
    /// The API's JSON, as it came.
    #[arg(long, global = true, help_heading = "Node")]
    pub(super) json: bool,
}

/// The same, and which app.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct InApp {
    #[command(flatten)]
    pub(super) at: At,
    /// Id or slug of the app [default: `app` of picloud.toml, here or further up].
    #[arg(long, env = "PICLOUD_APP", hide_env_values = true, value_name = "APP", global = true, help_heading = "Node")]
    pub(super) app: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Page {
    /// Every page.
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(super) all: bool,
    /// Items of the page, 1 to 200 [default: 50].
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u32>,
    /// Where the page before this one ended.
    #[arg(long)]
    pub(super) cursor: Option<String>,
}

impl InApp {
    /// The app that is meant.
    pub(super) fn app(&self) -> Result<String> {
        self.app_or_none()?.ok_or_else(|| {
            Failure::new(Exit::Usage, "which app? Name it with --app or PICLOUD_APP, or as `app = \"…\"` in picloud.toml")
        })
    }

    /// The same, where an app may be left out.
    pub(super) fn app_or_none(&self) -> Result<Option<String>> {
        match self.app.as_deref().filter(|app| !app.is_empty()) {
            Some(app) => Ok(Some(app.to_owned())),
            None => std::env::current_dir().map_or(Ok(None), |here| app_of(&here)),
        }
    }
}

/// The app that the nearest `picloud.toml` names.
fn app_of(directory: &Path) -> Result<Option<String>> {
    for directory in directory.ancestors() {
        let path = directory.join(MANIFEST);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= limits::CLIENT_MANIFEST_BYTES_MAX as u64 => {}
            _ => continue,
        }
        let text = std::fs::read_to_string(&path);
        let text =
            text.map_err(|e| Failure::new(Exit::Usage, format!("{} cannot be read: {e}", cell(&path.to_string_lossy()))))?;
        return Ok(app_in(&text));
    }
    Ok(None)
}

/// `app = "shop"` of the first table. The whole of the file is `apply`'s to understand.
fn app_in(manifest: &str) -> Option<String> {
    let first = manifest.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let mut values = first.filter_map(|line| line.strip_prefix("app")?.trim_start().strip_prefix('=').map(str::trim_start));
    let value = values.next()?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let app = value.get(1..)?.split(quote).next()?;
    (!app.is_empty() && app.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')).then(|| app.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_of_a_manifest_is_that_of_its_first_table() {
        for (text, app) in [
            ("app = \"shop\"\n", Some("shop")),
            ("# hello\nname = 'x'\n  app='shop-2' # mine\n[scripts]\n", Some("shop-2")),
            ("[scripts]\napp = \"other\"\n", None),
            ("apps = \"shop\"\n", None),
            ("app = \"../../x\"\n", None),
            ("app = 7\n", None),
            ("app =\n", None),
            ("", None),
        ] {
            assert_eq!(app_in(text).as_deref(), app, "{text}");
        }
    }

    #[test]
    fn the_nearest_manifest_counts() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a").join("b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(home.path().join(MANIFEST), "app = \"outer\"\n").unwrap();
        assert_eq!(app_of(&deep).unwrap().as_deref(), Some("outer"));
        std::fs::write(home.path().join("a").join(MANIFEST), "app = \"inner\"\n").unwrap();
        assert_eq!(app_of(&deep).unwrap().as_deref(), Some("inner"));
    }

    #[test]
    fn what_is_too_long_for_a_manifest_is_none() {
        let home = tempfile::tempdir().unwrap();
        let head = "app = \"shop\"\n";
        for (bytes, app) in [(limits::CLIENT_MANIFEST_BYTES_MAX, Some("shop")), (limits::CLIENT_MANIFEST_BYTES_MAX + 1, None)] {
            std::fs::write(home.path().join(MANIFEST), format!("{head}{}", "#".repeat(bytes - head.len()))).unwrap();
            assert_eq!(app_of(home.path()).unwrap().as_deref(), app, "{bytes}");
        }
    }
}
