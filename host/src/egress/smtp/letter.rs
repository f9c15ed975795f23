//! A message as the bytes that a relay is handed: ASCII in lines that mail programs take, whatever the script wrote.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::email::Message;

/// What goes out, beside what the script said.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Checked by [`Message::check`].
    pub message: &'a Message,
    /// The sender, in the envelope and in the header.
    pub from: &'a str,
    /// Not to be guessed: it separates the parts, too.
    pub id: Uuid,
    pub now: DateTime<Utc>,
}

impl Letter<'_> {
    /// `<id@domain of the sender>`, as its header has it.
    pub(super) fn message_id(&self) -> String {
        let domain = self.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        format!("<{}@{domain}>", self.id)
    }

    /// Headers and body. Recipients of `bcc` are in neither.
    pub fn write(&self) -> Result<Vec<u8>> {
        let message = self.message;
        let mut builder = lettre::Message::builder()
            .message_id(Some(self.message_id()))
            .date(self.now.into())
            .from(mailbox(self.from)?)
            .raw_header(subject(&message.subject))
            .envelope(lettre::address::Envelope::new(None, vec![mailbox(self.from)?.email]).map_err(Error::internal)?);
        for (name, list) in [("To", &message.to), ("Cc", &message.cc)] {
            if !list.is_empty() {
                builder = builder.raw_header(addresses(name, list));
            }
        }
        if message.to.is_empty() && message.cc.is_empty() {
            let name = HeaderName::new_from_ascii_str("To");
            builder = builder.raw_header(HeaderValue::new(name, "undisclosed-recipients:;".to_owned()));
        }
        if let Some(reply_to) = &message.reply_to {
            builder = builder.reply_to(mailbox(reply_to)?);
        }
        let plain = message.text.as_deref().map(|text| SinglePart::plain(lines(text)));
        let html = message.html.as_deref().map(|html| SinglePart::html(lines(html)));
        let built = match (plain, html) {
            (Some(plain), Some(html)) => {
                let both = MultiPart::alternative().boundary(self.id.simple().to_string());
                builder.multipart(both.singlepart(plain).singlepart(html))
            }
            (Some(part), None) | (None, Some(part)) => builder.singlepart(part),
            (None, None) => return Err(Error::internal("a message without content was not refused")),
        };
        let mut bytes = built.map_err(Error::internal)?.formatted();
        // The protocol adds one of its own.
        if bytes.ends_with(b"\r\n") {
            bytes.truncate(bytes.len() - 2);
        }
        // A relay need not take more.
        if bytes.is_ascii() { Ok(bytes) } else { Err(Error::internal("a message was not encoded as ASCII")) }
    }
}

/// A list of checked addresses, each on a line of its own (RFC 5322 §2.2.3): lettre leaves them on one.
fn addresses(name: &'static str, list: &[String]) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), list.join(", "), list.join(",\r\n "))
}

pub(super) fn mailbox(address: &str) -> Result<Mailbox> {
    address.parse::<Address>().map(|address| Mailbox::new(None, address)).map_err(Error::internal)
}

/// As it is where mail programs read it so: short words of ASCII, between which lettre folds, and nothing that looks encoded.
/// Otherwise in encoded words (RFC 2047), 45 bytes in each.
fn subject(text: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    if text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| (1..=60).contains(&word.len())) {
        return HeaderValue::new(name, text.to_owned());
    }
    let (mut words, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(45));
        words.push(format!("=?utf-8?b?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), words.join("\r\n "))
}

/// Every way to end a line made one. A lone carriage return would end one for some servers and not for others, and what
/// follows it could be a command to those.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: &Message) -> String {
        let (id, now) = (Uuid::from_u128(7), DateTime::from_timestamp(784_887_151, 0).unwrap());
        let letter = Letter { message, from: "shop@example.com", id, now };
        String::from_utf8(letter.write().unwrap()).unwrap()
    }

    fn message() -> Message {
        Message {
            to: vec!["ada@example.com".to_owned()],
            subject: "Hi".to_owned(),
            text: Some("Hello".to_owned()),
            ..Message::default()
        }
    }

    #[test]
    fn what_can_vary_is_given() {
        let bytes = written(&message());
        assert!(bytes.contains("Message-ID: <00000000-0000-0000-0000-000000000007@example.com>\r\n"), "{bytes}");
        assert!(bytes.contains("Date: Tue, 15 Nov 1994 08:12:31 +0000\r\n"), "{bytes}");
        let both = Message { html: Some("<p>".to_owned()), ..message() };
        assert_eq!(written(&both), written(&both), "no randomness of its own");
    }

    #[test]
    fn every_address_that_is_one_can_be_written() {
        let of = |address: &str| Message { to: vec![address.to_owned()], ..message() };
        let local = "l".repeat(64);
        for good in ["a@b", "{a}=/?@a-b.c", "o'neil+x@mail.example.com", &format!("{local}@{}.example", "d".repeat(63))] {
            of(good).check().unwrap();
            assert!(written(&of(good)).contains(good), "{good}");
        }
    }

    #[test]
    fn no_line_is_longer_than_mail_allows() {
        for subject in ["s".repeat(998), "ß".repeat(499), format!("a{}b", " ".repeat(900)), "word ".repeat(199) + "x"] {
            assert_short(&Message { subject, ..message() });
        }
        assert_short(&Message {
            to: (0..50).map(|n| format!("{}{n}@example.com", "r".repeat(60))).collect(),
            text: Some("t".repeat(1 << 20)),
            ..message()
        });
        for text in [
            "ö\u{7}=.\n".repeat(100_000),
            "ß".repeat(1 << 19),
            "t".repeat(999),
            format!("{}\r{}", "t".repeat(600), "t".repeat(600)),
        ] {
            assert_short(&Message { text: Some(text.clone()), ..message() });
            assert_short(&Message { text: None, html: Some(text), ..message() });
        }
    }

    #[track_caller]
    fn assert_short(message: &Message) {
        message.check().unwrap();
        let bytes = written(message);
        let longest = bytes.split("\r\n").map(str::len).max().unwrap();
        assert!(longest <= 998, "{longest}");
        assert!(!bytes.replace("\r\n", "").contains(['\r', '\n']), "no line ends otherwise");
    }

    #[test]
    fn line_ends_are_one_kind() {
        for text in ["a\n.\nb", "a\r.\rb", "a\r\n.\r\nb", "a\r\r\n\n\rb"] {
            let bytes = written(&Message { text: Some(text.to_owned()), ..message() });
            assert!(!bytes.replace("\r\n", "").contains(['\r', '\n']), "{text:?}: {bytes:?}");
        }
    }
}
