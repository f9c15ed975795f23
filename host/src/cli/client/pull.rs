//! `picloud pull`: a running app as a manifest and its sources. All of the files are written, or none.

mod writer;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::api::{Ask, not_a_node};
use super::args::InApp;
use super::manifest;
use super::output::{cell, text_at};
use super::session::Session;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::print;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Pull {
    #[command(flatten)]
    place: InApp,
    /// Where the files go [default: where the nearest picloud.toml is, else here].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Over files that are there and hold something else. Comments and environments of a manifest are not kept.
    #[arg(long)]
    force: bool,
}

/// A file as it is to be.
struct Wanted {
    /// From the directory.
    name: String,
    content: String,
}

pub(super) async fn run(pull: Pull) -> Result<()> {
    let Pull { place, dir, force } = pull;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let directory = match dir {
        Some(directory) => directory,
        None => manifest::directory()?,
    };
    let about = session.api.ask(Ask::get(&["admin", "apps", &app])).await?.value()?;
    let slug = about.get("slug").and_then(Value::as_str).ok_or_else(not_a_node)?;
    let answer = session.api.ask(Ask::get(&["admin", "apps", &app, "manifest"])).await?.value()?;
    let files = wanted(&directory, slug, answer.get("manifest").ok_or_else(not_a_node)?)?;
    let failed = |e: io::Error| Failure::new(Exit::Usage, format!("{}: {e}", cell(&directory.to_string_lossy())));
    fs::create_dir_all(&directory).map_err(failed)?;
    let changed = differing(&directory, files, force)?;
    write(&directory, &changed).map_err(failed)?;
    let names: Vec<&str> = changed.iter().map(|file| file.name.as_str()).collect();
    if session.json {
        return session
            .print_json(&json!({ "deployment": answer.get("deployment"), "digest": answer.get("digest"), "written": names }));
    }
    let lines: String = names.iter().map(|name| format!("  {}\n", cell(name))).collect();
    print(&match names.len() {
        0 => format!("The files are those of {} already.\n", cell(slug)),
        _ => format!("{}, deployment {}, is here now:\n{lines}", cell(slug), text_at(&answer, "/deployment")),
    });
    Ok(())
}

/// Every file of the app. A script keeps the file that a manifest gives it that is there.
fn wanted(directory: &Path, slug: &str, pulled: &Value) -> Result<Vec<Wanted>> {
    let known = manifest::files_of(&directory.join(manifest::NAME));
    let (mut files, mut unusual) = (Vec::new(), BTreeMap::new());
    for (script, of_script) in pulled.get("scripts").and_then(Value::as_object).into_iter().flatten() {
        if !manifest::is_script_name(script) {
            return Err(Failure::new(Exit::Other, format!("`{}` cannot be the name of a file", cell(script))));
        }
        let [beside, below] = manifest::usual_files(script);
        let usual = if !directory.join(&beside).exists() && directory.join(&below).exists() { below } else { beside };
        let stays = |file: &&String| is_plainly_below(directory, file) && **file != usual;
        let name = match known.get(script).filter(stays) {
            Some(file) => {
                unusual.insert(script.clone(), file.clone());
                file.clone()
            }
            None => usual,
        };
        files.push(Wanted { name, content: of_script.get("source").and_then(Value::as_str).unwrap_or_default().to_owned() });
    }
    let content = writer::manifest(slug, pulled, &unusual);
    // Last, so that what it names is there when it is.
    files.push(Wanted { name: manifest::NAME.to_owned(), content });
    let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => {
            let name = cell(pair.first().copied().unwrap_or_default());
            Err(Failure::new(Exit::Usage, format!("two of the files would be {name}: name others in {}", manifest::NAME)))
        }
        None => Ok(files),
    }
}

/// Whether a file is there already, and its directory is in this one.
fn is_plainly_below(directory: &Path, file: &str) -> bool {
    let path = directory.join(file);
    let of = |path: &Path| path.canonicalize().ok();
    let parent = path.parent().and_then(of);
    manifest::is_below(file) && path.is_file() && parent.zip(of(directory)).is_some_and(|(parent, home)| parent.starts_with(home))
}

/// Those that hold something else, or are not there. Without `force` none may hold something else.
fn differing(directory: &Path, files: Vec<Wanted>, force: bool) -> Result<Vec<Wanted>> {
    let (mut changed, mut in_the_way) = (Vec::new(), Vec::new());
    for file in files {
        let path = directory.join(&file.name);
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(found) if found.is_file() && fs::read(&path).is_ok_and(|content| content == file.content.as_bytes()) => continue,
            Ok(found) if found.is_dir() => {
                return Err(Failure::new(Exit::Conflict, format!("{} is a directory", cell(&file.name))));
            }
            _ => in_the_way.push(cell(&file.name)),
        }
        changed.push(file);
    }
    if force || in_the_way.is_empty() {
        return Ok(changed);
    }
    let line = format!("not the same as in the app: {}; nothing was written", in_the_way.join(", "));
    Err(Failure::new(Exit::Conflict, line).hinting("--force writes over them"))
}

/// Under other names first: what fails, fails before any file is another.
fn write(directory: &Path, files: &[Wanted]) -> io::Result<()> {
    let mut parts = Vec::new();
    let written = files.iter().try_for_each(|file| {
        let path = directory.join(&file.name);
        let part = path.with_file_name(format!(".{}.part", uuid::Uuid::now_v7()));
        let mut out = OpenOptions::new().write(true).create_new(true).open(&part)?;
        parts.push((part, path));
        out.write_all(file.content.as_bytes())?;
        out.sync_all()
    });
    let done = written.and_then(|()| parts.iter().try_for_each(|(part, path)| fs::rename(part, path)));
    if done.is_err() {
        for (part, _) in &parts {
            let _ = fs::remove_file(part);
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Value {
        json!({ "scripts": { "a": { "source": "1" }, "b": { "source": "2", "kind": "module" } }, "grants": { "kv": ["*"] } })
    }

    fn pull(home: &Path, force: bool) -> Result<Vec<String>> {
        let changed = differing(home, wanted(home, "shop", &app())?, force)?;
        write(home, &changed).unwrap();
        Ok(changed.into_iter().map(|file| file.name).collect())
    }

    fn names(home: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_pulled_twice_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(pull(home.path(), false).unwrap(), ["a.rhai", "b.rhai", "picloud.toml"]);
        assert_eq!(pull(home.path(), false).unwrap(), Vec::<String>::new());
        assert_eq!(names(home.path()), ["a.rhai", "b.rhai", "picloud.toml"]);
    }

    #[test]
    fn files_that_differ_are_written_over_only_with_force_and_else_none_is_written() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("b.rhai"), "mine").unwrap();
        let failure = pull(home.path(), false).unwrap_err();
        assert_eq!(failure.exit(), Exit::Conflict);
        assert!(failure.told().contains("b.rhai") && failure.told().contains("--force"));
        assert_eq!(names(home.path()), ["b.rhai"]);
        pull(home.path(), true).unwrap();
        assert_eq!(fs::read_to_string(home.path().join("b.rhai")).unwrap(), "2");
    }

    #[test]
    fn a_script_keeps_the_file_that_it_has() {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in
            [("scripts/a.rhai", "1"), ("lib/b.rhai", "2"), (manifest::NAME, "[scripts.b]\nfile = \"lib/b.rhai\"\n")]
        {
            fs::create_dir_all(home.path().join(name).parent().unwrap()).unwrap();
            fs::write(home.path().join(name), text).unwrap();
        }
        assert_eq!(pull(home.path(), true).unwrap(), ["picloud.toml"]);
        assert!(fs::read_to_string(home.path().join(manifest::NAME)).unwrap().contains("[scripts.b]\nfile = \"lib/b.rhai\"\n"));
        assert_eq!(names(home.path()), ["lib", "picloud.toml", "scripts"]);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_outside() {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = outside.path().join("target");
        fs::write(&target, "theirs").unwrap();
        std::os::unix::fs::symlink(&target, home.path().join("a.rhai")).unwrap();
        assert!(pull(home.path(), false).is_err());
        pull(home.path(), true).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        fs::write(home.path().join(manifest::NAME), format!("[scripts.b]\nfile = \"{}\"\n", target.display())).unwrap();
        pull(home.path(), true).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        let bad = json!({ "scripts": { "../a": { "source": "1" } } });
        assert!(wanted(home.path(), "shop", &bad).is_err());
    }

    #[test]
    fn what_cannot_be_written_leaves_all_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str| Wanted { name: name.to_owned(), content: "new".to_owned() };
        fs::write(home.path().join("a.rhai"), "old").unwrap();
        assert!(write(home.path(), &[file("a.rhai"), file("nowhere/b.rhai")]).is_err());
        assert_eq!(fs::read_to_string(home.path().join("a.rhai")).unwrap(), "old");
        assert_eq!(names(home.path()), ["a.rhai"]);
    }
}
