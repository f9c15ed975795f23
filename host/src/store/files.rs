//! `files`, `file_volumes`. Names and collections are bounded and free of NUL before they come here.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::{AppId, BlobId, FileId, VolumeId};
use crate::model::collection::Collection;
use crate::model::files::{Blob, File, Metadata};
use crate::model::listing::Span;

/// A row as it stands.
struct Row {
    id: FileId,
    name: String,
    content_type: String,
    blob_id: BlobId,
    size_bytes: i64,
    sha256: Vec<u8>,
    pieces_sha256: Vec<u8>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The volume of this database, made as `new` where there is none.
pub async fn volume(db: &mut PgConnection, new: VolumeId) -> sqlx::Result<VolumeId> {
    if let Some(volume) = current_volume(db).await? {
        return Ok(volume);
    }
    // Another node may be as early: the first wins, and both read what it wrote.
    sqlx::query!("INSERT INTO file_volumes (id) VALUES ($1) ON CONFLICT DO NOTHING", new.0).execute(&mut *db).await?;
    current_volume(db).await?.ok_or(sqlx::Error::RowNotFound)
}

async fn current_volume(db: &mut PgConnection) -> sqlx::Result<Option<VolumeId>> {
    sqlx::query_scalar!(r#"SELECT id AS "id: VolumeId" FROM file_volumes"#).fetch_optional(db).await
}

/// Whether there is any file at all.
pub async fn any(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM files) AS "any!""#).fetch_one(db).await
}

pub async fn get(db: &mut PgConnection, app: AppId, collection: &str, name: &str) -> sqlx::Result<Option<File>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: FileId", name, content_type, blob_id AS "blob_id: BlobId", size_bytes, sha256, pieces_sha256, revision,
                  created_at, updated_at
           FROM files WHERE app_id = $1 AND collection = $2 AND name = $3"#,
        app.0,
        collection,
        name
    );
    row.fetch_optional(db).await?.map(file).transpose()
}

/// The file, which nobody else changes until the transaction ends.
pub async fn lock(db: &mut PgConnection, app: AppId, collection: &str, name: &str) -> sqlx::Result<Option<File>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: FileId", name, content_type, blob_id AS "blob_id: BlobId", size_bytes, sha256, pieces_sha256, revision,
                  created_at, updated_at
           FROM files WHERE app_id = $1 AND collection = $2 AND name = $3 FOR UPDATE"#,
        app.0,
        collection,
        name
    );
    row.fetch_optional(db).await?.map(file).transpose()
}

/// Adds a file; false when the name is taken.
pub async fn insert(db: &mut PgConnection, app: AppId, collection: &str, file: &File) -> sqlx::Result<bool> {
    let (metadata, blob) = (&file.metadata, &file.blob);
    let done = sqlx::query!(
        "INSERT INTO files (id, app_id, collection, name, content_type, blob_id, size_bytes, sha256, pieces_sha256, revision,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT ON CONSTRAINT files_pkey DO NOTHING",
        metadata.id.0,
        app.0,
        collection,
        metadata.name,
        metadata.content_type,
        blob.id.0,
        size(blob.size_bytes)?,
        &blob.sha256[..],
        &blob.pieces_sha256,
        metadata.revision,
        metadata.created_at,
        metadata.updated_at
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds files to an app that has none of them.
pub async fn insert_all(db: &mut PgConnection, app: AppId, files: &[(String, File)]) -> sqlx::Result<()> {
    let texts = |of: fn(&(String, File)) -> &str| files.iter().map(|file| of(file).to_owned()).collect::<Vec<String>>();
    let (collections, names) = (texts(|(collection, _)| collection), texts(|(_, file)| &file.metadata.name));
    let content_types = texts(|(_, file)| &file.metadata.content_type);
    let (ids, blobs): (Vec<Uuid>, Vec<Uuid>) = files.iter().map(|(_, file)| (file.metadata.id.0, file.blob.id.0)).unzip();
    let sizes = files.iter().map(|(_, file)| size(file.blob.size_bytes)).collect::<sqlx::Result<Vec<i64>>>()?;
    let hashes: Vec<Vec<u8>> = files.iter().map(|(_, file)| file.blob.sha256.to_vec()).collect();
    let pieces: Vec<Vec<u8>> = files.iter().map(|(_, file)| file.blob.pieces_sha256.clone()).collect();
    let revisions: Vec<i64> = files.iter().map(|(_, file)| file.metadata.revision).collect();
    let times = |of: fn(&Metadata) -> DateTime<Utc>| files.iter().map(|(_, file)| of(&file.metadata)).collect::<Vec<_>>();
    let (created, updated) = (times(|metadata| metadata.created_at), times(|metadata| metadata.updated_at));
    sqlx::query!(
        "INSERT INTO files (id, app_id, collection, name, content_type, blob_id, size_bytes, sha256, pieces_sha256, revision,
                            created_at, updated_at)
         SELECT id, $1::uuid, collection, name, content_type, blob_id, size_bytes, sha256, pieces_sha256, revision, created_at,
                updated_at
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[], $8::bytea[], $9::bytea[],
                     $10::bigint[], $11::timestamptz[], $12::timestamptz[])
              AS file (id, collection, name, content_type, blob_id, size_bytes, sha256, pieces_sha256, revision, created_at,
                       updated_at)",
        app.0,
        &ids,
        &collections,
        &names,
        &content_types,
        &blobs,
        &sizes,
        &hashes,
        &pieces,
        &revisions,
        &created,
        &updated
    )
    .execute(db)
    .await
    .map(drop)
}

/// Stores a file that is locked as it now is.
pub async fn update(db: &mut PgConnection, app: AppId, collection: &str, file: &File) -> sqlx::Result<()> {
    let (metadata, blob) = (&file.metadata, &file.blob);
    sqlx::query!(
        "UPDATE files SET content_type = $4, blob_id = $5, size_bytes = $6, sha256 = $7, pieces_sha256 = $8, revision = $9,
                          updated_at = $10
         WHERE app_id = $1 AND collection = $2 AND name = $3",
        app.0,
        collection,
        metadata.name,
        metadata.content_type,
        blob.id.0,
        size(blob.size_bytes)?,
        &blob.sha256[..],
        &blob.pieces_sha256,
        metadata.revision,
        metadata.updated_at
    )
    .execute(db)
    .await
    .map(drop)
}

/// Deletes a file; what it was.
pub async fn delete(db: &mut PgConnection, app: AppId, collection: &str, name: &str) -> sqlx::Result<Option<File>> {
    let row = sqlx::query_as!(
        Row,
        r#"DELETE FROM files WHERE app_id = $1 AND collection = $2 AND name = $3
           RETURNING id AS "id: FileId", name, content_type, blob_id AS "blob_id: BlobId", size_bytes, sha256, pieces_sha256, revision,
                     created_at, updated_at"#,
        app.0,
        collection,
        name
    );
    row.fetch_optional(db).await?.map(file).transpose()
}

/// The first `rows` files of a span, in the order of their names.
pub async fn list(db: &mut PgConnection, app: AppId, collection: &str, span: &Span, rows: i64) -> sqlx::Result<Vec<Metadata>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: FileId", name, content_type, size_bytes, sha256, revision, created_at, updated_at
           FROM files
           WHERE app_id = $1 AND collection = $2 AND name >= $3 AND name > $4 AND name < $5
           ORDER BY name LIMIT $6"#,
        app.0,
        collection,
        span.from,
        span.after,
        span.before,
        rows
    )
    .fetch_all(db)
    .await?;
    let items = rows.into_iter().map(|row| {
        Ok(Metadata {
            id: row.id,
            name: row.name,
            content_type: row.content_type,
            size_bytes: super::natural("size_bytes", row.size_bytes)?,
            sha256: hash(&row.sha256)?,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    });
    items.collect()
}

/// Which of these blobs of an app a row names.
pub async fn named(db: &mut PgConnection, app: AppId, blobs: &[Uuid]) -> sqlx::Result<Vec<BlobId>> {
    sqlx::query_scalar!(r#"SELECT blob_id AS "id: BlobId" FROM files WHERE app_id = $1 AND blob_id = ANY($2)"#, app.0, blobs)
        .fetch_all(db)
        .await
}

/// Which of these apps there are.
pub async fn apps(db: &mut PgConnection, apps: &[Uuid]) -> sqlx::Result<Vec<AppId>> {
    sqlx::query_scalar!(r#"SELECT id AS "id: AppId" FROM apps WHERE id = ANY($1)"#, apps).fetch_all(db).await
}

/// An app's collections after one, by name, with how many files they have, and the bytes of their content.
pub async fn collections(db: &mut PgConnection, app: AppId, after: &str, rows: i64) -> sqlx::Result<Vec<Collection>> {
    let rows = sqlx::query!(
        r#"SELECT collection, count(*) AS "count!", sum(size_bytes)::bigint AS "bytes!"
           FROM files
           WHERE app_id = $1 AND collection > $2
           GROUP BY collection ORDER BY collection LIMIT $3"#,
        app.0,
        after,
        rows
    )
    .fetch_all(db)
    .await?;
    let items = rows.into_iter().map(|row| {
        let (count, bytes) = (super::natural("count", row.count)?, super::natural("bytes", row.bytes)?);
        Ok(Collection { name: row.collection, count, bytes })
    });
    items.collect()
}

/// The name of a file, which it keeps for as long as it is there.
pub async fn name_of(db: &mut PgConnection, app: AppId, collection: &str, id: FileId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT name FROM files WHERE app_id = $1 AND collection = $2 AND id = $3", app.0, collection, id.0)
        .fetch_optional(db)
        .await
}

fn file(row: Row) -> sqlx::Result<File> {
    let size_bytes = super::natural("size_bytes", row.size_bytes)?;
    let sha256 = hash(&row.sha256)?;
    let blob = Blob { id: row.blob_id, size_bytes, sha256, pieces_sha256: row.pieces_sha256 };
    let metadata = Metadata {
        id: row.id,
        name: row.name,
        content_type: row.content_type,
        size_bytes,
        sha256,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(File { metadata, blob })
}

fn hash(bytes: &[u8]) -> sqlx::Result<[u8; 32]> {
    bytes.try_into().map_err(|_| super::unreadable("sha256", bytes.len()))
}

fn size(bytes: u64) -> sqlx::Result<i64> {
    i64::try_from(bytes).map_err(|_| super::unreadable("size_bytes", bytes))
}
