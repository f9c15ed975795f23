//! Mail leaves here, through the one relay that the owner of the node set up: its address is the owner's word, not judged.
//!
//! `settings` says where the relay is, `letter` writes a message out, `kept` holds connections for the next one.
//!
//! A message is accepted by the relay for all its recipients, or for none: the first one that is refused ends it before its
//! content is sent. Nothing is queued or tried again here. Once the content was handed over, an answer that does not come leaves
//! open whether the relay took it; the error says so.

mod kept;
mod letter;
mod settings;

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error as Trouble, response::Code};
use serde_json::json;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use self::kept::{Kept, farewell};
pub use self::letter::Letter;
use self::letter::mailbox;
use self::settings::Security;
pub use self::settings::Settings;
use super::gate::{Gate, Place};
use super::network::Network;
use crate::error::{Error, Kind, Result};
use crate::id::AppId;
use crate::limits;
use crate::model::text;

/// The relay; one for each process. Connects when there is something to send.
pub struct Relay {
    settings: Settings,
    network: Network,
    tls: OnceCell<TlsParameters>,
    kept: Kept,
    apps: Gate,
    node: Semaphore,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("settings", &self.settings).field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// The relay hears sender and recipients.
    Addressing,
    /// It has the content, or part of it.
    HandedOver,
}

impl Relay {
    /// `network` says which certificate authorities are trusted.
    pub fn new(settings: Settings, network: Network) -> Self {
        Self {
            network,
            tls: OnceCell::new(),
            kept: Kept::new(settings.idle),
            apps: Gate::new(limits::EMAIL_SENDS_PER_APP_MAX),
            node: Semaphore::new(limits::EMAIL_SENDS_MAX),
            settings,
        }
    }

    /// The sender of messages that name none.
    pub fn default_sender(&self) -> Option<&str> {
        self.settings.from()
    }

    /// Hands a message over, on an app's behalf, within the relay's time. Answers its message id when the relay has taken it.
    ///
    /// # Errors
    /// 422 `invalid`: the relay refuses it for good, with its words. 503 `overloaded`: the app's or the node's other messages
    /// left no place. 503 `unavailable`: the relay cannot be reached, does not let this node in, or refuses for now.
    /// 504 `timed_out`.
    pub async fn send(&self, app: AppId, letter: Letter<'_>) -> Result<String> {
        let began = Instant::now();
        let until = began + self.settings.timeout;
        // Half of the time: a place is of use only while there is time left to send.
        let _places = timeout_at(began + self.settings.timeout / 2, self.enter(app)).await.map_err(|_| {
            let (own, all) = (limits::EMAIL_SENDS_PER_APP_MAX, limits::EMAIL_SENDS_MAX);
            let message = format!("the mail relay is busy with {own} messages of the app or {all} of the node; try again later");
            Error::new(Kind::Overloaded, "overloaded", message)
        })??;
        let mut stage = Stage::Connecting;
        match timeout_at(until, self.deliver(letter, &mut stage)).await {
            Ok(done) => done.map(|()| letter.message_id()),
            Err(_) => {
                let ms = self.settings.timeout.as_millis();
                let message = format!("the mail relay did not answer within {ms} ms{}", reservation(stage));
                Err(Error::new(Kind::TimedOut, "timed_out", message))
            }
        }
    }

    /// One of the app's places, then one of the node's.
    async fn enter(&self, app: AppId) -> Result<(Place, SemaphorePermit<'_>)> {
        let own = self.apps.enter(app).await?;
        Ok((own, self.node.acquire().await.map_err(Error::internal)?))
    }

    async fn deliver(&self, letter: Letter<'_>, stage: &mut Stage) -> Result<()> {
        let content = letter.write()?;
        let mut connection = self.begin(letter.from, stage).await?;
        match converse(&mut connection, letter, &content, stage).await {
            Ok(()) => {
                self.kept.keep(connection);
                Ok(())
            }
            Err((what, trouble)) => {
                if trouble.status().is_some() {
                    farewell(connection);
                }
                Err(refused(&what, &trouble, *stage))
            }
        }
    }

    /// A connection that has taken the sender. A relay closes what is idle when it likes, so the first thing said on a
    /// kept connection is one that does nothing yet, and a connection that fails it is replaced.
    async fn begin(&self, from: &str, stage: &mut Stage) -> Result<AsyncSmtpConnection> {
        let sender = || mailbox(from).map(|mailbox| Mail::new(Some(mailbox.email), Vec::new()));
        let patience = Duration::from_millis(limits::EMAIL_KEPT_ANSWER_MS);
        while let Some(mut kept) = self.kept.take() {
            if let Ok(Ok(_)) = timeout(patience, kept.command(sender()?)).await {
                *stage = Stage::Addressing;
                return Ok(kept);
            }
        }
        let mut connection = self.connect().await.map_err(|trouble| unreachable(&trouble))?;
        *stage = Stage::Addressing;
        if let Err(trouble) = connection.command(sender()?).await {
            if trouble.status().is_some() {
                farewell(connection);
            }
            return Err(refused(&format!("the sender `{from}`"), &trouble, *stage));
        }
        Ok(connection)
    }

    /// Connected, secured as the settings say, and logged in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let Settings { host, port, security, login, .. } = &self.settings;
        let tls = if *security == Security::None { None } else { Some(self.tls().await?) };
        let (wrapped, upgrade) = match security {
            Security::Wrapped => (tls, None),
            Security::Upgraded | Security::None => (None, tls),
        };
        let hello = hello();
        let mut connection = AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), None, &hello, wrapped, None).await?;
        if let Some(tls) = upgrade {
            connection.starttls(tls, &hello).await?;
        }
        if let Some(login) = login {
            let credentials = Credentials::new(login.user.clone(), login.password.expose().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    /// TLS with the system's certificate authorities, read once, when first needed.
    async fn tls(&self) -> Result<TlsParameters, Trouble> {
        let make = || async {
            let builder = TlsParameters::builder(self.settings.host.clone());
            match &self.network {
                Network::System { .. } => {
                    // It reads files.
                    let built = tokio::task::spawn_blocking(|| builder.build_rustls()).await;
                    built.unwrap_or_else(|_| TlsParameters::new(self.settings.host.clone()))
                }
                Network::Table(table) => {
                    let mut builder = builder.certificate_store(CertificateStore::None);
                    for der in &table.authorities {
                        builder = builder.add_root_certificate(Certificate::from_der(der.clone())?);
                    }
                    builder.build_rustls()
                }
            }
        };
        self.tls.get_or_try_init(make).await.cloned()
    }
}

/// Recipients and content, on a connection that has taken the sender. What failed comes with the failure.
async fn converse(
    connection: &mut AsyncSmtpConnection,
    letter: Letter<'_>,
    content: &[u8],
    stage: &mut Stage,
) -> Result<(), (String, Trouble)> {
    for recipient in letter.message.recipients() {
        let what = || format!("the recipient `{recipient}`");
        // Checked when the letter was written.
        let Ok(mailbox) = mailbox(recipient) else { continue };
        connection.command(Rcpt::new(mailbox.email, Vec::new())).await.map_err(|trouble| (what(), trouble))?;
    }
    let what = || "the message".to_owned();
    connection.command(Data).await.map_err(|trouble| (what(), trouble))?;
    *stage = Stage::HandedOver;
    connection.message(content).await.map_err(|trouble| (what(), trouble))?;
    Ok(())
}

/// How this node calls itself: its name where that is a whole one, else what stands for having none (RFC 5321, 4.1.4).
fn hello() -> ClientId {
    let system = rustix::system::uname();
    match system.nodename().to_str() {
        Ok(name) if name.contains('.') && url::Host::parse(name).is_ok() => ClientId::Domain(name.to_owned()),
        _ => ClientId::default(),
    }
}

/// What a relay's answer to a part of a message means for the script.
fn refused(what: &str, trouble: &Trouble, stage: Stage) -> Error {
    match trouble.status() {
        Some(code) if trouble.is_permanent() => {
            let message = format!("the mail relay refuses {what}: {}", said(code, trouble));
            Error::invalid("message", message).with_details(json!({ "field": "message", "reply": code.to_string() }))
        }
        Some(code) => unavailable(format!("the mail relay does not take {what} now: {}", said(code, trouble))),
        None => unavailable(format!("the connection to the mail relay broke off{}", reservation(stage))),
    }
}

/// Trouble before a message is the owner's to mend: the log says it whole, the script hears what concerns it.
fn unreachable(trouble: &Trouble) -> Error {
    tracing::warn!(error = %trouble, "the mail relay (PICLOUD_SMTP_URL) cannot be used");
    unavailable("the mail relay of this node cannot be used at the moment; the node's log says why".to_owned())
}

/// The code and the relay's words, fit to be shown.
fn said(code: Code, trouble: &Trouble) -> String {
    let words = std::error::Error::source(trouble).map(ToString::to_string).unwrap_or_default();
    let words: String = words.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !text::is_unseen(*c)).collect();
    format!("{code} {}", text::cut(words.trim(), limits::EMAIL_REPLY_BYTES_MAX))
}

fn reservation(stage: Stage) -> &'static str {
    if stage == Stage::HandedOver { "; the message may have been sent" } else { "; nothing was sent" }
}

fn unavailable(message: String) -> Error {
    Error::new(Kind::Overloaded, "unavailable", message)
}
