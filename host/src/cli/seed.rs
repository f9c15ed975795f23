//! What a first start finds: an owner, and in `dev` an app that already answers.
//!
//! While a first start of `dev` is not finished, the data directory holds a file that says so, with the password that
//! nobody has seen yet: a kill in between is made good by the next start, and nobody is locked out.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::failure::{Exit, Failure, Result};
use super::listen::Addresses;
use super::node::Mode;
use super::terminal::warn;
use crate::auth::password;
use crate::config::Settings;
use crate::id::{AppId, ScriptId};
use crate::invoke::Invoker;
use crate::model::access::Principal;
use crate::model::app::NewApp;
use crate::model::script::{AskedLimits, Kind, NewScript};
use crate::model::secret::Secret;
use crate::service::routes::NewRoute;
use crate::service::{self, Services};
use crate::{error, store};

const APP: &str = "hello";
/// What the list of a person's logins calls the node's own.
const VISITOR: &str = "picloud dev";

/// The scripts of the `hello` app: name, description, source, paths.
const SCRIPTS: [(&str, &str, &str, &[&str]); 2] = [
    ("hello", "Greets whoever asks", include_str!("seed/hello.rhai"), &["/", "/hello/:name"]),
    ("counter", "Counts its calls in the key-value store", include_str!("seed/counter.rhai"), &["/count"]),
];

/// Who owns this instance, as far as this start knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There was one before, of this name.
    Known { username: String },
    /// Made now, with the password that was set.
    Made,
    /// Made now, with a password of ours that nobody has seen yet.
    Generated { password: String },
    /// There is none, and no password was set to make one.
    Missing,
}

impl Owner {
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Self::Made | Self::Generated { .. })
    }

    fn username<'a>(&'a self, settings: &'a Settings) -> &'a str {
        match self {
            Self::Known { username } => username,
            _ => settings.admin_username(),
        }
    }

    /// What a person is told about logging in.
    pub(super) fn rows(&self, settings: &Settings) -> Vec<(&'static str, String)> {
        let username = self.username(settings);
        match self {
            Self::Known { username } => vec![("owner", username.clone())],
            Self::Made => vec![("owner", username.to_owned()), ("password", "as PICLOUD_ADMIN_PASSWORD says".to_owned())],
            Self::Generated { password } => {
                vec![("owner", username.to_owned()), ("password", format!("{password}   (shown this once: keep it)"))]
            }
            Self::Missing => Vec::new(),
        }
    }
}

/// A first start of `dev` that is not finished.
#[derive(Debug)]
pub(super) struct FirstStart {
    path: PathBuf,
}

impl FirstStart {
    fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("first-start") }
    }

    /// The password that was generated, empty when it was set; `None` when nothing is unfinished.
    fn pending(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(&self.path) {
            Ok(password) => Ok(Some(password)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// On disk before the owner is: otherwise a kill in between would leave a password that nobody knows.
    fn begin(&self, password: &str) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        let _ = std::fs::remove_file(&draft);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(password.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.path)
    }

    /// The owner has seen everything.
    pub(super) fn finish(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "this file holds the first password and should be removed");
        }
    }
}

/// Makes the first owner where there is none: with the password that is set, in `dev` otherwise with one of ours.
pub(super) async fn owner(settings: &Settings, mode: Mode, data_dir: &Path, services: &Services) -> Result<(Owner, FirstStart)> {
    let first_start = FirstStart::new(data_dir);
    let owner = make_owner(settings, mode, &first_start, services).await.map_err(|e| {
        let exit = if e.kind == error::Kind::Invalid { Exit::Usage } else { Exit::Other };
        Failure::of(exit, "the first owner (PICLOUD_ADMIN_USERNAME, PICLOUD_ADMIN_PASSWORD)", &e)
    })?;
    Ok((owner, first_start))
}

async fn make_owner(settings: &Settings, mode: Mode, first_start: &FirstStart, services: &Services) -> error::Result<Owner> {
    let pending = if mode == Mode::Dev { first_start.pending().map_err(error::Error::internal)? } else { None };
    let of = |password: String| if password.is_empty() { Owner::Made } else { Owner::Generated { password } };
    if let Some(owner) = service::users::first_owner(services).await? {
        return Ok(pending.map_or(Owner::Known { username: owner.username }, of));
    }
    let (password, shown) = match (&settings.admin_password, pending, mode) {
        (Some(password), ..) => (password.clone(), String::new()),
        (None, _, Mode::Serve { .. }) => return Ok(Owner::Missing),
        (None, Some(password), Mode::Dev) if !password.is_empty() => (password.clone(), password),
        (None, _, Mode::Dev) => {
            let password = password::generate()?;
            (password.clone(), password)
        }
    };
    if mode == Mode::Dev {
        first_start.begin(&shown).map_err(error::Error::internal)?;
    }
    let made = service::users::ensure_owner(services, settings.admin_username(), &password).await;
    match made {
        Ok(true) => Ok(of(shown)),
        Ok(false) => {
            first_start.finish();
            let owner = service::users::first_owner(services).await?;
            Ok(owner.map_or(Owner::Missing, |owner| Owner::Known { username: owner.username }))
        }
        Err(error) => {
            first_start.finish();
            Err(error)
        }
    }
}

/// Publishes the `hello` app. What is there already stays as it is.
pub(super) async fn hello(services: &Services, invoker: &Invoker, username: &str) -> Result<()> {
    publish(services, invoker, username).await.map_err(|e| Failure::of(Exit::Other, "the hello app", &e))
}

async fn publish(services: &Services, invoker: &Invoker, username: &str) -> error::Result<()> {
    let by = user(services, username).await?;
    let app = match app(services).await? {
        Some(app) => app,
        None => {
            service::apps::create(services, &by, NewApp { slug: APP.to_owned(), name: "Hello".to_owned(), takeover: false })
                .await?
                .id
        }
    };
    for (name, description, source, paths) in SCRIPTS {
        let script = match script(services, app, name) {
            Some(script) => script,
            None => {
                let new = NewScript {
                    app_id: app,
                    name: name.to_owned(),
                    source: source.to_owned(),
                    kind: Kind::Endpoint,
                    description: description.to_owned(),
                    limits: AskedLimits::default(),
                    message: String::new(),
                };
                invoker.create(&by, new).await?.id
            }
        };
        for path in paths {
            let new = NewRoute { path: (*path).to_owned(), ..NewRoute::default() };
            match service::routes::create(services, &by, script, new).await {
                Err(error) if error.kind != error::Kind::Conflict => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Three lines to paste into another terminal: call the app, log in, read the record of that call.
pub(super) async fn tour(services: &Services, addresses: &Addresses, settings: &Settings, owner: &Owner) -> String {
    let admin = addresses.admin_url();
    let (public, record) = match hello_script(services).await {
        Ok(Some(script)) => (
            format!("curl -i {}/hello/you", addresses.app_url(APP, &settings.apps_domain).unwrap_or_default()),
            format!("{admin}/api/v1/admin/scripts/{}/executions", script.0),
        ),
        // Somebody deleted it: then the planes themselves are there to look at.
        _ => (format!("curl -i {}/healthz", addresses.data_url().unwrap_or_default()), format!("{admin}/api/v1/admin/scripts")),
    };
    let (ask, password) = match owner {
        Owner::Generated { password } => ("", format!("\\\"{password}\\\"")),
        _ if settings.admin_password.is_some() => ("", "\\\"$PICLOUD_ADMIN_PASSWORD\\\"".to_owned()),
        _ => ("read -rsp 'password: ' PASSWORD; ", "\\\"$PASSWORD\\\"".to_owned()),
    };
    let username = owner.username(settings);
    format!(
        "\nIn another terminal:\n\n  {public}\n\n  \
         {ask}TOKEN=$(curl -s {admin}/api/v1/admin/auth/login -H 'content-type: application/json' \
         -d \"{{\\\"username\\\":\\\"{username}\\\",\\\"password\\\":{password}}}\" | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n\n  \
         curl -s {record} -H \"authorization: Bearer $TOKEN\"\n"
    )
}

async fn hello_script(services: &Services) -> error::Result<Option<ScriptId>> {
    match app(services).await? {
        Some(app) => Ok(script(services, app, APP)),
        None => Ok(None),
    }
}

fn script(services: &Services, app: AppId, name: &str) -> Option<ScriptId> {
    services.routing.current().script_of(app, name).map(|script| script.script_id)
}

async fn app(services: &Services) -> error::Result<Option<AppId>> {
    match service::apps::get(services, APP).await {
        Ok(app) => Ok(Some(app.id)),
        Err(error) if error.kind == error::Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn user(services: &Services, username: &str) -> error::Result<Principal> {
    let mut db = services.db.acquire().await?;
    let found = store::users::credentials(&mut db, username).await?;
    found.map(|(user, _)| Principal::operator_as(&user)).ok_or_else(|| error::Error::not_found("user"))
}

/// A login of the first owner that the node makes for itself. Its token is in no file and on no terminal.
pub(super) struct Visit {
    token: Secret,
    by: Principal,
}

/// As whom the node applies what is beside it; none, and told, where there is nobody.
pub(super) async fn visit(services: &Services) -> Option<Visit> {
    let opened = opened(services).await;
    let why = match opened {
        Ok(Some(visit)) => return Some(visit),
        Ok(None) => "nobody owns this instance yet".to_owned(),
        Err(error) => error.message.to_string(),
    };
    warn(&format!("the files beside it are not applied: {why}"));
    None
}

async fn opened(services: &Services) -> error::Result<Option<Visit>> {
    let Some(owner) = service::users::first_owner(services).await? else { return Ok(None) };
    let (login, by) = service::sessions::open(services, &owner, VISITOR).await?;
    Ok(Some(Visit { token: Secret::new(login.token), by }))
}

impl Visit {
    pub(super) fn token(&self) -> Secret {
        self.token.clone()
    }

    /// The login is of no use to anybody from here on.
    pub(super) async fn end(self, services: &Services) {
        if let Err(error) = service::sessions::logout(services, &self.by).await {
            tracing::debug!(%error, "the node's own login ends by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_first_start_keeps_its_password_until_it_was_seen() {
        let home = tempfile::tempdir().unwrap();
        let first_start = FirstStart::new(home.path());
        assert_eq!(first_start.pending().unwrap(), None);
        first_start.begin("secret").unwrap();
        assert_eq!(FirstStart::new(home.path()).pending().unwrap().as_deref(), Some("secret"));
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&first_start.path).unwrap()) & 0o777, 0o600);
        first_start.finish();
        assert_eq!(first_start.pending().unwrap(), None);
        first_start.finish();
    }
}
