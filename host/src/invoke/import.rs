//! An archive becomes an app: every source in it is parsed as if it were published, and what it can reach is found out anew. What
//! the archive says of that is not even read.

use std::time::Duration;

use tokio::time::timeout;

use super::publish::NOBODY;
use super::{Invoker, Verdict};
use crate::error::{Error, Kind, Result};
use crate::limits::{ARCHIVE_CHECK_TRIES_MAX, ARCHIVE_IMPORT_MS};
use crate::model::access::Principal;
use crate::model::archive::{Bounds, Wanted};
use crate::model::script::Diagnostic;
use crate::service::archive::{Import, Imported, Source, Tried, Unchecked};

impl Invoker {
    /// Makes a new app of an archive, or nothing. Sources are checked, and modules tried; images are made when a script is first
    /// called.
    ///
    /// # Errors
    /// 422 `invalid_archive` naming entry, line and reason; 409 for a slug that is taken; 413; 503; 504; and what `from` was
    /// handed.
    pub async fn import(&self, by: &Principal, from: Source, wanted: Wanted, bounds: Bounds) -> Result<Imported> {
        let within = Duration::from_millis(ARCHIVE_IMPORT_MS);
        let importing = timeout(within, self.import_all(by, from, wanted, bounds)).await;
        importing.unwrap_or_else(|_| Err(Error::new(Kind::TimedOut, "timed_out", "the import took too long; nothing was made")))
    }

    async fn import_all(&self, by: &Principal, from: Source, wanted: Wanted, bounds: Bounds) -> Result<Imported> {
        let mut import = Import::begin(&self.inner.services, by, from, wanted, bounds).await?;
        while let Some(source) = import.next_source().await? {
            match self.check_patiently(&source).await? {
                Verdict::Good { capabilities, imports } => {
                    let imports = imports.into_iter().map(|import| import.name).collect();
                    import.checked(source, capabilities, imports).await?;
                }
                Verdict::Bad(found) => return Err(source.refused(found.line, found.message)),
            }
        }
        import.resolve().await?;
        for script in 0..import.scripts() {
            if let Some(tried) = import.tried(script).await?
                && let Err(found) = self.try_modules(&tried).await?
            {
                return Err(tried.refused(found.message));
            }
        }
        import.finish().await
    }

    async fn try_modules(&self, tried: &Tried) -> Result<Result<(), Diagnostic>> {
        let (sandbox, modules) = (self.inner.sandbox.clone(), tried.modules.clone());
        self.inner.preparing(NOBODY, async move { sandbox.try_modules(&modules).await }).await
    }

    /// A node that prepares many scripts just now is asked again: so much was done already.
    async fn check_patiently(&self, source: &Unchecked) -> Result<Verdict> {
        let mut tries = 1;
        loop {
            match self.check(&source.name, source.kind, &source.source).await {
                Err(error) if error.kind == Kind::Overloaded && tries < ARCHIVE_CHECK_TRIES_MAX => tries += 1,
                done => return done,
            }
        }
    }
}
