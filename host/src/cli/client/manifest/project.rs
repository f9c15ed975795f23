//! A manifest that was read, with the sources that it names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::NAME;
use crate::cli::client::refusal::Refusal;
use crate::cli::client::session::Session;
use crate::cli::client::source::Fault;
use crate::cli::failure::{Exit, Failure};

/// A manifest with the sources that it names.
#[derive(Debug, PartialEq)]
pub(in crate::cli::client) struct Project {
    pub(in crate::cli::client) app: String,
    /// As the API takes it.
    pub(in crate::cli::client) body: Value,
    /// By script: as a file is shown, and what it holds.
    pub(super) sources: BTreeMap<String, (String, String)>,
    /// As the manifest is shown, and what it holds.
    pub(super) manifest: (String, String),
}

/// What was saved.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli::client) struct Saved {
    /// The files, as they are shown.
    pub(in crate::cli::client) names: Vec<String>,
    /// The script that it is about, where it is one alone.
    pub(in crate::cli::client) script: Option<String>,
}

impl Project {
    /// A refusal about this manifest: quoted from the file that it is about, where it has a place in one.
    pub(in crate::cli::client) fn refused(&self, refusal: Refusal, session: &Session) -> Failure {
        let (details, status, code) = (refusal.details.clone(), refusal.status.as_u16(), refusal.code.clone());
        let failure = refusal.into_failure(&session.api.origin);
        let source = details.get("script").and_then(Value::as_str).and_then(|script| self.sources.get(script));
        let fault = Fault::of(&details);
        match source {
            Some((name, text)) if status == 422 && fault.line.is_some() => {
                let message = if fault.message.is_empty() { failure.into_line() } else { fault.message.clone() };
                Failure::quoting(Exit::Refused, Fault { message, ..fault }.quoting(name, text))
            }
            // What is granted by hand would go with the next apply.
            _ if code == "not_granted" && self.body.get("grants").is_some() => failure.hinting(format!("[grants] in {NAME}")),
            _ => failure,
        }
    }

    /// What is another since `before`; the manifest where that says nothing.
    pub(in crate::cli::client) fn saved_since(&self, before: Option<&Self>) -> Saved {
        let manifest = || vec![self.manifest.0.clone()];
        let Some(before) = before else { return Saved { names: manifest(), script: None } };
        let is_same_manifest = self.manifest == before.manifest;
        let mut names = if is_same_manifest { Vec::new() } else { manifest() };
        let others: Vec<_> = self.sources.iter().filter(|(name, source)| before.sources.get(*name) != Some(*source)).collect();
        for (_, (shown, _)) in &others {
            if !names.contains(shown) {
                names.push(shown.clone());
            }
        }
        let script = match others.as_slice() {
            [(name, _)] if is_same_manifest => Some((*name).clone()),
            _ => None,
        };
        Saved { names: if names.is_empty() { manifest() } else { names }, script }
    }

    /// The path of a script's first route at the app's own host.
    pub(in crate::cli::client) fn path_of(&self, script: &str) -> Option<&str> {
        let routes = self.body.get("scripts")?.get(script)?.get("routes")?.as_array()?;
        routes.iter().find(|route| route.get("host").is_none_or(Value::is_null))?.get("path")?.as_str()
    }

    /// Where the source of each script is, from the manifest's directory.
    #[cfg(test)]
    pub(super) fn shown_sources(&self) -> Vec<&str> {
        self.sources.values().map(|(shown, _)| shown.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, write};
    use super::*;

    #[test]
    fn what_was_saved_is_told_by_its_files() {
        let home = tempfile::tempdir().unwrap();
        let manifest = "[scripts.a]\nroutes = [{ path = \"/x\", host = \"h\" }, \"/a\"]\n[scripts.b]\n";
        write(home.path(), "a.rhai", "1");
        write(home.path(), "b.rhai", "1");
        let before = read(home.path(), manifest).unwrap();
        let saved = |project: &Project, before| {
            let Saved { names, script } = project.saved_since(before);
            let names: Vec<String> = names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
            (names.join(" "), script)
        };
        assert_eq!(saved(&before, None), (NAME.to_owned(), None));
        assert_eq!(saved(&before, Some(&before)), (NAME.to_owned(), None));
        write(home.path(), "a.rhai", "2");
        let after = read(home.path(), manifest).unwrap();
        assert_ne!(after, before);
        assert_eq!(saved(&after, Some(&before)), ("a.rhai".to_owned(), Some("a".to_owned())));
        assert_eq!((after.path_of("a"), after.path_of("b")), (Some("/a"), None));
        write(home.path(), "b.rhai", "2");
        let both = read(home.path(), manifest).unwrap();
        assert_eq!(saved(&both, Some(&before)), ("a.rhai b.rhai".to_owned(), None));
        let other = read(home.path(), &format!("{manifest}[grants]\n")).unwrap();
        assert_eq!(saved(&other, Some(&before)), (format!("{NAME} a.rhai b.rhai"), None));
    }
}
