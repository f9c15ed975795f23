//! The scripts of a directory: those of its `picloud.toml`, or, without one, the files beside each other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::cli::client::manifest;
use crate::cli::client::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::error;
use crate::hostcall::local::Listener;
use crate::id::ScriptId;
use crate::limits;
use crate::model::archive::manifest::TriggerPart;
use crate::model::deployment::manifest::{Manifest, Target, Wanted};
use crate::model::grant::{Capability, Grants};
use crate::model::quota::Quota;
use crate::model::script::{Kind, Limits, check_name, check_source};
use crate::model::trigger::NewTrigger;

/// How messages call an app that no manifest names.
const NAMELESS: &str = "app";

/// Scripts that can run here.
#[derive(Debug)]
pub(super) struct Project {
    /// Where the manifest is, or the file that runs.
    pub(super) root: PathBuf,
    pub(super) slug: String,
    /// None without a manifest: then they are the files in `root`.
    scripts: Option<BTreeMap<String, Source>>,
    /// What the manifest grants, where it says so.
    pub(super) grants: Option<Grants>,
    pub(super) listeners: Vec<Listener>,
}

/// A source with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    /// Its file, as people see it.
    pub(super) shown: String,
    pub(super) text: String,
    /// None where nobody has said what it is.
    pub(super) kind: Option<Kind>,
    pub(super) limits: Limits,
}

impl Project {
    /// Of the nearest manifest at or above `directory`, else of the directory itself.
    pub(super) fn of(directory: &Path, now: DateTime<Utc>) -> Result<Self> {
        let unusable = |e: std::io::Error| {
            let line = format!("the directory {} cannot be used: {e}", cell(&directory.to_string_lossy()));
            Failure::new(Exit::Usage, line)
        };
        let directory = directory.canonicalize().map_err(unusable)?;
        let Some(above) = manifest::above(&directory)? else {
            let slug = NAMELESS.to_owned();
            return Ok(Self { root: directory, slug, scripts: None, grants: None, listeners: Vec::new() });
        };
        let wrong = |error: error::Error| Failure::new(Exit::Refused, format!("picloud.toml: {}", error.message));
        let read: Manifest = serde_json::from_value(above.body)
            .map_err(|e| Failure::new(Exit::Refused, format!("picloud.toml is no manifest of an app: {e}")))?;
        let states_grants = read.grants.is_some();
        let target = read.target(&Quota::default(), &Grants::default(), &BTreeMap::new(), now).map_err(wrong)?;
        let grants = states_grants.then(|| target.grants.clone());
        let listeners = target.triggers.iter().filter(|part| part.enabled).map(|part| listener(part, now));
        let listeners = listeners.collect::<error::Result<Vec<_>>>().map_err(wrong)?;
        let scripts = sources(target, &above.sources);
        Ok(Self { root: above.directory, slug: above.app, scripts: Some(scripts), grants, listeners })
    }

    /// The script of a name, if there is one.
    pub(super) fn script(&self, name: &str) -> error::Result<Option<Source>> {
        match &self.scripts {
            Some(scripts) => Ok(scripts.get(name).cloned()),
            None if check_name(name).is_err() => Ok(None),
            None => self.beside(name),
        }
    }

    /// The script that a file is the source of, where the manifest says so.
    pub(super) fn script_of(&self, text: &str, shown: &str) -> Option<&Source> {
        self.scripts.as_ref()?.values().find(|source| source.shown == shown && source.text == text)
    }

    pub(super) fn has_manifest(&self) -> bool {
        self.scripts.is_some()
    }

    fn beside(&self, name: &str) -> error::Result<Option<Source>> {
        let path = self.root.join(format!("{name}.rhai"));
        if !path.is_file() {
            return Ok(None);
        }
        let shown = manifest::shown(&path);
        let text = read(&path).map_err(|why| error::Error::invalid("script", format!("{shown} {why}")))?;
        check_source(&text, Quota::default().source_bytes as usize)?;
        Ok(Some(Source { name: name.to_owned(), shown, text, kind: None, limits: Limits::default() }))
    }
}

impl Source {
    /// From a file that is named on the command line; its name is that of the file.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let shown = manifest::shown(&path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
        let text = read(path).map_err(|why| Failure::new(Exit::Usage, format!("{shown} {why}")))?;
        check_source(&text, limits::SOURCE_BYTES_CEILING)
            .map_err(|error| Failure::new(Exit::Refused, format!("{shown}: {}", error.message)))?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, shown, text, kind: None, limits: Limits::default() })
    }
}

/// Everything that can be granted.
pub(super) fn everything() -> Grants {
    let all = Capability::ALL.into_iter().map(|capability| (capability.as_str().to_owned(), vec!["*".to_owned()]));
    Grants::stated(all.collect()).unwrap_or_default()
}

fn sources(target: Target, files: &BTreeMap<String, (String, String)>) -> BTreeMap<String, Source> {
    let source = |wanted: Wanted| {
        let shown = files.get(&wanted.name).map_or_else(|| wanted.name.clone(), |(shown, _)| shown.clone());
        let source =
            Source { name: wanted.name.clone(), shown, text: wanted.source, kind: Some(wanted.kind), limits: wanted.limits };
        (wanted.name, source)
    };
    target.scripts.into_iter().map(source).collect()
}

fn listener(part: &TriggerPart, now: DateTime<Utc>) -> error::Result<Listener> {
    let script_id = ScriptId(uuid::Uuid::nil());
    let new = NewTrigger { script_id, rule: part.new_rule()?, dispatch_mode: None, retry: part.retry.asked() };
    let (_, rule, retry) = new.check(now)?;
    Ok(Listener { script: part.script.clone(), rule, retry })
}

/// What a regular file holds; or what is wrong with it.
fn read(path: &Path) -> std::result::Result<String, String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no file".to_owned());
    }
    let (mut bytes, most) = (Vec::new(), limits::SOURCE_BYTES_CEILING);
    File::open(path).map_err(unreadable)?.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > most {
        return Err(format!("holds more than {most} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    #[test]
    fn without_a_manifest_scripts_are_the_files_beside_each_other() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("tax.rhai"), "fn of(n) { n }").unwrap();
        let project = Project::of(home.path(), now()).unwrap();
        assert!(!project.has_manifest() && project.grants.is_none());
        let tax = project.script("tax").unwrap().unwrap();
        assert_eq!((tax.text.as_str(), tax.kind), ("fn of(n) { n }", None));
        for other in ["nothing", "../tax", "Tax", "", "a/b"] {
            assert_eq!(project.script(other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn a_manifest_says_which_there_are_and_what_they_may() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("sub")).unwrap();
        for name in ["orders.rhai", "other.rhai"] {
            std::fs::write(home.path().join(name), "1").unwrap();
        }
        let manifest = r#"
            app = "shop"
            [scripts.orders]
            limits = { fuel = 5000000 }
            triggers = [{ kind = "queue", queue = "q" }, { kind = "kv", collection = "c", enabled = false }]
            [grants]
            kv = ["c"]
        "#;
        std::fs::write(home.path().join("picloud.toml"), manifest).unwrap();
        let project = Project::of(&home.path().join("sub"), now()).unwrap();
        assert_eq!((project.slug.as_str(), project.listeners.len()), ("shop", 1));
        let orders = project.script("orders").unwrap().unwrap();
        assert_eq!((orders.kind, orders.limits.fuel), (Some(Kind::Endpoint), 5_000_000));
        assert_eq!(project.script("other").unwrap(), None);
        let grants = project.grants.as_ref().unwrap();
        assert!(grants.allows(Capability::Kv, "c") && !grants.allows(Capability::Queue, "q"));
    }

    #[test]
    fn everything_is_everything() {
        assert!(Capability::ALL.into_iter().all(|capability| everything().allows(capability, "x@example.com")));
    }
}
