//! One file, and the script of an app that it becomes.

use std::path::{Path, PathBuf};

use tokio::sync::watch::Sender;

use super::{Begun, Done, Missing, Places, Tries};
use crate::cli::client::deploy::{Draft, Kind, Source};
use crate::cli::client::manifest::shown;
use crate::cli::client::output::{cell, text_at};
use crate::cli::client::routes::Pattern;
use crate::cli::client::session::Session;
use crate::cli::failure::Result;

pub(super) struct OfScript {
    app: String,
    file: PathBuf,
    name: String,
    kind: Option<Kind>,
    route: Option<Pattern>,
    begun: Option<Begun>,
    tries: Tries<Source>,
}

impl OfScript {
    pub(super) fn new(app: String, file: PathBuf, name: String, kind: Option<Kind>, route: Option<Pattern>) -> Self {
        Self { app, file, name, kind, route, begun: None, tries: Tries::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn places(&self) -> Places {
        let mut places = Places::default();
        places.add(self.file.parent().unwrap_or(Path::new("/")), self.file.clone());
        places
    }

    pub(super) async fn round(&mut self, session: &Session, begun: &Sender<Option<String>>) -> Result<Option<Done>> {
        let read = Source::read(&self.file).map(|mut source| {
            source.shown = shown(&self.file);
            source
        });
        let Some(source) = self.tries.next(read)? else { return Ok(None) };
        let done = self.send(session, &source, begun).await;
        self.tries.note(source, &done);
        done.map(Some)
    }

    async fn send(&mut self, session: &Session, source: &Source, begun: &Sender<Option<String>>) -> Result<Done> {
        let url = match &self.begun {
            Some(begun) => begun.url.clone(),
            None => {
                let found = Begun::find(session, &self.app, Missing::Told, &source.shown).await?;
                let url = found.url.clone();
                self.begun = Some(found);
                url
            }
        };
        let (app, name, route) = (self.app.as_str(), self.name.as_str(), self.route.as_ref());
        let draft = Draft { app, name, kind: self.kind, route, message: None, is_stored_only: false };
        let (reply, _) = draft.send(session, source).await?;
        let script = reply.value()?;
        // A script is followed by its name once it is there.
        begun.send_if_modified(|following| {
            let is_new = following.is_none();
            *following = Some(self.app.clone());
            is_new
        });
        let path = draft.path(session, &script).await?;
        let what = format!("{} version {}", text_at(&script, "/name"), text_at(&script, "/version"));
        let url = path.map(|path| format!("{url}{}", cell(&path)));
        Ok(Done { names: vec![source.shown.clone()], what, gained: Vec::new(), url, reply: Some(reply) })
    }
}
