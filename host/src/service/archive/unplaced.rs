//! Blobs of an app that is not there yet.

use crate::blobs::Placed;
use crate::error::{Error, Result};
use crate::id::AppId;
use crate::model::files::Blob;
use crate::model::storage::Used;
use crate::service::{Services, files};

/// What is on the disk of an app that is not there yet. Dropped while there is anything, it goes; after a crash a sweep sees to
/// that.
pub(super) struct Leftovers<'s> {
    s: &'s Services,
    app: AppId,
    pub(super) are_there: bool,
}

impl<'s> Leftovers<'s> {
    /// None so far.
    pub(super) fn of(s: &'s Services, app: AppId) -> Self {
        Self { s, app, are_there: false }
    }
}

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        if self.are_there && tokio::runtime::Handle::try_current().is_ok() {
            files::forget_app(self.s, self.app);
        }
    }
}

/// Another blob with the bytes of one that is placed.
pub(super) async fn copy(s: &Services, app: AppId, blob: Blob) -> Result<Placed> {
    let reader = files::blobs(s)?.open_blob(app, blob, None).await.map_err(files::disk)?;
    let mut reader = reader.ok_or_else(|| Error::internal("a blob that was placed is gone"))?;
    let mut upload = files::begin_beside(s, app, Used::default()).await?;
    loop {
        let piece = reader.next().await.map_err(Error::internal)?;
        match piece.rest {
            None => return upload.place(piece.bytes).await,
            Some(rest) => (upload, reader) = (files::append(upload, piece.bytes).await?, rest),
        }
    }
}
