//! An app comes out of an archive, in one transaction: the app with its scripts, each source once it was checked, what the
//! sources reach with their modules, entries, documents, files, and last the routes and triggers that lead to the scripts.
//!
//! No event tells of any of it: what comes in has happened elsewhere. Triggers run as whoever imports. The app has the platform's
//! default quota: an archive that does not fit into it is refused (507).

use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::OwnedSemaphorePermit;

use super::unpack::{Incoming, Item, Judge, Source};
use super::unplaced::{Leftovers, copy};
use crate::blobs::Placed;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, FileId, RouteId, ScriptId, TriggerId};
use crate::limits::ARCHIVE_BATCH_ROWS;
use crate::model::access::{Principal, Scope};
use crate::model::app::App;
use crate::model::archive::plan::{PlannedRoute, PlannedScript, PlannedTrigger};
use crate::model::archive::{Bounds, Counts, FileEntry, MANIFEST, Notes, Plan, Wanted, refused, refusing, source_entry};
use crate::model::files::{Blob, File, Metadata};
use crate::model::grant::{Capability, Grants};
use crate::model::import::{self, Graph};
use crate::model::quota::Quota;
use crate::model::route::{self, Route};
use crate::model::script::{self, Module, Script, Version};
use crate::model::storage::{self, Used};
use crate::model::trigger::{Rule, State, Trigger};
use crate::service::audit::{self, Change};
use crate::service::{Services, access, apps, deployments, files, mail_in, realtime, topics};
use crate::store::{self, Tx};

/// An app that is being made of an archive. Dropped before it is finished, nothing of it remains.
pub struct Import<'s> {
    s: &'s Services,
    by: &'s Principal,
    now: DateTime<Utc>,
    incoming: Incoming,
    tx: Tx,
    app: App,
    plan: Plan,
    scripts: Vec<Made>,
    /// Of their active versions, once all are there.
    graph: Graph,
    counts: Counts,
    /// Whose blobs are placed and whose rows are not added yet, with their collections.
    files: Vec<(String, File)>,
    next_expiry: Option<DateTime<Utc>>,
    leftovers: Leftovers<'s>,
    _place: OwnedSemaphorePermit,
}

/// A script, as far as it was made.
struct Made {
    id: ScriptId,
    versions: Vec<MadeVersion>,
}

struct MadeVersion {
    number: i32,
    capabilities: Vec<String>,
    imports: Vec<String>,
}

/// A source that must be checked before it is stored.
#[derive(Debug)]
pub struct Unchecked {
    pub name: String,
    pub kind: script::Kind,
    pub number: i32,
    pub source: String,
    script: usize,
    version: usize,
}

/// Modules that must be possible to make ready, in this order.
#[derive(Debug)]
pub struct Tried {
    pub script: String,
    pub number: i32,
    pub modules: Vec<Module>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Imported {
    pub app: App,
    /// Of what was made.
    pub counts: Counts,
    /// What whoever imports should know: what is not as it was, and what is to be done.
    pub notes: Vec<String>,
}

impl Unchecked {
    /// The refusal of it, with its line.
    pub fn refused(&self, line: Option<u32>, why: impl Display) -> Error {
        refused(&source_entry(&self.name, self.number), line.map(u64::from), why)
    }
}

impl Tried {
    pub fn refused(&self, why: impl Display) -> Error {
        refused(&source_entry(&self.script, self.number), None, why)
    }
}

impl<'s> Import<'s> {
    /// Begins with what the archive says first: makes the app, and its scripts without their versions.
    ///
    /// # Errors
    /// 503 when too many are under way; 422 `invalid_archive` and 507, also from every other step; 409 for a slug that is taken.
    pub async fn begin(s: &'s Services, by: &'s Principal, from: Source, wanted: Wanted, bounds: Bounds) -> Result<Self> {
        let (place, now, quota) = (s.archives.import()?, s.now(), Quota::default());
        let judge = Judge { wanted, apps_domain: s.apps_domain.clone(), now, bounds, quota };
        let mut incoming = Incoming::start(from, judge);
        let Item::Plan(plan) = incoming.next().await? else { return Err(out_of_order()) };
        storage::check_count("scripts", plan.scripts.len() as u64, quota.scripts)?;
        storage::check_count("triggers", plan.triggers.len() as u64, quota.triggers)?;
        let mut tx = store::begin(&s.db).await?;
        store::allow_rest(&mut tx).await?;
        store::archive::announce_import(&mut tx).await?;
        let app = make_app(&mut tx, by, &plan, now).await?;
        let mut scripts = Vec::with_capacity(plan.scripts.len());
        for planned in &plan.scripts {
            scripts.push(make_script(&mut tx, by, app.id, planned, now).await?);
        }
        let leftovers = Leftovers::of(s, app.id);
        Ok(Self {
            s,
            by,
            now,
            incoming,
            tx,
            app,
            plan: *plan,
            scripts,
            graph: Graph::default(),
            counts: Counts::default(),
            files: Vec::new(),
            next_expiry: None,
            leftovers,
            _place: place,
        })
    }

    /// The next source to be checked; none once all came.
    pub async fn next_source(&mut self) -> Result<Option<Unchecked>> {
        let (script, version, source) = match self.incoming.next().await? {
            Item::Source { script, version, text } => (script, version, text),
            other => {
                self.incoming.put_back(other);
                return Ok(None);
            }
        };
        let planned = self.plan.scripts.get(script).ok_or_else(out_of_order)?;
        let number = planned.versions.get(version).ok_or_else(out_of_order)?.number;
        Ok(Some(Unchecked { name: planned.name.clone(), kind: planned.kind, number, source, script, version }))
    }

    /// Stores a source that was found to be good: what it can reach, and what it imports.
    pub async fn checked(&mut self, source: Unchecked, capabilities: Vec<String>, imports: Vec<String>) -> Result<()> {
        if let Some(foreign) = imports.iter().find(|name| script::check_name(name).is_err()) {
            return Err(source.refused(None, format!("it imports `{foreign}`, which is no name of a script")));
        }
        let planned = self.plan.scripts.get(source.script).and_then(|script| script.versions.get(source.version));
        let (planned, made) = planned.zip(self.scripts.get_mut(source.script)).ok_or_else(out_of_order)?;
        let version = Version {
            number: planned.number,
            digest: planned.digest.clone(),
            source: source.source,
            limits: planned.limits,
            capabilities: capabilities.clone(),
            own_capabilities: capabilities.clone(),
            imports: imports.clone(),
            message: String::new(),
            created_by: Some(self.by.user_id),
            created_at: planned.created_at,
        };
        store::scripts::insert_version(&mut self.tx, self.app.id, made.id, &version).await?;
        made.versions.push(MadeVersion { number: planned.number, capabilities, imports });
        self.counts.versions += 1;
        Ok(())
    }

    /// Finds out what every version reaches with the modules that are active. An active version whose modules are not there, or
    /// are none, is refused; an earlier one may have been left behind by them.
    pub async fn resolve(&mut self) -> Result<()> {
        let graph = Graph::new(store::imports::nodes(&mut self.tx, self.app.id).await?);
        let (mut versions, mut reached) = (Vec::new(), Vec::new());
        for (planned, made) in self.plan.scripts.iter().zip(&self.scripts) {
            for version in &made.versions {
                let is_active = version.number == planned.active;
                let all = match graph.closure_of_names(&planned.name, &version.imports) {
                    Ok(closure) => import::capabilities(&version.capabilities, &closure),
                    Err(error) if is_active => {
                        return Err(refusing(&source_entry(&planned.name, version.number), None, error));
                    }
                    Err(_) => version.capabilities.clone(),
                };
                if is_active {
                    note_refused(&mut self.plan.notes, &self.plan.grants, &planned.name, &all);
                }
                if all != version.capabilities {
                    versions.push((made.id, version.number));
                    reached.push(all);
                }
            }
        }
        self.graph = graph;
        Ok(store::archive::put_capabilities(&mut self.tx, self.app.id, &versions, &reached).await?)
    }

    /// How many scripts there are.
    pub fn scripts(&self) -> usize {
        self.scripts.len()
    }

    /// The modules that the active version of one of the scripts needs, a module itself among them; none where none are needed.
    /// Once they are resolved.
    pub async fn tried(&mut self, script: usize) -> Result<Option<Tried>> {
        let (planned, made) = self.plan.scripts.get(script).zip(self.scripts.get(script)).ok_or_else(out_of_order)?;
        let active = made.versions.iter().find(|version| version.number == planned.active).ok_or_else(out_of_order)?;
        let closure = self.graph.closure_of_names(&planned.name, &active.imports)?;
        let mut versions: Vec<_> = closure.iter().map(|node| (node.id, node.version)).collect();
        if planned.kind == script::Kind::Module {
            versions.push((made.id, active.number));
        }
        if versions.is_empty() {
            return Ok(None);
        }
        let modules = store::imports::sources(&mut self.tx, &versions).await?;
        Ok(Some(Tried { script: planned.name.clone(), number: planned.active, modules }))
    }

    /// Takes in all the rest, and commits.
    pub async fn finish(mut self) -> Result<Imported> {
        let held = self.fill().await?;
        let expired = held.kv_entries.saturating_sub(self.counts.kv_entries);
        if expired > 0 {
            self.plan.notes.add(format!("{expired} KV entries have expired since the export, and were left out"));
        }
        self.counts.scripts = self.scripts.len() as u64;
        self.counts.routes = self.make_routes().await?;
        self.counts.triggers = self.make_triggers().await?;
        topics::put(&mut self.tx, self.now, self.app.id, &BTreeMap::new(), &self.plan.topics).await?;
        let Self { s, by, now, mut tx, app, plan, counts, next_expiry, mut leftovers, .. } = self;
        store::signals::routing_changed(&mut tx).await?;
        // Of nodes beside a command at the machine, too: schedules have their next tick.
        store::signals::events_added(&mut tx).await?;
        // An archive may take its time to come: whoever lost the right meanwhile makes nothing.
        let by = &access::again(&mut tx, s.now(), by).await?;
        by.decide_on_instance(Scope::InstanceAdmin).map_err(|_| access::forbidden(Scope::InstanceAdmin))?;
        deployments::record(&mut tx, app.id, Some(by), "app.import", "", now).await?;
        audit::append(&mut tx, now, Some(by), told(&app, &plan, counts)).await?;
        let (on_disk, doubt) = (files::blobs(s)?.doubt(), s.events.doubt());
        // From here on only a sweep can tell whether the app is there.
        leftovers.are_there = false;
        tx.commit().await?;
        on_disk.settle();
        doubt.settle_changed();
        s.kv_expiry.note(next_expiry);
        s.reload_routing().await;
        tracing::info!(app.id = %app.id, user.id = %by.user_id, scripts = counts.scripts, "app imported");
        Ok(Imported { app, counts, notes: plan.notes.into_texts() })
    }

    /// Entries, documents and files, to the end of the archive; what that says there were.
    async fn fill(&mut self) -> Result<Counts> {
        let (app, revision) = (self.app.id, self.now.timestamp_micros());
        loop {
            match self.incoming.next().await? {
                Item::Kv(entries) => {
                    store::archive::insert_kv(&mut self.tx, app, &entries, revision).await.map_err(store::refusal)?;
                    self.counts.kv_entries += entries.len() as u64;
                    let expiries = entries.iter().filter_map(|entry| entry.expires_at);
                    self.next_expiry = expiries.chain(self.next_expiry).min();
                }
                Item::Documents(documents) => {
                    let inserted = store::archive::insert_documents(&mut self.tx, app, &documents, revision).await;
                    inserted.map_err(store::refusal)?;
                    self.counts.documents += documents.len() as u64;
                }
                Item::Content(files) => self.content(files).await?,
                Item::End(counts) => {
                    self.add_files().await?;
                    return Ok(counts);
                }
                Item::Plan(_) | Item::Source { .. } | Item::Piece { .. } => return Err(out_of_order()),
            }
        }
    }

    /// Stores a content for each file that has it: a file has its blob to itself.
    async fn content(&mut self, named: Vec<FileEntry>) -> Result<()> {
        self.leftovers.are_there = true;
        let mut first: Option<Blob> = None;
        for file in named {
            let placed = match &first {
                None => self.receive().await?,
                Some(blob) => copy(self.s, self.app.id, blob.clone()).await?,
            };
            let blob = placed.blob.clone();
            let (collection, file) = (file.collection.clone(), self.file(file, &blob));
            self.files.push((collection, file));
            // The directory of the app goes as a whole, or stays.
            placed.keep();
            first = first.or(Some(blob));
            if self.files.len() >= ARCHIVE_BATCH_ROWS {
                self.add_files().await?;
            }
        }
        Ok(())
    }

    /// Many at a time: what one statement adds is counted once, and every count of a transaction makes the next one dearer.
    async fn add_files(&mut self) -> Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        store::files::insert_all(&mut self.tx, self.app.id, &self.files).await.map_err(store::refusal)?;
        self.counts.files += self.files.len() as u64;
        self.files.clear();
        Ok(())
    }

    async fn receive(&mut self) -> Result<Placed> {
        // Nobody sees the app yet, and the list of its files was held against its quota.
        let mut upload = files::begin_beside(self.s, self.app.id, Used::default()).await?;
        loop {
            let Item::Piece { bytes, is_last } = self.incoming.next().await? else { return Err(out_of_order()) };
            if is_last {
                return upload.place(bytes).await;
            }
            upload = files::append(upload, bytes).await?;
        }
    }

    fn file(&self, entry: FileEntry, blob: &Blob) -> File {
        let metadata = Metadata {
            id: FileId::at(self.now),
            name: entry.name,
            content_type: entry.content_type,
            size_bytes: blob.size_bytes,
            sha256: blob.sha256,
            revision: self.now.timestamp_micros().max(1),
            created_at: entry.created_at,
            updated_at: entry.updated_at,
        };
        File { metadata, blob: blob.clone() }
    }

    /// How many there are.
    async fn make_routes(&mut self) -> Result<u64> {
        let mut made: Vec<Route> = Vec::with_capacity(self.plan.routes.len());
        for planned in std::mem::take(&mut self.plan.routes) {
            let PlannedRoute { script, method, host, path, dispatch_mode } = planned;
            let script_id = self.scripts.get(script).ok_or_else(out_of_order)?.id;
            let (id, app_id, created_at) = (RouteId::at(self.now), self.app.id, self.now);
            let route = Route { id, app_id, script_id, method, host, path, dispatch_mode, created_at };
            let path = route.path.to_string();
            if mail_in::trigger_of(&path).is_some() || realtime::asked(&path).is_some() {
                let why = format!("the route {route} is below a path that the platform answers itself");
                return Err(refused(MANIFEST, None, why));
            }
            if let Some(other) = route::conflict(&route, &made) {
                return Err(refusing(MANIFEST, None, route::conflict_error(&route, other)));
            }
            store::routes::insert(&mut self.tx, &route, self.by.user_id).await.map_err(store::refusal)?;
            made.push(route);
        }
        Ok(made.len() as u64)
    }

    async fn make_triggers(&mut self) -> Result<u64> {
        let planned = std::mem::take(&mut self.plan.triggers);
        let Counts { kv_entries, documents, files, .. } = self.counts;
        let watches = |trigger: &PlannedTrigger| trigger.is_enabled && matches!(trigger.rule, Rule::Changes { .. });
        if kv_entries + documents + files > 0 && planned.iter().any(watches) {
            self.plan.notes.add("no trigger was told of the entries, documents and files that came in");
        }
        let mut made: Vec<TriggerId> = Vec::with_capacity(planned.len());
        for planned in planned {
            let PlannedTrigger { script, mut rule, about_script, about_trigger, retry, is_enabled } = planned;
            let id_of = |place: usize| self.scripts.get(place).map(|script| script.id).ok_or_else(out_of_order);
            let script_id = id_of(script)?;
            if let Rule::DeadLetter(filter) = &mut rule {
                filter.script_id = about_script.map(id_of).transpose()?;
                let about = about_trigger.map(|place| made.get(place).copied().ok_or_else(out_of_order));
                filter.trigger_id = about.transpose()?;
            }
            let trigger = Trigger {
                id: TriggerId::at(self.now),
                app_id: self.app.id,
                script_id,
                rule,
                retry,
                state: if is_enabled { State::Active } else { State::Disabled },
                registered_by: Some(self.by.user_id),
                created_at: self.now,
                updated_at: self.now,
            };
            if !store::triggers::insert(&mut self.tx, &trigger).await.map_err(store::refusal)? {
                return Err(Error::internal("a queue has two consumers"));
            }
            made.push(trigger.id);
        }
        Ok(made.len() as u64)
    }
}

/// The app, under the slug that it is to have.
async fn make_app(tx: &mut PgConnection, by: &Principal, plan: &Plan, now: DateTime<Utc>) -> Result<App> {
    let (slug, name, cors_origins) = (plan.app.slug.clone(), plan.app.name.clone(), plan.cors_origins.clone());
    let mut app = App { id: AppId::at(now), slug, name, cors_origins, created_at: now, updated_at: now };
    if !store::apps::insert(tx, &app, by.user_id).await.map_err(store::refusal)? {
        return Err(elsewhere(apps::slug_taken(tx, by, &app.slug).await?));
    }
    apps::take_slug(tx, by, &app, false).await.map_err(elsewhere)?;
    app.updated_at = store::apps::put_grants(tx, app.id, &plan.grants, now).await?;
    Ok(app)
}

/// An import takes no slug from another app.
fn elsewhere(error: Error) -> Error {
    if error.kind != Kind::Conflict {
        return error;
    }
    Error { message: "the slug is another app's, or still leads to one; import under another slug".into(), ..error }
}

async fn make_script(
    tx: &mut PgConnection,
    by: &Principal,
    app: AppId,
    planned: &PlannedScript,
    now: DateTime<Utc>,
) -> Result<Made> {
    // Of its active version only the number goes into the row; the version itself follows.
    let active = Version {
        number: planned.active,
        digest: String::new(),
        source: String::new(),
        limits: Default::default(),
        capabilities: Vec::new(),
        own_capabilities: Vec::new(),
        imports: Vec::new(),
        message: String::new(),
        created_by: Some(by.user_id),
        created_at: planned.created_at,
    };
    let script = Script {
        id: ScriptId::at(now),
        app_id: app,
        name: planned.name.clone(),
        kind: planned.kind,
        description: planned.description.clone(),
        active,
        generation: 0,
        created_at: planned.created_at,
        updated_at: now,
    };
    if !store::scripts::insert(tx, &script, by.user_id).await.map_err(store::refusal)? {
        return Err(Error::internal("a script came twice"));
    }
    Ok(Made { id: script.id, versions: Vec::with_capacity(planned.versions.len()) })
}

/// What an app was published with and does not grant any more is refused at the call, as it was before.
fn note_refused(notes: &mut Notes, grants: &Grants, script: &str, capabilities: &[String]) {
    let refused = capabilities.iter().filter(|word| Capability::from_word(word).is_some_and(|c| !grants.allows_some(c)));
    for word in refused {
        notes.add(format!("the script {script} calls {word}, which the app does not grant: such calls are refused"));
    }
}

fn told(app: &App, plan: &Plan, counts: Counts) -> Change {
    let from = json!({ "slug": plan.from.slug, "picloud": plan.from.picloud, "exported_at": plan.from.exported_at });
    let after = json!({
        "slug": app.slug,
        "name": app.name,
        "cors_origins": app.cors_origins,
        "grants": plan.grants.to_json(),
        "counts": counts,
        "from": from,
    });
    Change { action: "app.import", app_id: Some(app.id), target: app.id.to_string(), before: None, after: Some(after) }
}

/// `unpack` gives things in their order.
fn out_of_order() -> Error {
    Error::internal("what an archive holds came out of order")
}
