//! What many commands take: which node, which app, which page.

use clap::Args;

use super::manifest;
use crate::cli::failure::{Exit, Failure, Result};

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
            None => std::env::current_dir().map_or(Ok(None), |here| manifest::app_of(&here)),
        }
    }
}
