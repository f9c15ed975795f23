//! Everybody who may knock, and what the design says that they may: a second opinion, which asks nothing of the code.

use serde_json::json;
use sqlx::PgConnection;

use super::people::{self, text};
use super::table::{APP_ADMIN, DOMAIN_MANAGE, LOG_READ, ROUTE_WRITE, Right, SCOPES, SCRIPT_READ, SCRIPT_WRITE};
use super::world::World;
use crate::support::client::{PASSWORD, USERNAME};
use crate::support::cluster::run;

/// All scopes that a key for one app, or of a member, may have by the API.
pub(crate) const OF_APPS: [&str; 6] = [SCRIPT_READ, SCRIPT_WRITE, ROUTE_WRITE, DOMAIN_MANAGE, LOG_READ, APP_ADMIN];

/// The apps of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Shop,
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) name: String,
    /// What they send as a bearer.
    pub(crate) token: Option<String>,
    /// Who they are; nobody, whatever they send, where their credential is none (any more).
    pub(crate) person: Option<Person>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    /// An owner or an admin.
    runs_the_instance: bool,
    /// The scopes of their role in an app; the app.
    member: Option<(Place, &'static [&'static str])>,
    /// What proves them if no login does.
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    scopes: &'static [&'static str],
    bound_to: Option<Place>,
}

/// How the design decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    /// 401
    Unknown,
    /// 403 `login_needed`
    LoginNeeded,
    /// 403 `forbidden`
    Lacks(&'static str),
    /// 404
    Hidden,
}

impl Principal {
    /// Whether they may call what takes that right, where the path names a thing of the shop.
    pub(crate) fn verdict(&self, right: Right) -> Verdict {
        let Some(person) = self.person else {
            return if right == Right::Anybody { Verdict::Passes } else { Verdict::Unknown };
        };
        match right {
            Right::Anybody | Right::SignedIn => Verdict::Passes,
            Right::Login if person.key.is_some() => Verdict::LoginNeeded,
            Right::Login => Verdict::Passes,
            Right::Instance(scope) => person.on_the_instance(scope),
            Right::OfApp(scope) => person.on(Place::Shop, scope),
            Right::SomeApp(scope) if person.has_scope(scope) => Verdict::Passes,
            Right::SomeApp(scope) => Verdict::Lacks(scope),
        }
    }
}

impl Person {
    /// Access is the grant of the role ∩ the scopes of the key ∩ the app of the key; what is another tenant's is not there.
    pub(crate) fn on(&self, place: Place, scope: &'static str) -> Verdict {
        let role = self.member.filter(|(of, _)| *of == place).map(|(_, scopes)| scopes);
        let is_for_another = self.key.is_some_and(|key| key.bound_to.is_some_and(|bound| bound != place));
        if is_for_another || !(self.runs_the_instance || role.is_some()) {
            return Verdict::Hidden;
        }
        let is_granted = self.runs_the_instance || role.is_some_and(|scopes| scopes.contains(&scope));
        if is_granted && self.has_scope(scope) { Verdict::Passes } else { Verdict::Lacks(scope) }
    }

    fn on_the_instance(&self, scope: &'static str) -> Verdict {
        let is_for_an_app = self.key.is_some_and(|key| key.bound_to.is_some());
        if self.runs_the_instance && self.has_scope(scope) && !is_for_an_app { Verdict::Passes } else { Verdict::Lacks(scope) }
    }

    fn has_scope(&self, scope: &str) -> bool {
        self.key.is_none_or(|key| key.scopes.contains(&scope))
    }
}

const APP_ADMINS: &[&str] = &OF_APPS;
const EDITORS: &[&str] = &[SCRIPT_READ, SCRIPT_WRITE, ROUTE_WRITE, LOG_READ];
const VIEWERS: &[&str] = &[SCRIPT_READ, LOG_READ];

const OWNER: Person = Person { runs_the_instance: true, member: None, key: None };
const STRANGER: Person = Person { runs_the_instance: false, member: None, key: None };

const fn member(place: Place, scopes: &'static [&'static str]) -> Person {
    Person { runs_the_instance: false, member: Some((place, scopes)), key: None }
}

const fn by_key(person: Person, scopes: &'static [&'static str], bound_to: Option<Place>) -> Person {
    Person { key: Some(Key { scopes, bound_to }), ..person }
}

/// Everybody.
pub(crate) async fn everybody(world: &World) -> Vec<Principal> {
    let mut all = vec![
        Principal { name: "anonymous".to_owned(), token: None, person: None },
        Principal { name: "garbage".to_owned(), token: Some("pics_nonsense".to_owned()), person: None },
        Principal { name: "the owner's login".to_owned(), token: Some(world.app.token.clone()), person: Some(OWNER) },
    ];
    logins(world, &mut all).await;
    keys(world, &mut all).await;
    ended(world, &mut all).await;
    all
}

fn known(name: &str, token: &str, person: Person) -> Principal {
    Principal { name: name.to_owned(), token: Some(token.to_owned()), person: Some(person) }
}

async fn logins(world: &World, all: &mut Vec<Principal>) {
    for (name, role) in [("adm", "admin"), ("eve", "member"), ("vic", "member"), ("otto", "member"), ("sam", "member")] {
        people::add(&world.app, name, role).await;
    }
    people::admit(&world.shop, "eve", "editor").await;
    people::admit(&world.shop, "vic", "viewer").await;
    people::admit(&world.other, "otto", "app_admin").await;
    for (name, person) in [
        ("adm", OWNER),
        ("ada", member(Place::Shop, APP_ADMINS)),
        ("eve", member(Place::Shop, EDITORS)),
        ("vic", member(Place::Shop, VIEWERS)),
        ("otto", member(Place::Other, APP_ADMINS)),
        ("sam", STRANGER),
    ] {
        let login = people::login(&world.app, name).await;
        all.push(known(&format!("the login of {name}"), &login.token, person));
    }
}

async fn keys(world: &World, all: &mut Vec<Principal>) {
    let app = &world.app;
    for one in SCOPES.chunks(1) {
        let key = people::with_key(app, one).await;
        all.push(known(&format!("the owner's key with {one:?}"), &key.token, by_key(OWNER, one, None)));
    }
    let key = people::with_key(app, &SCOPES).await;
    all.push(known("the owner's key with everything", &key.token, by_key(OWNER, &SCOPES, None)));
    for (place, slug) in [(Place::Shop, "shop"), (Place::Other, "other")] {
        let key = people::key(app, json!({ "name": "wide", "scopes": OF_APPS, "app_id": slug })).await;
        all.push(known(&format!("the owner's key for {slug}"), text(&key["token"]), by_key(OWNER, &SCOPES, Some(place))));
    }
    for (name, scopes) in [("ada", APP_ADMINS), ("vic", VIEWERS)] {
        let of = people::login(app, name).await;
        let key = people::key(&of, json!({ "name": "wide", "scopes": OF_APPS })).await;
        let person = by_key(member(Place::Shop, scopes), &SCOPES, None);
        all.push(known(&format!("the key of {name} with everything"), text(&key["token"]), person));
    }
    // The API gives no `instance:admin` to a key for one app, nor to a member's. One that had it all the same could do nothing
    // with it.
    let mut db = app.database.connect().await;
    let every = SCOPES.map(|scope| format!("'{scope}'")).join(", ");
    run(&mut db, &format!("UPDATE api_keys SET scopes = ARRAY[{every}] WHERE name = 'wide'")).await;
}

/// Credentials that were good once.
async fn ended(world: &World, all: &mut Vec<Principal>) {
    let app = &world.app;
    let mut db = app.database.connect().await;
    let mut nobody = |name: &str, token: &str| {
        all.push(Principal { name: name.to_owned(), token: Some(token.to_owned()), person: None });
    };
    let key = people::key(app, json!({ "name": "expired", "scopes": SCOPES })).await;
    run(
        &mut db,
        "UPDATE api_keys SET created_at = created_at - interval '2 h', expires_at = created_at - interval '1 h'
         WHERE name = 'expired'",
    )
    .await;
    nobody("an expired key", text(&key["token"]));

    let key = people::key(app, json!({ "name": "taken back", "scopes": SCOPES })).await;
    app.delete(&format!("/admin/api-keys/{}", people::id(&key))).await.expect(204);
    nobody("a key that was taken back", text(&key["token"]));

    let mut login = app.client.clone();
    login.login(USERNAME, PASSWORD).await;
    expire(&mut db, &people::session_id(&login).await).await;
    nobody("an expired login", &login.token);

    let login = people::login(app, "sam").await;
    login.post("/admin/auth/logout", json!({})).await.expect(204);
    nobody("a login that was ended", &login.token);

    // One whom the API deactivated, and one who lost nothing but the right to log in.
    let gone = people::add(app, "gone", "admin").await;
    people::add(app, "lost", "admin").await;
    for name in ["gone", "lost"] {
        let login = people::login(app, name).await;
        let key = people::with_key(&login, &SCOPES).await;
        nobody(&format!("the login of {name}, who is deactivated"), &login.token);
        nobody(&format!("the key of {name}, who is deactivated"), &key.token);
    }
    app.patch(&format!("/admin/users/{gone}"), json!({ "active": false })).await.expect(200);
    run(&mut db, "UPDATE users SET deactivated_at = now() WHERE username = 'lost'").await;
}

async fn expire(db: &mut PgConnection, session: &str) {
    run(
        db,
        &format!(
            "UPDATE sessions SET created_at = created_at - interval '8 days', last_used_at = last_used_at - interval '8 days',
                    expires_at = now() - interval '1 s'
             WHERE id = '{session}'"
        ),
    )
    .await;
}
