//! A real mail server in a process of its own (aiosmtpd, Debian's `python3-aiosmtpd`): what it took, a test can read.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use picloud::config::Hidden;
use picloud::egress::smtp::Settings;
use picloud::egress::{Network, Table};
use serde_json::Value;

/// Killed with the test; `mail_server.py` says what it does.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    child: Child,
    mode: &'static str,
    scratch: tempfile::TempDir,
    /// The certificate to trust, DER.
    certificate: Vec<u8>,
}

impl MailServer {
    /// In the clear, without a login.
    pub(crate) fn start() -> Self {
        Self::start_with("clear", None)
    }

    /// `starttls` or `tls`, with a certificate for `name` and a login.
    pub(crate) fn secured(mode: &'static str, name: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        Self::start_with(mode, Some((params.self_signed(&key).expect("a certificate"), key)))
    }

    fn start_with(mode: &'static str, identity: Option<(rcgen::Certificate, rcgen::KeyPair)>) -> Self {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let mut certificate = Vec::new();
        if let Some((issued, key)) = identity {
            std::fs::write(scratch.path().join("certificate.pem"), pem("CERTIFICATE", issued.der())).expect("written");
            std::fs::write(scratch.path().join("key.pem"), pem("PRIVATE KEY", key.serialized_der())).expect("written");
            certificate = issued.der().to_vec();
        }
        let (child, port) = launch(scratch.path(), mode, 0);
        Self { port, child, mode, scratch, certificate }
    }

    /// As an upgrade of the server would be: gone, and there again at the same port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let (child, port) = launch(self.scratch.path(), self.mode, self.port);
        (self.child, self.port) = (child, port);
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What a node is told of it.
    pub(crate) fn settings(&self) -> Settings {
        self.settings_at(&format!("smtp://127.0.0.1:{}", self.port))
    }

    pub(crate) fn settings_at(&self, url: &str) -> Settings {
        Settings::read(&Hidden::new(url.to_owned()), Some("cloud@example.org")).expect("a relay")
    }

    /// A network in which its certificate is trusted.
    pub(crate) fn network(&self) -> Network {
        Network::Table(Table { authorities: vec![self.certificate.clone()], ..Table::default() }.into())
    }

    /// What it took, in order; of one message `from`, `to`, `headers`, `parts`, and how it came.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let entries = std::fs::read_dir(self.scratch.path()).expect("a directory");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        files.sort_by_key(|path| path.metadata().and_then(|found| found.modified()).expect("a time"));
        files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(scratch: &Path, mode: &str, port: u16) -> (Child, u16) {
    let mut command = Command::new(python());
    command.arg(super::repository().join("tests/it/support/mail_server.py")).arg(scratch).args([&port.to_string(), mode]);
    if mode != "clear" {
        command.args([scratch.join("certificate.pem"), scratch.join("key.pem")]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server says no port: {line:?}"));
    (child, port)
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

/// The first one that has aiosmtpd; the system's is where Debian's package goes.
fn python() -> &'static str {
    static FOUND: std::sync::OnceLock<&str> = std::sync::OnceLock::new();
    let has = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", "import aiosmtpd"]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    FOUND.get_or_init(|| {
        let candidates = ["/usr/bin/python3", "python3"];
        candidates.into_iter().find(has).expect("no python with aiosmtpd; install it: apt-get install python3-aiosmtpd")
    })
}
