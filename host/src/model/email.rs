//! A message that a script sends: its shape, and what makes it fit to leave.
//!
//! Addresses are plain mailboxes in ASCII and headers hold no line breaks, so nothing that a script says can add a header,
//! a recipient or a command to what is sent.

use serde_json::json;

use crate::error::{Error, Result};
use crate::limits;
use crate::model::text;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The sender; none: the node's own.
    pub from: Option<String>,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    /// Recipients that no header names.
    pub bcc: Vec<String>,
    pub reply_to: Option<String>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl Message {
    /// 422 `invalid` names the field that is missing, malformed or past its bound (`EMAIL_…` in `limits`).
    pub fn check(&self) -> Result<()> {
        let recipients = self.to.len() + self.cc.len() + self.bcc.len();
        if recipients == 0 {
            return Err(Error::invalid("to", "the message has no recipient; name one in `to`, `cc` or `bcc`"));
        }
        let allowed = limits::EMAIL_RECIPIENTS_MAX;
        if recipients > allowed {
            let message = format!("to, cc and bcc name {recipients} recipients; at most {allowed} are allowed");
            return Err(Error::invalid("to", message)
                .with_details(json!({ "field": "to", "asked": recipients, "allowed": allowed, "unit": "addresses" })));
        }
        for (field, list) in [("to", &self.to), ("cc", &self.cc), ("bcc", &self.bcc)] {
            for (index, one) in list.iter().enumerate() {
                address(&format!("{field}[{index}]"), one)?;
            }
        }
        for (field, one) in [("from", &self.from), ("reply_to", &self.reply_to)] {
            one.as_deref().map_or(Ok(()), |one| address(field, one))?;
        }
        text::name_bytes("subject", &self.subject, limits::EMAIL_SUBJECT_BYTES_MAX)?;
        if self.subject.contains(char::is_control) {
            return Err(Error::invalid("subject", "subject must not contain line breaks or other control characters"));
        }
        self.check_body()
    }

    fn check_body(&self) -> Result<()> {
        let parts = [("text", &self.text), ("html", &self.html)];
        for (field, part) in parts {
            part.as_deref().map_or(Ok(()), |part| text::without_nul(field, part))?;
        }
        if self.text.is_none() && self.html.is_none() {
            return Err(Error::invalid("text", "the message has no content; give `text`, `html` or both"));
        }
        let bytes: usize = parts.iter().filter_map(|(_, part)| part.as_deref()).map(str::len).sum();
        let allowed = limits::EMAIL_BODY_BYTES_MAX;
        if bytes > allowed {
            let message = format!("text and html are {bytes} bytes long together; at most {allowed} are allowed");
            return Err(Error::invalid("text", message)
                .with_details(json!({ "field": "text", "asked": bytes, "allowed": allowed, "unit": "bytes" })));
        }
        Ok(())
    }

    /// To whom it goes, each once.
    pub fn recipients(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for one in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            if !all.contains(&one.as_str()) {
                all.push(one.as_str());
            }
        }
        all
    }
}

/// A mailbox `local@domain` in ASCII, without a display name: 422 `invalid` naming `field` otherwise.
pub fn address(field: &str, address: &str) -> Result<()> {
    text::name_bytes(field, address, limits::EMAIL_ADDRESS_BYTES_MAX)?;
    let fits = address.rsplit_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
    if fits {
        return Ok(());
    }
    let hint = if address.is_ascii() { "" } else { "; it is written in ASCII, the domain as xn--…" };
    let message = format!("{field}: {address:?} is not an address; write one as name@example.com, without a display name{hint}");
    Err(Error::invalid(field, message))
}

/// The address with its domain in lower case, as senders are compared: what stands before the `@` is its host's affair.
pub fn comparable(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => address.to_owned(),
    }
}

/// A dot-atom (RFC 5322): quoted forms, which few hosts take, are left out.
fn is_local_part(local: &str) -> bool {
    let atom =
        |atom: &str| !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    local.len() <= limits::EMAIL_LOCAL_PART_BYTES_MAX && local.split('.').all(atom)
}

/// Labels of a host name; one alone is a host of the local network.
/// Labels of letters, digits and hyphens, 1..=63 bytes each (RFC 5321 §4.1.2).
pub fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            to: vec!["ada@example.com".to_owned()],
            subject: "Hi".to_owned(),
            text: Some("Hello".to_owned()),
            ..Message::default()
        }
    }

    #[track_caller]
    fn refused(message: &Message, field: &str) -> String {
        let error = message.check().unwrap_err();
        assert_eq!((error.code, error.details.as_ref().unwrap()["field"].as_str()), ("invalid", Some(field)), "{error}");
        error.message.into_owned()
    }

    #[test]
    fn a_message_needs_a_recipient_a_subject_and_content() {
        message().check().unwrap();
        refused(&Message { to: vec![], ..message() }, "to");
        Message { to: vec![], bcc: vec!["a@b".to_owned()], ..message() }.check().unwrap();
        refused(&Message { subject: String::new(), ..message() }, "subject");
        refused(&Message { text: None, ..message() }, "text");
        Message { text: None, html: Some(String::new()), ..message() }.check().unwrap();
    }

    #[test]
    fn recipients_are_bounded_together() {
        let many = |n: usize| (0..n).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>();
        let max = limits::EMAIL_RECIPIENTS_MAX;
        let of = |cc: usize| Message { cc: many(cc), bcc: many(1), ..message() };
        of(max - 2).check().unwrap();
        let told = refused(&of(max - 1), "to");
        assert!(told.contains("51") && told.contains("50"), "{told}");
    }

    #[test]
    fn subject_and_content_hold_at_n_and_refuse_at_n_plus_one() {
        let (max, whole) = (limits::EMAIL_SUBJECT_BYTES_MAX, limits::EMAIL_BODY_BYTES_MAX);
        Message { subject: "s".repeat(max), ..message() }.check().unwrap();
        refused(&Message { subject: "s".repeat(max + 1), ..message() }, "subject");
        let of = |text: usize| Message { text: Some("t".repeat(text)), html: Some("h".repeat(8)), ..message() };
        of(whole - 8).check().unwrap();
        refused(&of(whole - 7), "text");
    }

    #[test]
    fn addresses_hold_at_n_and_refuse_at_n_plus_one() {
        let local = "l".repeat(limits::EMAIL_LOCAL_PART_BYTES_MAX);
        let label = "d".repeat(63);
        let of = |last: usize| format!("{local}@{label}.{label}.{}", "e".repeat(last));
        let fitting = limits::EMAIL_ADDRESS_BYTES_MAX - of(0).len();
        assert!(address("to", &of(fitting)).is_ok() && address("to", &of(fitting + 1)).is_err());
        assert!(address("to", &format!("{local}@b")).is_ok() && address("to", &format!("{local}l@b")).is_err());
        assert!(address("to", &format!("a@{label}")).is_ok() && address("to", &format!("a@{label}d")).is_err());
    }

    #[test]
    fn only_bare_mailboxes_are_addresses() {
        for good in ["a@b", "a.b+c@example.com", "O'Neil@Example.COM", "x@xn--bcher-kva.example", "{a}=/?@a-b.c"] {
            assert!(address("to", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a@b.",
            "a@.b",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@-b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "Ada <a@b>",
            "<a@b>",
            "a@b,c@d",
            "a@b;",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "bücher@example.com",
            "a@bücher.example",
            "a@b\r\nBcc: c@d",
            "a@b\n",
            "\ra@b",
            "a@b\0",
            "a\r\n.\r\n@b",
            "a@b> SIZE=1",
        ] {
            assert!(address("to", bad).is_err(), "{bad:?}");
            refused(&Message { from: Some(bad.to_owned()), ..message() }, "from");
            refused(&Message { reply_to: Some(bad.to_owned()), ..message() }, "reply_to");
            refused(&Message { cc: vec!["a@b".to_owned(), bad.to_owned()], ..message() }, "cc[1]");
        }
        let told = address("to", "a@bücher.example").unwrap_err().message;
        assert!(told.contains("xn--"), "{told}");
        assert!(!address("to", "a@b\r\nx").unwrap_err().message.contains('\n'), "what is quoted is escaped");
    }

    #[test]
    fn a_subject_cannot_add_a_header() {
        for bad in ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\0b", "\u{85}", "a\u{1b}[2J"] {
            refused(&Message { subject: bad.to_owned(), ..message() }, "subject");
        }
        refused(&Message { text: Some("a\0b".to_owned()), ..message() }, "text");
        refused(&Message { html: Some("\0".to_owned()), ..message() }, "html");
    }

    #[test]
    fn each_recipient_counts_once() {
        let twice = Message { cc: vec!["ada@example.com".to_owned()], bcc: vec!["b@c".to_owned()], ..message() };
        assert_eq!(twice.recipients(), ["ada@example.com", "b@c"]);
        assert_eq!(comparable("Ada@EXAMPLE.com"), "Ada@example.com");
    }
}
