//! The routes of one app, laid out for asking: exact paths in a hash map, the others in a trie of segments.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::id::AppId;
use crate::limits;
use crate::model::grant::Grants;
use crate::model::invocation::Deployed;
use crate::model::quota::Quota;
use crate::model::route::host::HostRank;
use crate::model::route::method::MethodRank;
use crate::model::route::path::{self, Segment};
use crate::model::route::{PathFault, PathKind, Route, SourceApp, host, method};
use crate::model::split::Split;

/// An app as the data plane knows it. Never changed, only replaced.
#[derive(Debug)]
pub struct AppTable {
    pub app_id: AppId,
    pub slug: String,
    /// `{slug}.{apps domain}`; every name below it is the app's too, and so are its proven domains.
    pub host: String,
    /// Origins that browsers may call from; `*` is any.
    pub cors_origins: Vec<String>,
    /// What its scripts may reach.
    pub grants: Grants,
    /// What it may use.
    pub quota: Quota,
    /// Which of its deployments answers a part of its requests beside the one that runs.
    pub split: Option<Split>,
    /// By age: the index decides between routes that nothing else decides between, which conflicts rule out.
    entries: Vec<Entry>,
    exact: HashMap<Box<str>, Vec<usize>>,
    /// The first is the root; empty when every route is exact.
    nodes: Vec<Node>,
}

/// What an app's routes say to a request.
#[derive(Debug)]
pub enum Lookup<'t> {
    Found(Found<'t>),
    /// Routes match host and path, none the method: what they do allow, sorted, with HEAD beside GET and with OPTIONS,
    /// which the platform answers itself. A route for any method stands for the usual ones.
    OtherMethod {
        allow: Vec<&'t str>,
    },
    NotFound,
    Malformed(PathFault),
}

/// The route that answers.
#[derive(Debug)]
pub struct Found<'t> {
    pub route: &'t Route,
    pub script: &'t Arc<Deployed>,
    /// Values of the `:name` segments, percent-decoded, in the order of the path.
    pub params: Vec<(String, String)>,
    /// What a prefix left over, percent-decoded; never empty, never with a leading slash.
    pub rest: Option<String>,
}

#[derive(Debug)]
struct Entry {
    route: Route,
    script: Arc<Deployed>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize>,
    param: Option<usize>,
    /// Param routes that end here.
    here: Vec<usize>,
    /// Prefix routes whose rest begins here.
    below: Vec<usize>,
}

impl AppTable {
    /// A table of `routes`, which are this app's, each with the script that it leads to. Their order means nothing.
    pub(super) fn new(app: SourceApp, host: String, split: Option<Split>, routes: Vec<(Route, Arc<Deployed>)>) -> Self {
        let mut entries: Vec<Entry> = routes.into_iter().map(|(route, script)| Entry { route, script }).collect();
        entries.sort_by_key(|entry| (entry.route.created_at, entry.route.id));
        let SourceApp { id: app_id, slug, cors_origins, grants, quota } = app;
        let (exact, nodes) = (HashMap::new(), Vec::new());
        let mut table = Self { app_id, slug, host, cors_origins, grants, quota, split, entries: Vec::new(), exact, nodes };
        for (index, entry) in entries.iter().enumerate() {
            table.insert(index, &entry.route);
        }
        table.entries = entries;
        table
    }

    /// The same app with other routes, as another of its deployments has them.
    pub fn with_routes(&self, routes: Vec<(Route, Arc<Deployed>)>) -> Self {
        let (id, slug, cors_origins) = (self.app_id, self.slug.clone(), self.cors_origins.clone());
        let app = SourceApp { id, slug, cors_origins, grants: self.grants.clone(), quota: self.quota };
        Self::new(app, self.host.clone(), None, routes)
    }

    /// The route that answers a request to `host` (normalised, this app's) with `path` (as sent, without the query).
    /// An exact path without escapes is found without allocation.
    pub fn lookup(&self, host: &str, method: &str, path: &str) -> Lookup<'_> {
        if path.len() > limits::REQUEST_TARGET_BYTES_MAX {
            return Lookup::Malformed(PathFault::TooLong);
        }
        let mut best = Best { table: self, host, method, index: None };
        let escaped = path.contains('%');
        if !escaped && let Some(found) = self.lookup_exact(path, &mut best) {
            return Lookup::Found(found);
        }
        let segments = match path::split(path) {
            Ok(segments) => segments,
            Err(fault) => return Lookup::Malformed(fault),
        };
        if escaped && let Some(found) = self.lookup_exact(&key_of(&segments), &mut best) {
            return Lookup::Found(found);
        }
        for kind in [PathKind::Param, PathKind::Prefix] {
            self.walk_leading(kind, 0, &segments, &mut best);
            if let Some(entry) = best.entry() {
                let (params, rest) = entry.route.path.capture(&segments);
                return Lookup::Found(Found { route: &entry.route, script: &entry.script, params, rest });
            }
        }
        match self.allowed(host, &segments) {
            allow if allow.is_empty() => Lookup::NotFound,
            allow => Lookup::OtherMethod { allow },
        }
    }

    /// The app's routes, oldest first.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.entries.iter().map(|entry| &entry.route)
    }

    fn insert(&mut self, index: usize, route: &Route) {
        let kind = route.path.kind();
        if kind == PathKind::Exact {
            let mut key = String::new();
            for segment in route.path.segments() {
                let (Segment::Literal(text) | Segment::Param(text)) = segment;
                path::push_key(&mut key, text);
            }
            self.exact.entry(key.into_boxed_str()).or_default().push(index);
            return;
        }
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for segment in route.path.segments() {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = match segment {
                Segment::Literal(text) => *node.literals.entry(text.as_str().into()).or_insert(next),
                Segment::Param(_) => *node.param.get_or_insert(next),
            };
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            let routes = if kind == PathKind::Prefix { &mut node.below } else { &mut node.here };
            routes.push(index);
        }
    }

    fn lookup_exact<'t>(&'t self, key: &str, best: &mut Best<'t, '_>) -> Option<Found<'t>> {
        best.offer(self.exact.get(key)?);
        let entry = best.entry()?;
        Some(Found { route: &entry.route, script: &entry.script, params: Vec::new(), rest: None })
    }

    /// Follows the literals that the path has in common with routes as far as they go, then offers the routes that
    /// leave them, deepest first: those have more literal leading segments. Stops at the first depth with a match.
    fn walk_leading<'t>(&'t self, kind: PathKind, at: usize, path: &[Cow<'_, str>], seen: &mut impl Seen<'t>) {
        let Some(node) = self.nodes.get(at) else { return };
        let Some((first, rest)) = path.split_first() else { return };
        if let Some(&literal) = node.literals.get(first.as_ref()) {
            self.walk_leading(kind, literal, rest, seen);
        }
        if seen.satisfied() || first.is_empty() {
            return;
        }
        if kind == PathKind::Prefix {
            seen.see(self, &node.below);
        }
        if let Some(param) = node.param {
            self.walk_any(kind, param, rest, seen);
        }
    }

    /// Offers every route of `kind` at or under a node that matches: behind the first parameter all are of equal rank.
    fn walk_any<'t>(&'t self, kind: PathKind, at: usize, path: &[Cow<'_, str>], seen: &mut impl Seen<'t>) {
        let Some(node) = self.nodes.get(at) else { return };
        let Some((first, rest)) = path.split_first() else {
            if kind == PathKind::Param {
                seen.see(self, &node.here);
            }
            return;
        };
        if let Some(&literal) = node.literals.get(first.as_ref()) {
            self.walk_any(kind, literal, rest, seen);
        }
        if first.is_empty() {
            return;
        }
        if kind == PathKind::Prefix {
            seen.see(self, &node.below);
        }
        if let Some(param) = node.param {
            self.walk_any(kind, param, rest, seen);
        }
    }

    fn allowed(&self, host: &str, path: &[Cow<'_, str>]) -> Vec<&str> {
        let mut allowed = Allowed { host, methods: BTreeSet::new() };
        if let Some(routes) = self.exact.get(key_of(path).as_str()) {
            allowed.see(self, routes);
        }
        self.walk_leading(PathKind::Param, 0, path, &mut allowed);
        self.walk_leading(PathKind::Prefix, 0, path, &mut allowed);
        if allowed.methods.contains("GET") {
            allowed.methods.insert("HEAD");
        }
        if !allowed.methods.is_empty() {
            allowed.methods.insert("OPTIONS");
        }
        allowed.methods.into_iter().collect()
    }
}

/// What a walk shows its matches to.
trait Seen<'t> {
    fn see(&mut self, table: &'t AppTable, routes: &'t [usize]);
    /// Routes of lower rank need not be shown any more.
    fn satisfied(&self) -> bool;
}

/// The best of the routes seen, by method and host.
struct Best<'t, 'r> {
    table: &'t AppTable,
    host: &'r str,
    method: &'r str,
    index: Option<(MethodRank, HostRank, usize)>,
}

impl<'t> Best<'t, '_> {
    fn offer(&mut self, routes: &[usize]) {
        for &index in routes {
            let Some(Entry { route, .. }) = self.table.entries.get(index) else { continue };
            let (Some(method), Some(host)) =
                (method::rank(route.method.as_ref(), self.method), host::rank(route.host.as_ref(), self.host))
            else {
                continue;
            };
            let rank = (method, host, index);
            if self.index.is_none_or(|best| rank < best) {
                self.index = Some(rank);
            }
        }
    }

    fn entry(&self) -> Option<&'t Entry> {
        self.index.and_then(|(_, _, index)| self.table.entries.get(index))
    }
}

impl<'t> Seen<'t> for Best<'t, '_> {
    fn see(&mut self, _: &'t AppTable, routes: &'t [usize]) {
        self.offer(routes);
    }

    fn satisfied(&self) -> bool {
        self.index.is_some()
    }
}

/// The methods of every route seen.
struct Allowed<'t, 'r> {
    host: &'r str,
    methods: BTreeSet<&'t str>,
}

impl<'t> Seen<'t> for Allowed<'t, '_> {
    fn see(&mut self, table: &'t AppTable, routes: &'t [usize]) {
        for Entry { route, .. } in routes.iter().filter_map(|&index| table.entries.get(index)) {
            if host::rank(route.host.as_ref(), self.host).is_some() {
                match &route.method {
                    Some(method) => self.methods.extend([method.as_str()]),
                    None => self.methods.extend(["DELETE", "GET", "PATCH", "POST", "PUT"]),
                }
            }
        }
    }

    fn satisfied(&self) -> bool {
        false
    }
}

fn key_of(path: &[Cow<'_, str>]) -> String {
    let mut key = String::with_capacity(path.iter().map(|segment| segment.len() + 1).sum());
    for segment in path {
        path::push_key(&mut key, segment);
    }
    key
}
