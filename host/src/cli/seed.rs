//! What a first start finds: an owner, and in `dev` an app that already answers.

use super::failure::{Exit, Failure, Result};
use super::listen::Addresses;
use super::node::Mode;
use crate::auth::password;
use crate::config::Settings;
use crate::id::{AppId, ScriptId, UserId};
use crate::invoke::Invoker;
use crate::model::app::NewApp;
use crate::model::page::PageQuery;
use crate::model::script::{AskedLimits, Kind, NewScript};
use crate::service::routes::NewRoute;
use crate::service::{self, Services};
use crate::{error, store};

const APP: &str = "hello";

/// The scripts of the `hello` app: name, description, source, paths.
const SCRIPTS: [(&str, &str, &str, &[&str]); 2] = [
    ("hello", "Greets whoever asks", include_str!("seed/hello.rhai"), &["/", "/hello/:name"]),
    ("counter", "Counts its calls in the key-value store", include_str!("seed/counter.rhai"), &["/count"]),
];

/// Who owns this instance, as far as this start knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There was one before.
    Known,
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

    /// What a person is told about logging in.
    pub(super) fn rows(&self, settings: &Settings) -> Vec<(&'static str, String)> {
        let username = settings.admin_username();
        match self {
            Self::Known => vec![("owner", "as the first start set it".to_owned())],
            Self::Made => vec![("owner", username.to_owned()), ("password", "as PICLOUD_ADMIN_PASSWORD says".to_owned())],
            Self::Generated { password } => {
                vec![("owner", username.to_owned()), ("password", format!("{password}   (shown this once: keep it)"))]
            }
            Self::Missing => Vec::new(),
        }
    }
}

/// Makes the first owner where there is none: with the password that is set, in `dev` otherwise with one of ours.
pub(super) async fn owner(settings: &Settings, mode: Mode, services: &Services) -> Result<Owner> {
    let failed = |e: error::Error| {
        let exit = if e.kind == error::Kind::Invalid { Exit::Usage } else { Exit::Other };
        Failure::of(exit, "the first owner (PICLOUD_ADMIN_USERNAME, PICLOUD_ADMIN_PASSWORD)", &e)
    };
    if service::users::has_owner(services).await.map_err(failed)? {
        return Ok(Owner::Known);
    }
    let (password, owner) = match (&settings.admin_password, mode) {
        (Some(password), _) => (password.clone(), Owner::Made),
        (None, Mode::Dev) => {
            let password = password::generate().map_err(failed)?;
            (password.clone(), Owner::Generated { password })
        }
        (None, Mode::Serve { .. }) => return Ok(Owner::Missing),
    };
    let made = service::users::ensure_owner(services, settings.admin_username(), &password).await.map_err(failed)?;
    Ok(if made { owner } else { Owner::Known })
}

/// Publishes the `hello` app. What is there already stays as it is.
pub(super) async fn hello(services: &Services, invoker: &Invoker, username: &str) -> Result<()> {
    publish(services, invoker, username).await.map_err(|e| Failure::of(Exit::Other, "the hello app", &e))
}

async fn publish(services: &Services, invoker: &Invoker, username: &str) -> error::Result<()> {
    let by = user(services, username).await?;
    if app(services).await?.is_some() {
        return Ok(());
    }
    let app = service::apps::create(services, by, NewApp { slug: APP.to_owned(), name: "Hello".to_owned() }).await?;
    for (name, description, source, paths) in SCRIPTS {
        let prepared = invoker.prepare(name, Kind::Endpoint, source).await?;
        let new = NewScript {
            app_id: app.id,
            name: name.to_owned(),
            source: source.to_owned(),
            kind: Kind::Endpoint,
            description: description.to_owned(),
            limits: AskedLimits::default(),
        };
        let script = service::scripts::create(services, by, new, prepared).await?;
        for path in paths {
            let new = NewRoute { path: (*path).to_owned(), method: None, host: None };
            service::routes::create(services, by, script.id, new).await?;
        }
    }
    Ok(())
}

/// Three lines to paste into another terminal: call the app, log in, read the record of that call.
pub(super) async fn tour(services: &Services, addresses: &Addresses, settings: &Settings, owner: &Owner) -> String {
    let admin = addresses.admin_url();
    let (public, record) = match hello_script(services).await {
        Ok(Some(script)) => (
            format!("curl -i {}/hello/you", addresses.app_url(APP, &settings.apps_domain)),
            format!("{admin}/api/v1/admin/scripts/{}/executions", script.0),
        ),
        // Somebody deleted it: then the planes themselves are there to look at.
        _ => (format!("curl -i {}/healthz", addresses.data_url()), format!("{admin}/api/v1/admin/scripts")),
    };
    let (ask, password) = match owner {
        Owner::Generated { password } => ("", format!("\\\"{password}\\\"")),
        _ if settings.admin_password.is_some() => ("", "\\\"$PICLOUD_ADMIN_PASSWORD\\\"".to_owned()),
        _ => ("read -rsp 'password: ' PASSWORD; ", "\\\"$PASSWORD\\\"".to_owned()),
    };
    let username = settings.admin_username();
    format!(
        "\nIn another terminal:\n\n  {public}\n\n  \
         {ask}TOKEN=$(curl -s {admin}/api/v1/admin/auth/login -H 'content-type: application/json' \
         -d \"{{\\\"username\\\":\\\"{username}\\\",\\\"password\\\":{password}}}\" | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n\n  \
         curl -s {record} -H \"authorization: Bearer $TOKEN\"\n"
    )
}

async fn hello_script(services: &Services) -> error::Result<Option<ScriptId>> {
    let Some(app) = app(services).await? else { return Ok(None) };
    let scripts = service::scripts::list(services, Some(app), &PageQuery::default()).await?;
    Ok(scripts.items.into_iter().find(|script| script.name == APP).map(|script| script.id))
}

async fn app(services: &Services) -> error::Result<Option<AppId>> {
    match service::apps::get(services, APP).await {
        Ok(app) => Ok(Some(app.id)),
        Err(error) if error.kind == error::Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn user(services: &Services, username: &str) -> error::Result<UserId> {
    let mut db = services.db.acquire().await?;
    let found = store::users::credentials(&mut db, username).await?;
    found.map(|(user, _)| user.id).ok_or_else(|| error::Error::not_found("user"))
}
