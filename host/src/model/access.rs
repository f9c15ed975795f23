//! Who may do what: principals, scopes, and the rule that every endpoint carries. Pure; `api` enforces it.
//!
//! Access is what the role grants. Nothing here knows an app's members yet: a member of the instance has no role in
//! any app, so nothing of any app is theirs.

use crate::id::{SessionId, UserId};

use crate::model::delivery::Registrant;
pub use crate::model::user::Role;

/// Who acts, proven by a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub user_id: UserId,
    pub username: String,
    pub role: Role,
    /// The login that proved it; `logout` ends exactly this one.
    pub session_id: SessionId,
}

/// What a credential may do. Seven and never more: finer rights map onto them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    ScriptRead,
    ScriptWrite,
    RouteWrite,
    DomainManage,
    LogRead,
    AppAdmin,
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
}

/// The access rule of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anyone; credentials are not even looked at.
    Public,
    /// Any known principal, about themselves or about what every principal may know.
    SignedIn,
    /// The scope on the whole instance.
    Instance(Scope),
    /// The scope on the app of the thing that the path names. Refused looks like absent.
    App(Scope),
    /// The same, but who is known and may not is told so, whether or not the thing is there.
    Known(Scope),
    /// The scope on an app that the body or the query names, or on any app at all (collections).
    SomeApp(Scope),
}

/// Why a rule refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No credential, or one that is not valid.
    Unauthenticated,
    /// Known, without this scope.
    Forbidden(Scope),
    /// Known, and the thing must not be told from an absent one.
    Hidden,
}

/// Whether `principal` may call an endpoint that carries `rule`.
pub fn decide(principal: Option<&Principal>, rule: Rule) -> Result<(), Denial> {
    if rule == Rule::Public {
        return Ok(());
    }
    let principal = principal.ok_or(Denial::Unauthenticated)?;
    match rule {
        Rule::Public | Rule::SignedIn => Ok(()),
        Rule::Instance(scope) | Rule::App(scope) | Rule::Known(scope) | Rule::SomeApp(scope) if grants(principal.role, scope) => {
            Ok(())
        }
        Rule::App(_) => Err(Denial::Hidden),
        Rule::Instance(scope) | Rule::Known(scope) | Rule::SomeApp(scope) => Err(Denial::Forbidden(scope)),
    }
}

/// Whether a trigger may go on running as this person: who registers one needs the same right.
pub fn may_run_triggers(registrant: &Registrant) -> bool {
    registrant.is_active && grants(registrant.role, Scope::AppAdmin)
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::DateTime;

    use super::*;

    fn principal(role: Role) -> Principal {
        let now = DateTime::UNIX_EPOCH;
        Principal { user_id: UserId::at(now), username: "ada".into(), role, session_id: SessionId::at(now) }
    }

    fn rules() -> impl Iterator<Item = Rule> {
        Scope::ALL.into_iter().flat_map(|s| [Rule::Instance(s), Rule::App(s), Rule::Known(s), Rule::SomeApp(s)])
    }

    #[test]
    fn only_public_endpoints_answer_strangers() {
        assert_eq!(decide(None, Rule::Public), Ok(()));
        for rule in rules().chain([Rule::SignedIn]) {
            assert_eq!(decide(None, rule), Err(Denial::Unauthenticated), "{rule:?}");
        }
    }

    #[test]
    fn owners_and_admins_may_everything() {
        for role in [Role::Owner, Role::Admin] {
            for rule in rules().chain([Rule::Public, Rule::SignedIn]) {
                assert_eq!(decide(Some(&principal(role)), rule), Ok(()), "{role:?} {rule:?}");
            }
        }
    }

    #[test]
    fn a_member_without_a_role_in_an_app_sees_nothing_of_it() {
        let member = principal(Role::Member);
        assert_eq!(decide(Some(&member), Rule::Public), Ok(()));
        assert_eq!(decide(Some(&member), Rule::SignedIn), Ok(()));
        for scope in Scope::ALL {
            assert_eq!(decide(Some(&member), Rule::App(scope)), Err(Denial::Hidden));
            assert_eq!(decide(Some(&member), Rule::Known(scope)), Err(Denial::Forbidden(scope)));
            assert_eq!(decide(Some(&member), Rule::SomeApp(scope)), Err(Denial::Forbidden(scope)));
            assert_eq!(decide(Some(&member), Rule::Instance(scope)), Err(Denial::Forbidden(scope)));
        }
    }

    #[test]
    fn every_scope_has_its_own_word() {
        let words: HashSet<_> = Scope::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(words.len(), 7);
    }
}
