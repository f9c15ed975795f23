//! Messages that scripts send by mail.

use chrono::DateTime;
use picloud::egress::smtp::Letter;
use picloud::hostcall::fuzzing;
use picloud::limits;
use picloud::model::email::{Message, address};
use picloud::wit;
use uuid::Uuid;

use crate::draw::Draw;

/// A line of mail, bytes (RFC 5322 §2.1.1).
const LINE_BYTES_MOST: usize = 998;
const ADDRESSES: [&str; 8] = [
    "ada@example.com",
    "b@c",
    "o'neil+x@mail.example.com",
    "{a}=/?@a-b.c",
    "a@b\r\nBcc: c@d",
    "Ada <a@b>",
    "a@[127.0.0.1]",
    "a@127.0.0.1",
];
/// Headers that a message may have, each once.
const HEADERS: [&str; 10] = [
    "message-id",
    "date",
    "from",
    "subject",
    "to",
    "cc",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// What is let through can be written, for the recipients that it names and nobody else, with the headers that it should have and
/// no others, in lines that every server reads alike.
pub(super) fn messages(draw: &mut Draw) {
    let given = wit::email::Message {
        from: draw.option(mailbox),
        to: draw.list(3, mailbox),
        cc: draw.list(3, mailbox),
        bcc: draw.list(3, mailbox),
        reply_to: draw.option(mailbox),
        subject: draw.text(limits::EMAIL_SUBJECT_BYTES_MAX),
        text: draw.option(content),
        html: draw.option(content),
    };
    let message = fuzzing::email_message(given.clone());
    let same = Message {
        from: given.from,
        to: given.to,
        cc: given.cc,
        bcc: given.bcc,
        reply_to: given.reply_to,
        subject: given.subject,
        text: given.text,
        html: given.html,
    };
    assert_eq!(message, same);
    if let Err(refused) = message.check() {
        return assert_eq!(refused.code, "invalid", "{refused}");
    }
    bounds(&message);
    let from = message.from.as_deref().unwrap_or("shop@example.com");
    let letter = Letter { message: &message, from, id: Uuid::from_u128(7), now: DateTime::UNIX_EPOCH };
    let bytes = letter.write().unwrap_or_else(|error| panic!("{message:?}: {error}: {:?}", error.source));
    let written = String::from_utf8(bytes).expect("ASCII");
    lines(&written);
    headers(&written, &message, from);
}

fn mailbox(draw: &mut Draw) -> String {
    match draw.below(4) {
        0 => draw.text(limits::EMAIL_ADDRESS_BYTES_MAX),
        1 => format!("{}@{}", draw.raw_text(70), draw.raw_text(70)),
        _ => draw.one_of(&ADDRESSES).to_owned(),
    }
}

fn content(draw: &mut Draw) -> String {
    let piece = draw.text(2_000);
    if draw.below(8) == 7 { piece.repeat(8) } else { piece }
}

fn bounds(message: &Message) {
    let named: Vec<&String> = message.to.iter().chain(&message.cc).chain(&message.bcc).collect();
    assert!((1..=limits::EMAIL_RECIPIENTS_MAX).contains(&named.len()));
    for one in named.into_iter().chain(&message.from).chain(&message.reply_to) {
        assert!(address("to", one).is_ok() && one.len() <= limits::EMAIL_ADDRESS_BYTES_MAX);
        assert!(one.bytes().all(|byte| byte.is_ascii_graphic()) && !one.contains(['<', '>', ',', ';', '"']), "{one:?}");
    }
    assert!(!message.subject.contains(char::is_control) && message.subject.len() <= limits::EMAIL_SUBJECT_BYTES_MAX);
    assert!(message.text.is_some() || message.html.is_some());
    let recipients = message.recipients();
    assert!(recipients.iter().enumerate().all(|(at, one)| !recipients[..at].contains(one)), "each once");
}

fn lines(written: &str) {
    assert!(written.is_ascii() && !written.contains('\0'));
    assert!(!written.replace("\r\n", "").contains(['\r', '\n']), "a line ends in another way: {written:?}");
    assert!(written.split("\r\n").all(|line| line.len() <= LINE_BYTES_MOST), "a long line: {written:?}");
}

fn headers(written: &str, message: &Message, from: &str) {
    let (head, _) = written.split_once("\r\n\r\n").expect("a head");
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.strip_prefix([' ', '\t']), fields.last_mut()) {
            (Some(more), Some((_, value))) => {
                value.push(' ');
                value.push_str(more.trim_start());
            }
            _ => {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
    for (at, (name, _)) in fields.iter().enumerate() {
        assert!(HEADERS.contains(&name.as_str()), "{name} in {head:?}");
        assert!(fields[..at].iter().all(|(other, _)| other != name), "{name} twice in {head:?}");
    }
    let of = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let listed = |list: &[String]| if list.is_empty() { None } else { Some(list.join(", ")) };
    let nobody = message.to.is_empty() && message.cc.is_empty();
    let to = if nobody { Some("undisclosed-recipients:;".to_owned()) } else { listed(&message.to) };
    assert_eq!((of("to"), of("cc")), (to.as_deref(), listed(&message.cc).as_deref()), "{head:?}");
    assert_eq!((of("from"), of("reply-to")), (Some(from), message.reply_to.as_deref()), "{head:?}");
}
