//! An app goes into an archive: read twice in one snapshot, first for the sizes that a tar says beforehand, then to be written.
//! Contents of files come last, when the snapshot is over; one that is gone by then ends the export.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::pack::{Packed, Packer, Piece};
use crate::blobs::ReadError;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, BlobId, ScriptId};
use crate::limits;
use crate::model::access::Principal;
use crate::model::app::App;
use crate::model::archive::block::whole_bytes;
use crate::model::archive::line::Stored;
use crate::model::archive::manifest::{AppPart, FORMAT, FORMAT_VERSION, RoutePart, ScriptPart, VersionPart};
use crate::model::archive::{self, Counts, DOCS, DocumentEntry, FILES, FileEntry, KV, MANIFEST, Manifest, triggers};
use crate::model::files::Blob;
use crate::model::script::SDK_VERSION;
use crate::service::audit::{self, Change};
use crate::service::{Services, files};
use crate::store;
use crate::store::Tx;

/// Begins to write an app into an archive, with everything but its secrets; the pieces come as they are taken. `by` is nobody for
/// the operator.
///
/// # Errors
/// 404; 503 when too many are under way; 422 `limit_reached` for an app that no archive holds. What goes wrong later comes in
/// place of the next piece.
pub async fn export(s: &Arc<Services>, by: Option<&Principal>, app: AppId) -> Result<Packed> {
    let place = s.archives.export(app, Duration::from_millis(limits::ARCHIVE_EXPORT_WAIT_MS)).await?;
    let mut tx = store::begin_snapshot(&s.db).await?;
    let contents = Contents::read(s, &mut tx, app).await?;
    note(s, by, &contents).await?;
    let (to, pieces) = mpsc::channel(limits::ARCHIVE_PIECES_HELD);
    let packed = Packed::new(contents.counts, contents.unpacked_bytes, pieces);
    let services = s.clone();
    crate::shutdown::spawn("export", async move {
        let _place = place;
        let writing = contents.write(&services, tx, Packer::start(to.clone()));
        let done = timeout(Duration::from_millis(limits::ARCHIVE_EXPORT_MS), writing).await;
        let done = done.unwrap_or_else(|_| Err(Error::new(Kind::TimedOut, "timed_out", "the export took too long")));
        let Err(error) = done else { return tracing::info!(app.id = %app, "app exported") };
        tracing::warn!(app.id = %app, %error, cause = ?error.source, "an export ended before its archive was whole");
        let _ = timeout(Duration::from_millis(limits::ARCHIVE_STALL_MS), to.send(Piece::Failed(error))).await;
    });
    Ok(packed)
}

/// It changes nothing, and yet is noted: it takes everything.
async fn note(s: &Services, by: Option<&Principal>, contents: &Contents) -> Result<()> {
    let App { id, slug, .. } = &contents.app;
    let after = Some(json!({ "slug": slug, "counts": contents.counts }));
    let change = Change { action: "app.export", app_id: Some(*id), target: id.to_string(), before: None, after };
    let mut tx = store::begin(&s.db).await?;
    audit::append(&mut tx, s.now(), by, change).await?;
    Ok(tx.commit().await?)
}

/// What goes into the archive, with the size of everything.
struct Contents {
    app: App,
    now: DateTime<Utc>,
    manifest: Vec<u8>,
    sources: Vec<Source>,
    lists: [(Table, Listed); 3],
    /// By hash, each once.
    held: BTreeMap<[u8; 32], Held>,
    counts: Counts,
    unpacked_bytes: u64,
}

struct Source {
    script: ScriptId,
    number: i32,
    entry: String,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Kv,
    Documents,
    Files,
}

impl Table {
    fn entry(self) -> &'static str {
        match self {
            Self::Kv => KV,
            Self::Documents => DOCS,
            Self::Files => FILES,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Kv => "KV entries",
            Self::Documents => "documents",
            Self::Files => "files",
        }
    }

    fn items_max(self) -> u64 {
        match self {
            Self::Kv => limits::ARCHIVE_KV_ENTRIES_MAX,
            Self::Documents => limits::ARCHIVE_DOCUMENTS_MAX,
            Self::Files => limits::ARCHIVE_FILES_MAX,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Listed {
    items: u64,
    bytes: u64,
}

/// A blob with the content that a hash names, and one file that has it.
struct Held {
    blob: BlobId,
    size_bytes: u64,
    collection: String,
    name: String,
}

/// How far a list was read.
#[derive(Default)]
struct At {
    collection: String,
    name: String,
}

struct Page {
    lines: Vec<u8>,
    items: u64,
    files: Vec<([u8; 32], Held)>,
}

impl Contents {
    async fn read(s: &Services, tx: &mut Tx, app: AppId) -> Result<Self> {
        let now = s.now();
        let app = store::apps::get(tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
        let (manifest, sources) = manifest(s, tx, &app, now).await?;
        let mut counts = Counts {
            scripts: manifest.scripts.len() as u64,
            versions: sources.len() as u64,
            routes: manifest.routes.len() as u64,
            triggers: manifest.triggers.len() as u64,
            ..Counts::default()
        };
        let manifest = manifest.to_json()?;
        too_much("manifest bytes", manifest.len() as u64, limits::ARCHIVE_MANIFEST_BYTES_MAX)?;
        let (mut held, mut restored) = (BTreeMap::new(), 0);
        let kv = listed(tx, app.id, now, Table::Kv, &mut held, &mut restored).await?;
        let documents = listed(tx, app.id, now, Table::Documents, &mut held, &mut restored).await?;
        let files = listed(tx, app.id, now, Table::Files, &mut held, &mut restored).await?;
        too_much("bytes of the list of files", files.bytes, limits::ARCHIVE_FILES_LIST_BYTES_MAX)?;
        too_much("bytes of files", restored, limits::ARCHIVE_UNPACKED_BYTES_MAX)?;
        (counts.kv_entries, counts.documents, counts.files) = (kv.items, documents.items, files.items);
        let lists = [(Table::Kv, kv), (Table::Documents, documents), (Table::Files, files)];
        let sizes = sources.iter().map(|source| source.bytes).chain(lists.iter().map(|(_, listed)| listed.bytes));
        let sizes = sizes.chain(held.values().map(|held| held.size_bytes)).chain([manifest.len() as u64]);
        let unpacked_bytes = sizes.map(whole_bytes).fold(whole_bytes(limits::ARCHIVE_END_BYTES_MAX), u64::saturating_add);
        too_much("bytes", unpacked_bytes, limits::ARCHIVE_UNPACKED_BYTES_MAX)?;
        Ok(Self { app, now, manifest, sources, lists, held, counts, unpacked_bytes })
    }

    async fn write(self, s: &Services, mut tx: Tx, mut to: Packer) -> Result<()> {
        to.entry(MANIFEST, &self.manifest).await?;
        for Source { script, number, entry, .. } in &self.sources {
            let source = store::archive::source(&mut tx, *script, *number).await?;
            to.entry(entry, source.ok_or_else(|| Error::internal("a version lost its source"))?.as_bytes()).await?;
        }
        for (table, listed) in self.lists {
            to.open(table.entry(), listed.bytes).await?;
            let mut at = At::default();
            while let Some(page) = page(&mut tx, self.app.id, self.now, table, &mut at).await? {
                to.write(&page.lines).await?;
            }
            to.close().await?;
        }
        tx.commit().await?;
        for (sha256, held) in self.held {
            content(s, self.app.id, sha256, held, &mut to).await?;
        }
        to.finish(self.counts).await
    }
}

async fn manifest(s: &Services, tx: &mut Tx, app: &App, now: DateTime<Utc>) -> Result<(Manifest, Vec<Source>)> {
    let (scripts, sources, names) = scripts(tx, app.id).await?;
    let grants = store::apps::grants(tx, app.id).await?.ok_or_else(|| Error::not_found("app"))?;
    let named = |id: ScriptId| names.get(&id).cloned().unwrap_or_default();
    let routes = store::routes::of_app(tx, app.id).await?.into_iter().map(|route| RoutePart {
        script: named(route.script_id),
        path: route.path.to_string(),
        host: route.host.map(|host| host.to_string()),
        method: route.method.map(|method| method.as_str().to_owned()),
        dispatch_mode: route.dispatch_mode.as_str().to_owned(),
    });
    let mut routes: Vec<_> = routes.collect();
    routes.sort();
    let triggers = store::triggers::list(tx, app.id, None, None, None, i64::from(limits::TRIGGERS_CEILING)).await?;
    let (triggers, left_out) = triggers::parts(&triggers, &names);
    let secrets = store::secrets::list(tx, app.id, "", limits::SECRETS_PER_APP_MAX).await?;
    let domains = store::domains::verified_of(tx, app.id).await?;
    let mut domains: Vec<_> = domains.iter().map(ToString::to_string).collect();
    domains.sort();
    let topics = store::topics::accesses(tx, app.id).await?;
    let app = AppPart {
        slug: app.slug.clone(),
        name: app.name.clone(),
        host: format!("{}.{}", app.slug, s.apps_domain),
        cors_origins: app.cors_origins.clone(),
        grants: serde_json::from_value(grants.to_json()).map_err(Error::internal)?,
    };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        picloud: env!("CARGO_PKG_VERSION").to_owned(),
        sdk: SDK_VERSION.to_owned(),
        exported_at: now,
        app,
        scripts,
        routes,
        triggers,
        topics,
        secrets: secrets.into_iter().map(|secret| secret.name).collect(),
        domains,
        left_out,
    };
    Ok((manifest, sources))
}

/// By name, each with its versions by number.
async fn scripts(tx: &mut Tx, app: AppId) -> Result<(Vec<ScriptPart>, Vec<Source>, HashMap<ScriptId, String>)> {
    let (scripts_max, versions_max) = (limits::ARCHIVE_SCRIPTS_MAX, limits::ARCHIVE_VERSIONS_MAX);
    let one_more = |max: usize| i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1);
    let rows = store::archive::scripts(tx, app, one_more(scripts_max)).await?;
    too_much("scripts", rows.len() as u64, scripts_max as u64)?;
    let versions = store::archive::versions(tx, app, one_more(versions_max)).await?;
    too_much("versions of scripts", versions.len() as u64, versions_max as u64)?;
    let names: HashMap<_, _> = rows.iter().map(|row| (row.id, row.name.clone())).collect();
    let mut sources = Vec::with_capacity(versions.len());
    let mut of: HashMap<ScriptId, Vec<VersionPart>> = HashMap::new();
    for version in versions {
        let Some(name) = names.get(&version.script_id) else { continue };
        let (number, entry) = (version.number, archive::source_entry(name, version.number));
        let part = VersionPart {
            number,
            digest: version.digest,
            limits: version.limits,
            created_at: version.created_at,
            file: entry.clone(),
        };
        of.entry(version.script_id).or_default().push(part);
        sources.push(Source { script: version.script_id, number, entry, bytes: version.source_bytes });
    }
    let parts = rows.into_iter().map(|row| ScriptPart {
        name: row.name,
        kind: row.kind,
        description: row.description,
        active: row.active,
        created_at: row.created_at,
        versions: of.remove(&row.id).unwrap_or_default(),
    });
    Ok((parts.collect(), sources, names))
}

/// How much a list is; which contents its files have, and how many bytes if each file had its own.
async fn listed(
    tx: &mut Tx,
    app: AppId,
    now: DateTime<Utc>,
    table: Table,
    held: &mut BTreeMap<[u8; 32], Held>,
    restored: &mut u64,
) -> Result<Listed> {
    let (mut listed, mut at) = (Listed::default(), At::default());
    while let Some(page) = page(tx, app, now, table, &mut at).await? {
        listed.items += page.items;
        listed.bytes = listed.bytes.saturating_add(page.lines.len() as u64);
        too_much(table.noun(), listed.items, table.items_max())?;
        for (sha256, file) in page.files {
            *restored = restored.saturating_add(file.size_bytes);
            held.entry(sha256).or_insert(file);
        }
    }
    Ok(listed)
}

/// The next lines of a list; none at its end.
async fn page(tx: &mut PgConnection, app: AppId, now: DateTime<Utc>, table: Table, at: &mut At) -> Result<Option<Page>> {
    let (rows, bytes) = (limits::ARCHIVE_PAGE_ROWS, limits::ARCHIVE_PAGE_BYTES);
    let after = (at.collection.as_str(), at.name.as_str());
    let (mut lines, mut files, mut items, mut last) = (Vec::new(), Vec::new(), 0, None);
    match table {
        Table::Kv => {
            for entry in store::archive::kv(tx, now, app, after, rows, bytes).await? {
                entry.write(&mut lines)?;
                items += 1;
                last = Some((entry.collection, entry.key));
            }
        }
        Table::Documents => {
            for row in store::archive::documents(tx, app, after, rows, bytes).await? {
                let (collection, id, data) = (row.collection.as_str(), row.id.as_str(), row.data.as_str());
                let stored = Stored { collection, id, data, created_at: row.created_at, updated_at: row.updated_at };
                DocumentEntry::write_stored(&mut lines, &stored)?;
                items += 1;
                last = Some((row.collection, row.id));
            }
        }
        Table::Files => {
            for row in store::archive::files(tx, app, after, rows).await? {
                let store::archive::FileRow { collection, name, content_type, blob_id, size_bytes, sha256, .. } = row;
                let (created_at, updated_at) = (row.created_at, row.updated_at);
                let entry = FileEntry { collection, name, content_type, size_bytes, sha256, created_at, updated_at };
                entry.write(&mut lines)?;
                items += 1;
                let (collection, name) = (entry.collection, entry.name);
                last = Some((collection.clone(), name.clone()));
                files.push((sha256, Held { blob: blob_id, size_bytes, collection, name }));
            }
        }
    }
    let Some((collection, name)) = last else { return Ok(None) };
    *at = At { collection, name };
    Ok(Some(Page { lines, items, files }))
}

/// Writes a content, checked as it is read.
async fn content(s: &Services, app: AppId, sha256: [u8; 32], held: Held, to: &mut Packer) -> Result<()> {
    let Held { blob: id, size_bytes, collection, name } = held;
    let blob = Blob { id, size_bytes, sha256, pieces_sha256: Vec::new() };
    let reader = files::blobs(s)?.open_blob(app, blob, None).await.map_err(files::disk)?;
    let gone = || format!("the file {name} in {collection} was changed or deleted while it was exported; try again");
    let mut rest = Some(reader.ok_or_else(|| Error::conflict(gone(), json!({ "collection": collection, "name": name })))?);
    to.open(&archive::content_entry(&sha256), size_bytes).await?;
    while let Some(reader) = rest {
        let piece = reader.next().await.map_err(|error| match error {
            ReadError::Corrupt(why) => {
                let message = format!("the file {name} in {collection} is damaged ({why}); store it anew or delete it");
                Error::new(Kind::Corrupt, "corrupt", message)
            }
            ReadError::Io(error) => files::disk(error),
        })?;
        to.write(&piece.bytes).await?;
        rest = piece.rest;
    }
    to.close().await
}

/// 422 `limit_reached`: an archive of it could not be read.
fn too_much(what: &str, found: u64, allowed: u64) -> Result<()> {
    if found <= allowed {
        return Ok(());
    }
    let message = format!("the app has more {what} than an archive holds, which is {allowed}");
    Err(Error::new(Kind::Invalid, "limit_reached", message).with_details(json!({ "what": what, "allowed": allowed })))
}
