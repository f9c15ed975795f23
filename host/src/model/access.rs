//! Who may do what: principals, scopes, and the rule that every endpoint carries. Pure; `api` enforces it.
//!
//! The effective right is the intersection of three: what the role brings (the instance's, or the one in the app), what the
//! credential's scopes leave of it, and the app that the credential is bound to. The two tables of roles, [`grants`] and
//! [`app_grants`], are all there is: every finer right is one of the seven scopes on an endpoint.

use std::net::IpAddr;

use crate::id::{ApiKeyId, AppId, RequestId, SessionId, UserId};
use crate::model::delivery::Registrant;
use crate::model::member::AppRole;
pub use crate::model::user::Role;
use crate::model::user::User;

/// Who acts, proven by a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub user_id: UserId,
    pub username: String,
    pub role: Role,
    pub credential: Credential,
    pub origin: Origin,
}

/// What proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A login: all that the person may.
    Session(SessionId),
    /// An API key: never more than the person may, and no more than this.
    Key { id: ApiKeyId, scopes: Scopes, app_id: Option<AppId> },
    /// A command at the machine, in a person's place: all that the person may.
    Operator,
}

/// Where a request came from, for the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub request_id: Option<RequestId>,
}

/// What a credential may do. Seven and never more: finer rights map onto them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum Scope {
    #[serde(rename = "script:read")]
    ScriptRead,
    #[serde(rename = "script:write")]
    ScriptWrite,
    #[serde(rename = "route:write")]
    RouteWrite,
    #[serde(rename = "domain:manage")]
    DomainManage,
    #[serde(rename = "log:read")]
    LogRead,
    #[serde(rename = "app:admin")]
    AppAdmin,
    #[serde(rename = "instance:admin")]
    InstanceAdmin,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::ScriptRead,
        Self::ScriptWrite,
        Self::RouteWrite,
        Self::DomainManage,
        Self::LogRead,
        Self::AppAdmin,
        Self::InstanceAdmin,
    ];

    /// The word in SQL, JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScriptRead => "script:read",
            Self::ScriptWrite => "script:write",
            Self::RouteWrite => "route:write",
            Self::DomainManage => "domain:manage",
            Self::LogRead => "log:read",
            Self::AppAdmin => "app:admin",
            Self::InstanceAdmin => "instance:admin",
        }
    }

    /// The scope of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | Self::bit(scope)))
    }
}

/// The access rule of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anyone; credentials are not even looked at.
    Public,
    /// Any known principal, about themselves or about what every principal may know.
    SignedIn,
    /// A login, whoever's: what a leaked API key must not reach.
    LoggedIn,
    /// The scope on the whole instance.
    Instance(Scope),
    /// The scope on the app of the thing that the path names. An app that the principal has no part in looks absent.
    App(Scope),
    /// The scope on an app that the body or the query names, or on any app at all (collections).
    SomeApp(Scope),
}

/// An app, as a principal stands to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub app_id: AppId,
    /// Of a person who is no member: none.
    pub role: Option<AppRole>,
}

/// The apps that a principal sees in lists; `None` leaves a bound out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sight {
    /// Those that this person is a member of.
    pub member: Option<UserId>,
    /// This one.
    pub app_id: Option<AppId>,
}

/// Why a rule refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No credential, or one that is not valid.
    Unauthenticated,
    /// Known, without this scope.
    Forbidden(Scope),
    /// Known by an API key where a login is needed.
    LoginNeeded,
    /// Known, and the thing must not be told from an absent one.
    Hidden,
}

/// Whether `principal` may call an endpoint that carries `rule`, as far as that is known before the app is. Of `App` and
/// `SomeApp` that is: there is a principal, and their credential brings the scope at all; [`Principal::decide_on`] has the rest.
pub fn decide(principal: Option<&Principal>, rule: Rule) -> Result<(), Denial> {
    if rule == Rule::Public {
        return Ok(());
    }
    let principal = principal.ok_or(Denial::Unauthenticated)?;
    match rule {
        Rule::Public | Rule::SignedIn | Rule::App(_) => Ok(()),
        Rule::LoggedIn => match principal.credential {
            Credential::Session(_) | Credential::Operator => Ok(()),
            Credential::Key { .. } => Err(Denial::LoginNeeded),
        },
        Rule::Instance(scope) => principal.decide_on_instance(scope),
        Rule::SomeApp(scope) if principal.scopes_leave(scope) => Ok(()),
        Rule::SomeApp(scope) => Err(Denial::Forbidden(scope)),
    }
}

impl Principal {
    /// Whoever sits at the machine, in that person's place.
    pub fn operator_as(user: &User) -> Self {
        let (username, credential, origin) = (user.username.clone(), Credential::Operator, Origin::default());
        Self { user_id: user.id, username, role: user.role, credential, origin }
    }

    /// Whether they may on the whole instance: a key that is bound to an app may nothing there.
    pub fn decide_on_instance(&self, scope: Scope) -> Result<(), Denial> {
        if grants(self.role, scope) && self.scopes_leave(scope) && self.bound_to().is_none() {
            return Ok(());
        }
        Err(Denial::Forbidden(scope))
    }

    /// Whether they may on an app: hidden where they have no part in it, forbidden where it is theirs without this right.
    pub fn decide_on(&self, app: Standing, scope: Scope) -> Result<(), Denial> {
        let is_bound_elsewhere = self.bound_to().is_some_and(|bound| bound != app.app_id);
        let is_theirs = self.sees_all_apps() || app.role.is_some();
        if is_bound_elsewhere || !is_theirs {
            return Err(Denial::Hidden);
        }
        let is_granted = grants(self.role, scope) || app.role.is_some_and(|role| app_grants(role, scope));
        if is_granted && self.scopes_leave(scope) { Ok(()) } else { Err(Denial::Forbidden(scope)) }
    }

    /// Which apps are theirs to see.
    pub fn sight(&self) -> Sight {
        Sight { member: (!self.sees_all_apps()).then_some(self.user_id), app_id: self.bound_to() }
    }

    /// Whether every app is theirs by their role on the instance.
    pub fn sees_all_apps(&self) -> bool {
        grants(self.role, Scope::ScriptRead)
    }

    /// The login that proved them, if it was one.
    pub fn session_id(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::Key { .. } | Credential::Operator => None,
        }
    }

    /// The app that their credential is good for, if only one.
    pub fn bound_to(&self) -> Option<AppId> {
        match self.credential {
            Credential::Session(_) | Credential::Operator => None,
            Credential::Key { app_id, .. } => app_id,
        }
    }

    fn scopes_leave(&self, scope: Scope) -> bool {
        match self.credential {
            Credential::Session(_) | Credential::Operator => true,
            Credential::Key { scopes, .. } => scopes.contains(scope),
        }
    }
}

/// Whether a trigger may go on running as this person: who registers one needs the same right.
pub fn may_run_triggers(registrant: &Registrant) -> bool {
    let in_app = registrant.app_role.is_some_and(|role| app_grants(role, Scope::AppAdmin));
    registrant.is_active && (in_app || grants(registrant.role, Scope::AppAdmin))
}

/// Whether an instance role brings `scope`, on the instance and so on every app. Written out in full, so that a new
/// role or scope does not compile until someone has decided.
pub fn grants(role: Role, scope: Scope) -> bool {
    match (role, scope) {
        (
            Role::Owner | Role::Admin,
            Scope::ScriptRead
            | Scope::ScriptWrite
            | Scope::RouteWrite
            | Scope::DomainManage
            | Scope::LogRead
            | Scope::AppAdmin
            | Scope::InstanceAdmin,
        ) => true,
        (Role::Member, _) => false,
    }
}

/// Whether a member's role brings `scope` on its app. Written out like [`grants`].
pub fn app_grants(role: AppRole, scope: Scope) -> bool {
    match (role, scope) {
        (AppRole::AppAdmin | AppRole::Editor | AppRole::Viewer, Scope::ScriptRead | Scope::LogRead)
        | (AppRole::AppAdmin | AppRole::Editor, Scope::ScriptWrite | Scope::RouteWrite)
        | (AppRole::AppAdmin, Scope::DomainManage | Scope::AppAdmin) => true,
        (AppRole::Viewer, Scope::ScriptWrite | Scope::RouteWrite)
        | (AppRole::Editor | AppRole::Viewer, Scope::DomainManage | Scope::AppAdmin)
        | (_, Scope::InstanceAdmin) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    const ONE: AppId = AppId(Uuid::from_u128(1));
    const TWO: AppId = AppId(Uuid::from_u128(2));

    fn principal(role: Role) -> Principal {
        let now = DateTime::UNIX_EPOCH;
        let credential = Credential::Session(SessionId::at(now));
        Principal { user_id: UserId::at(now), username: "ada".into(), role, credential, origin: Origin::default() }
    }

    fn key(role: Role, scopes: &[Scope], app_id: Option<AppId>) -> Principal {
        let scopes = scopes.iter().copied().collect();
        let credential = Credential::Key { id: ApiKeyId::at(DateTime::UNIX_EPOCH), scopes, app_id };
        Principal { credential, ..principal(role) }
    }

    fn standing(app_id: AppId, role: Option<AppRole>) -> Standing {
        Standing { app_id, role }
    }

    fn rules() -> impl Iterator<Item = Rule> {
        Scope::ALL.into_iter().flat_map(|s| [Rule::Instance(s), Rule::App(s), Rule::SomeApp(s)])
    }

    #[test]
    fn only_public_endpoints_answer_strangers() {
        assert_eq!(decide(None, Rule::Public), Ok(()));
        for rule in rules().chain([Rule::SignedIn, Rule::LoggedIn]) {
            assert_eq!(decide(None, rule), Err(Denial::Unauthenticated), "{rule:?}");
        }
    }

    #[test]
    fn owners_and_admins_may_everything() {
        for role in [Role::Owner, Role::Admin] {
            for rule in rules().chain([Rule::Public, Rule::SignedIn, Rule::LoggedIn]) {
                assert_eq!(decide(Some(&principal(role)), rule), Ok(()), "{role:?} {rule:?}");
            }
            for scope in Scope::ALL {
                assert_eq!(principal(role).decide_on(standing(ONE, None), scope), Ok(()));
            }
        }
    }

    #[test]
    fn a_member_without_a_role_in_an_app_sees_nothing_of_it() {
        let member = principal(Role::Member);
        for scope in Scope::ALL {
            assert_eq!(member.decide_on(standing(ONE, None), scope), Err(Denial::Hidden));
            assert_eq!(decide(Some(&member), Rule::Instance(scope)), Err(Denial::Forbidden(scope)));
        }
    }

    #[test]
    fn a_role_in_an_app_brings_what_the_table_says_and_nothing_on_the_instance() {
        use Scope::*;
        let expected: [(AppRole, &[Scope]); 3] = [
            (AppRole::AppAdmin, &[ScriptRead, ScriptWrite, RouteWrite, DomainManage, LogRead, AppAdmin]),
            (AppRole::Editor, &[ScriptRead, ScriptWrite, RouteWrite, LogRead]),
            (AppRole::Viewer, &[ScriptRead, LogRead]),
        ];
        let member = principal(Role::Member);
        for (role, scopes) in expected {
            for scope in Scope::ALL {
                let decided = member.decide_on(standing(ONE, Some(role)), scope);
                let right = if scopes.contains(&scope) { Ok(()) } else { Err(Denial::Forbidden(scope)) };
                assert_eq!(decided, right, "{role:?} {scope:?}");
            }
        }
    }

    #[test]
    fn a_key_is_the_intersection_of_role_scopes_and_app() {
        for scope in Scope::ALL {
            for held in Scope::ALL {
                let owner = key(Role::Owner, &[held], None);
                let right = if held == scope { Ok(()) } else { Err(Denial::Forbidden(scope)) };
                assert_eq!(owner.decide_on(standing(ONE, None), scope), right);
                assert_eq!(decide(Some(&owner), Rule::Instance(scope)), right);
                assert_eq!(decide(Some(&owner), Rule::SomeApp(scope)), right);
            }
            let bound = key(Role::Owner, &Scope::ALL, Some(ONE));
            assert_eq!(bound.decide_on(standing(ONE, None), scope), Ok(()));
            assert_eq!(bound.decide_on(standing(TWO, Some(AppRole::AppAdmin)), scope), Err(Denial::Hidden));
            assert_eq!(decide(Some(&bound), Rule::Instance(scope)), Err(Denial::Forbidden(scope)));
            let viewers = key(Role::Member, &Scope::ALL, None).decide_on(standing(ONE, Some(AppRole::Viewer)), scope);
            assert_eq!(viewers.is_ok(), app_grants(AppRole::Viewer, scope), "a key brings nothing that the person has not");
        }
    }

    #[test]
    fn a_key_is_no_login() {
        assert_eq!(decide(Some(&key(Role::Owner, &Scope::ALL, None)), Rule::LoggedIn), Err(Denial::LoginNeeded));
        assert_eq!(decide(Some(&principal(Role::Member)), Rule::LoggedIn), Ok(()));
    }

    #[test]
    fn lists_show_what_is_theirs() {
        assert_eq!(principal(Role::Admin).sight(), Sight::default());
        let member = key(Role::Member, &Scope::ALL, Some(ONE));
        assert_eq!(member.sight(), Sight { member: Some(member.user_id), app_id: Some(ONE) });
    }

    #[test]
    fn every_scope_has_its_own_word_and_json_says_the_same() {
        let words: HashSet<_> = Scope::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(words.len(), 7);
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
            assert_eq!(Scope::from_word(scope.as_str()), Some(scope));
            assert_eq!([scope].into_iter().collect::<Scopes>().iter().collect::<Vec<_>>(), [scope]);
        }
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>().iter().count(), 7);
        assert!(Scopes::default().is_empty());
    }
}
