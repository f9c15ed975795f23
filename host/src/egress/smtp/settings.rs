//! Where the relay is, as the owner of the node says it.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::Hidden;
use crate::limits;
use crate::model::email;

/// The relay, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
    /// The sender of messages that name none.
    pub(super) from: Option<String>,
    /// One message, the wait for a place included.
    pub timeout: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// In the clear.
    None,
    /// STARTTLS, or nothing is sent.
    Upgraded,
    /// TLS from the first byte.
    Wrapped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Hidden,
}

impl Settings {
    /// Reads `smtp://[user:password@]host[:port][?tls=required|none]` or `smtps://…`, and the address of the default sender.
    /// Without `tls`, a login is only given under TLS, and a relay without one is spoken to in the clear.
    ///
    /// # Errors
    /// A line that says which setting is wrong and how to write it; never what stands in the URL, which holds a password.
    pub fn read(url: &Hidden, from: Option<&str>) -> Result<Self, String> {
        let wrong = |what: &str| format!("PICLOUD_SMTP_URL (--smtp-url) {what}, for example smtp://user:password@mail.lan:587");
        let url = Url::parse(url.expose()).map_err(|_| wrong("is not a URL; write scheme, host and port"))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("has something after the host; write scheme, login, host and port"));
        }
        let login = login(&url).map_err(wrong)?;
        let security = security(&url, login.is_some()).map_err(wrong)?;
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host; write scheme, host and port"))?;
        let host = match Host::parse(host).map_err(|_| wrong("names a host that cannot be one; write a name or an address"))? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port().unwrap_or(match security {
            Security::None => 25,
            Security::Upgraded => 587,
            Security::Wrapped => 465,
        });
        if port == 0 {
            return Err(wrong("names port 0; write the relay's port"));
        }
        if let Some(from) = from {
            email::address("PICLOUD_SMTP_FROM (--smtp-from)", from).map_err(|error| error.message.into_owned())?;
        }
        Ok(Self {
            host,
            port,
            security,
            login,
            from: from.map(str::to_owned),
            timeout: Duration::from_millis(limits::EMAIL_TIMEOUT_MS),
            idle: Duration::from_millis(limits::EMAIL_CONNECTION_IDLE_MS),
        })
    }

    /// For people: where the relay is and how it is spoken to, without the login.
    pub fn shown(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let security = match self.security {
            Security::None => "in the clear",
            Security::Upgraded => "STARTTLS",
            Security::Wrapped => "TLS",
        };
        let login = if self.login.is_some() { "with a login" } else { "without a login" };
        format!("{host}:{}, {security}, {login}", self.port)
    }

    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }
}

fn login(url: &Url) -> Result<Option<Login>, &'static str> {
    let plain = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| "has a login whose percent escapes are not UTF-8")?;
        // They end the fields of a login, and lines.
        if text.contains(char::is_control) {
            return Err("has a login with control characters");
        }
        Ok(text.into_owned())
    };
    match (url.username(), url.password().unwrap_or_default()) {
        ("", "") => Ok(None),
        ("", _) => Err("has a password without a user; write user:password@host"),
        (_, "") => {
            Err("has a user without a password; write user:password@host, with what is special in them as percent escapes")
        }
        (user, password) => Ok(Some(Login { user: plain(user)?, password: Hidden::new(plain(password)?) })),
    }
}

fn security(url: &Url, has_login: bool) -> Result<Security, &'static str> {
    let wrapped = match url.scheme() {
        "smtps" => true,
        "smtp" => false,
        _ => return Err("begins with another scheme than smtp:// (port 587 or 25) or smtps:// (port 465)"),
    };
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        match (&*name, &*value, asked) {
            ("tls", "required" | "none", None) => asked = Some(value == "required"),
            _ => return Err("has options other than one of ?tls=required and ?tls=none"),
        }
    }
    match (wrapped, asked) {
        (true, Some(false)) => Err("says both smtps:// and tls=none; write smtp:// to send in the clear"),
        (true, _) => Ok(Security::Wrapped),
        (false, Some(true)) => Ok(Security::Upgraded),
        (false, None) if has_login => Ok(Security::Upgraded),
        (false, _) => Ok(Security::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Settings, String> {
        Settings::read(&Hidden::new(url.to_owned()), None)
    }

    #[test]
    fn urls_say_where_the_relay_is_and_how_it_is_spoken_to() {
        for (url, shown) in [
            ("smtp://127.0.0.1:25", "127.0.0.1:25, in the clear, without a login"),
            ("smtp://Mail.LAN", "mail.lan:25, in the clear, without a login"),
            ("smtp://mail.lan/?tls=required", "mail.lan:587, STARTTLS, without a login"),
            ("smtp://u:p@mail.lan", "mail.lan:587, STARTTLS, with a login"),
            ("smtp://u:p@mail.lan:2525?tls=none", "mail.lan:2525, in the clear, with a login"),
            ("smtps://u:p@mail.lan", "mail.lan:465, TLS, with a login"),
            ("smtps://u:p@[::1]:1465?tls=required", "[::1]:1465, TLS, with a login"),
            ("smtp://bücher.example:587", "xn--bcher-kva.example:587, in the clear, without a login"),
        ] {
            assert_eq!(read(url).unwrap().shown(), shown, "{url}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_printed() {
        let settings = read("smtps://me%40example.com:h%3Au%2Fsh%20%C3%A4@mail.lan").unwrap();
        let login = settings.login.clone().unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("me@example.com", "h:u/sh ä"));
        assert!(!format!("{settings:?}").contains("sh ä"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_its_password() {
        for url in [
            "",
            "mail.lan",
            "mail.lan:587",
            "http://u:hush@mail.lan",
            "smtp:u:hush@mail.lan",
            "smtp://",
            "smtp://u:hush@",
            "smtp://u:hush@mail.lan:x",
            "smtp://u:hush@mail.lan:70000",
            "smtp://u:hush@mail.lan:0",
            "smtp://u:hush@ma il.lan",
            "smtp://u:hush@mail.lan/name",
            "smtp://u:hush@mail.lan#x",
            "smtp://u:hush@mail.lan?tls=perhaps",
            "smtp://u:hush@mail.lan?tls=none&tls=none",
            "smtp://u:hush@mail.lan?starttls=1",
            "smtps://u:hush@mail.lan?tls=none",
            "smtp://u@mail.lan",
            "smtp://:hush@mail.lan",
            "smtp://u:hush%00@mail.lan",
            "smtp://u:hush%0d%0a@mail.lan",
            "smtp://u:hush%ff@mail.lan",
        ] {
            let line = read(url).map(|settings| settings.shown()).unwrap_err();
            assert!(line.contains("PICLOUD_SMTP_URL") && !line.contains("hush"), "{url}: {line}");
        }
        let from = |from| Settings::read(&Hidden::new("smtp://mail.lan".to_owned()), Some(from));
        assert_eq!(from("cloud@example.com").unwrap().from(), Some("cloud@example.com"));
        assert!(from("Cloud <cloud@example.com>").unwrap_err().contains("PICLOUD_SMTP_FROM"));
    }
}
