//! `picloud init`: the files of an app that works, to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::manifest::NAME as MANIFEST;
use super::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::print;
use crate::model::app::check_slug;

/// Stands for the app in the files.
const NAME: &str = "NAME";
/// Where the directory's own name is none for an app.
const USUAL: &str = "hello";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Init {
    /// Where the files go; made if it is not there.
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// What to begin with.
    #[arg(long, value_enum, default_value_t = Template::Hello)]
    template: Template,
    /// Slug of the app [default: the name of the directory].
    #[arg(long, value_name = "APP")]
    app: Option<String>,
}

/// What an app begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// One script that greets.
    Hello,
    /// Documents behind routes, with a module.
    Api,
    /// A script on a schedule, and one that tells of it.
    Cron,
    /// Work that is taken at once and done later.
    Queue,
}

impl Template {
    fn files(self) -> Vec<(&'static str, &'static str)> {
        let (manifest, scripts): (_, &[_]) = match self {
            Self::Hello => (
                include_str!("init/hello/picloud.toml"),
                &[
                    ("hello.rhai", include_str!("init/hello/hello.rhai")),
                    ("hello_test.rhai", include_str!("init/hello/hello_test.rhai")),
                ],
            ),
            Self::Api => (
                include_str!("init/api/picloud.toml"),
                &[
                    ("notes.rhai", include_str!("init/api/notes.rhai")),
                    ("answers.rhai", include_str!("init/api/answers.rhai")),
                    ("notes_test.rhai", include_str!("init/api/notes_test.rhai")),
                ],
            ),
            Self::Cron => (
                include_str!("init/cron/picloud.toml"),
                &[
                    ("tick.rhai", include_str!("init/cron/tick.rhai")),
                    ("ticks.rhai", include_str!("init/cron/ticks.rhai")),
                    ("tick_test.rhai", include_str!("init/cron/tick_test.rhai")),
                ],
            ),
            Self::Queue => (
                include_str!("init/queue/picloud.toml"),
                &[
                    ("order.rhai", include_str!("init/queue/order.rhai")),
                    ("work.rhai", include_str!("init/queue/work.rhai")),
                    ("order_test.rhai", include_str!("init/queue/order_test.rhai")),
                ],
            ),
        };
        let about = [("README.md", include_str!("init/README.md")), (MANIFEST, manifest)];
        scripts.iter().copied().chain(about).collect()
    }
}

pub(super) fn run(init: Init) -> Result<()> {
    let Init { dir, template, app } = init;
    let shown = cell(&dir.to_string_lossy());
    let failed = |e: io::Error| Failure::new(Exit::Usage, format!("{shown} cannot be written: {e}"));
    std::fs::create_dir_all(&dir).map_err(failed)?;
    let app = match app {
        Some(app) if check_slug(&app).is_ok() => app,
        Some(app) => return Err(Failure::new(Exit::Usage, format!("`{}` cannot be the slug of an app", cell(&app)))),
        None => of_directory(&dir.canonicalize().map_err(failed)?),
    };
    let files = template.files();
    let there: Vec<&str> = files.iter().map(|(name, _)| *name).filter(|name| dir.join(name).symlink_metadata().is_ok()).collect();
    if !there.is_empty() {
        let line = format!("{shown} holds {} already; nothing was written", there.join(", "));
        return Err(Failure::new(Exit::Conflict, line));
    }
    for (name, text) in &files {
        write(&dir.join(name), &text.replace(NAME, &app)).map_err(failed)?;
    }
    let names: String = files.iter().map(|(name, _)| format!("  {name}\n")).collect();
    let to_there = if dir == Path::new(".") { String::new() } else { format!("cd {shown} && ") };
    print(&format!("{app} begins here:\n{names}Next: {to_there}picloud apps create {app} && picloud apply\n"));
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn of_directory(directory: &Path) -> String {
    let name = directory.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if check_slug(&name).is_ok() { name } else { USUAL.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(dir: &Path, template: Template) -> Result<()> {
        run(Init { dir: dir.to_path_buf(), template, app: Some("shop".to_owned()) })
    }

    #[test]
    fn a_directory_that_holds_one_of_the_files_is_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("else.txt"), "").unwrap();
        init(home.path(), Template::Hello).unwrap();
        assert!(std::fs::read_to_string(home.path().join(MANIFEST)).unwrap().starts_with("app = \"shop\"\n"));
        std::fs::remove_file(home.path().join("hello.rhai")).unwrap();
        assert!(init(home.path(), Template::Hello).unwrap_err().told().contains("README.md, picloud.toml already"));
        assert!(!home.path().join("hello.rhai").exists());
    }

    #[test]
    fn no_file_names_the_placeholder_and_the_readme_has_five_lines() {
        let home = tempfile::tempdir().unwrap();
        for template in Template::value_variants() {
            let dir = home.path().join(format!("{template:?}"));
            init(&dir, *template).unwrap();
            for (name, _) in template.files() {
                assert!(!std::fs::read_to_string(dir.join(name)).unwrap().contains(NAME), "{name}");
            }
            assert_eq!(std::fs::read_to_string(dir.join("README.md")).unwrap().lines().count(), 5);
        }
    }

    #[test]
    fn an_app_is_called_as_its_directory_where_that_is_a_slug() {
        for (directory, app) in
            [("/a/shop", "shop"), ("/a/My Shop", "my-shop"), ("/", USUAL), ("/a/日本", USUAL), ("/a/-x-", "x"), ("/a/api", USUAL)]
        {
            assert_eq!(of_directory(Path::new(directory)), app, "{directory}");
        }
    }
}
