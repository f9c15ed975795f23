//! Mail that scripts send, through a real server: what arrives, what is refused, and what a relay in trouble does to it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use picloud::clock::Clock;
use picloud::egress::smtp::Settings;
use picloud::error::{Error, Kind};
use picloud::limits;
use picloud::model::email::Message;
use picloud::service::email::send;
use serde_json::{Value, json};

use crate::support::mail::MailServer;
use crate::support::{Options, Tenant, TestApp, eventually};

/// A node with that relay, and an app that may send as `cloud@example.org`.
async fn shop_with(options: Options) -> (TestApp, Tenant) {
    let app = TestApp::start_with(options).await;
    let shop = app.create_app("shop").await;
    shop.grant(json!({ "email": ["cloud@example.org"] })).await;
    (app, shop)
}

async fn shop_before(server: &MailServer) -> (TestApp, Tenant) {
    shop_with(Options { smtp: Some(server.settings()), ..Options::default() }).await
}

impl Tenant {
    async fn mail(&self, app: &TestApp, message: Message) -> Result<String, Error> {
        send(&app.services, self.id.parse().expect("an id"), message).await
    }
}

fn message(to: &[&str]) -> Message {
    Message {
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        subject: "Hello".to_owned(),
        text: Some("Hi Ada".to_owned()),
        ..Message::default()
    }
}

#[track_caller]
fn fails(sent: Result<String, Error>, kind: Kind, code: &str) -> String {
    let error = sent.expect_err("not sent");
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
    error.message.into_owned()
}

fn header<'a>(taken: &'a Value, name: &str) -> Option<&'a str> {
    let mut found = taken["headers"].as_array().expect("headers").iter().filter(|pair| pair[0] == name);
    let value = found.next().and_then(|pair| pair[1].as_str());
    assert!(found.next().is_none(), "{name} is there twice: {taken}");
    value
}

#[tokio::test]
async fn a_message_arrives_as_it_was_meant() {
    let server = MailServer::start();
    let now: DateTime<Utc> = "2031-02-03T04:05:06Z".parse().expect("a time");
    let options = Options { smtp: Some(server.settings()), clock: Clock::manual(now), ..Options::default() };
    let (app, shop) = shop_with(options).await;
    let sent = Message {
        cc: vec!["bob@example.com".to_owned()],
        bcc: vec!["eve@example.com".to_owned(), "ada@example.com".to_owned()],
        reply_to: Some("desk@example.org".to_owned()),
        subject: "Grüße, 你好 💌 – a subject that is so long that it has to be folded somewhere".to_owned(),
        text: Some("Hi Ada,\n\n.\n..\nGrüße\r\nFrom me\n".to_owned()),
        html: Some("<p>Grüße</p>".to_owned()),
        ..message(&["ada@example.com", "o'neil+x@Example.com"])
    };
    let id = shop.mail(&app, sent.clone()).await.expect("sent");
    let taken = server.taken().pop().expect("a message");
    assert_eq!(taken["from"], "cloud@example.org");
    let everyone = ["ada@example.com", "o'neil+x@Example.com", "bob@example.com", "eve@example.com"];
    assert_eq!(taken["to"], json!(everyone), "each once");
    assert_eq!(header(&taken, "From"), Some("cloud@example.org"));
    assert_eq!(header(&taken, "To"), Some("ada@example.com, o'neil+x@Example.com"));
    assert_eq!(header(&taken, "Cc"), Some("bob@example.com"));
    assert_eq!(header(&taken, "Reply-To"), Some("desk@example.org"));
    assert_eq!(header(&taken, "Subject"), Some(sent.subject.as_str()));
    assert_eq!(header(&taken, "Date"), Some("Mon, 03 Feb 2031 04:05:06 +0000"));
    assert_eq!(header(&taken, "Message-ID"), Some(id.as_str()));
    assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
    let raw = taken["raw"].as_str().expect("bytes");
    assert!(!raw.contains("eve@") && !raw.to_lowercase().contains("\nbcc:"), "{raw}");
    assert_eq!(taken["type"], "multipart/alternative");
    let text = "Hi Ada,\n\n.\n..\nGrüße\nFrom me\n";
    assert_eq!(taken["parts"], json!([["text/plain", text], ["text/html", "<p>Grüße</p>"]]));
    assert_eq!(taken["defects"], json!([]));
}

#[tokio::test]
async fn text_or_html_alone_and_bcc_alone_are_messages() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    shop.mail(&app, message(&["ada@example.com"])).await.expect("sent");
    let html = Message {
        text: None,
        html: Some("<b>x</b>".to_owned()),
        to: vec![],
        bcc: vec!["b@example.com".to_owned()],
        ..message(&[])
    };
    shop.mail(&app, html).await.expect("sent");
    let taken = server.taken();
    assert_eq!((&taken[0]["type"], &taken[0]["parts"][0][1]), (&json!("text/plain"), &json!("Hi Ada\n")));
    assert_eq!((&taken[1]["type"], &taken[1]["to"]), (&json!("text/html"), &json!(["b@example.com"])));
    assert_eq!(header(&taken[1], "To"), Some("undisclosed-recipients:;"));
}

#[tokio::test]
async fn a_subject_arrives_letter_for_letter() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    let max = limits::EMAIL_SUBJECT_BYTES_MAX;
    let subjects = [
        "=?utf-8?b?bm8=?=".to_owned(),
        " a  b   c ".to_owned(),
        "ß".repeat(max / 2),
        format!("a{}b", " ".repeat(max - 2)),
        "word ".repeat(max / 5) + "end",
        "你好 ".repeat(max / 7) + "x",
        "a: b; \"c\" <d> (e)".to_owned(),
    ];
    for subject in &subjects {
        shop.mail(&app, Message { subject: subject.clone(), ..message(&["ada@example.com"]) }).await.expect("sent");
        let taken = server.taken().pop().expect("a message");
        assert_eq!(header(&taken, "Subject"), Some(subject.as_str()), "{}", taken["raw"]);
    }
}

#[tokio::test]
async fn a_full_message_arrives_whole() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    let body = "ö\u{7}=.\n".repeat(limits::EMAIL_BODY_BYTES_MAX / 6);
    let to: Vec<_> = (0..limits::EMAIL_RECIPIENTS_MAX).map(|n| format!("a{n}@example.com")).collect();
    let full = Message { to, text: Some(body.clone()), subject: "s".repeat(limits::EMAIL_SUBJECT_BYTES_MAX), ..message(&[]) };
    shop.mail(&app, full.clone()).await.expect("sent");
    let taken = server.taken().pop().expect("a message");
    assert_eq!(taken["to"].as_array().map(Vec::len), Some(limits::EMAIL_RECIPIENTS_MAX));
    assert!(taken["parts"][0][1].as_str().map(str::trim_end) == Some(body.trim_end()), "the text differs");
    assert_eq!(header(&taken, "Subject"), Some(full.subject.as_str()));
    let over = Message { text: Some("x".repeat(limits::EMAIL_BODY_BYTES_MAX + 1)), ..full };
    fails(shop.mail(&app, over).await, Kind::Invalid, "invalid");
}

#[tokio::test]
async fn a_sender_needs_its_grant() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    let other = app.create_app("other").await;
    let as_desk = Message { from: Some("desk@Example.org".to_owned()), ..message(&["ada@example.com"]) };
    let told = fails(shop.mail(&app, as_desk.clone()).await, Kind::Forbidden, "denied");
    assert!(
        told.ends_with(r#"PATCH /api/v1/admin/apps/shop/grants {"email":["cloud@example.org","desk@example.org"]}"#),
        "{told}"
    );
    let told = fails(other.mail(&app, message(&["ada@example.com"])).await, Kind::Forbidden, "denied");
    assert!(told.contains("cloud@example.org"), "the node's own sender needs one too: {told}");
    shop.grant(json!({ "email": ["desk@example.org"] })).await;
    shop.mail(&app, as_desk).await.expect("sent");
    fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::Forbidden, "denied");
    assert_eq!(server.taken().iter().map(|taken| taken["from"].clone()).collect::<Vec<_>>(), ["desk@Example.org"]);
}

#[tokio::test]
async fn without_a_relay_or_a_sender_it_says_which_setting_is_missing() {
    let (app, shop) = shop_with(Options::default()).await;
    let told = fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::NotConfigured, "not_configured");
    assert!(told.contains("PICLOUD_SMTP_URL"), "{told}");
    let url = picloud::config::Hidden::new("smtp://127.0.0.1:9".to_owned());
    let (app, shop) = shop_with(Options { smtp: Settings::read(&url, None).ok(), ..Options::default() }).await;
    let told = fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::Invalid, "invalid");
    assert!(told.contains("PICLOUD_SMTP_FROM"), "{told}");
}

#[tokio::test]
async fn nothing_that_a_script_says_adds_a_header_a_recipient_or_a_command() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    let fine = || message(&["ada@example.com"]);
    for bad in [
        Message { subject: "x\r\nBcc: eve@example.com".to_owned(), ..fine() },
        Message { subject: "x\nX-Evil: 1".to_owned(), ..fine() },
        Message { reply_to: Some("a@example.com\r\nBcc: eve@example.com".to_owned()), ..fine() },
        Message { to: vec!["a@example.com>\r\nRCPT TO:<eve@example.com".to_owned()], ..fine() },
        Message { bcc: vec!["a@example.com, eve@example.com".to_owned()], ..fine() },
        Message { from: Some("cloud@example.org\r\nX-Evil: 1".to_owned()), ..fine() },
        Message { from: Some("Boss <cloud@example.org>".to_owned()), ..fine() },
    ] {
        fails(shop.mail(&app, bad.clone()).await, Kind::Invalid, "invalid");
    }
    assert!(server.taken().is_empty());
    let smuggled = "\r\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\nhi\r\n.\r\n";
    let ways = [smuggled.to_owned(), smuggled.replace("\r\n", "\n"), smuggled.replace("\r\n", "\r"), format!("x\r{smuggled}")];
    for text in &ways {
        shop.mail(&app, Message { text: Some(text.clone()), ..fine() }).await.expect("sent");
    }
    let taken = server.taken();
    assert_eq!(taken.len(), ways.len());
    for one in taken {
        assert_eq!((&one["from"], &one["to"]), (&json!("cloud@example.org"), &json!(["ada@example.com"])));
        assert!(
            one["parts"][0][1].as_str().expect("text").contains("\n.\nMAIL FROM:<x@y>\nRCPT TO:<eve@example.com>\nDATA\nhi\n.\n"),
            "{one}"
        );
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_the_scripts_to_mend_and_one_for_now_is_not() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    let told = fails(shop.mail(&app, message(&["ada@example.com", "refuse@example.com"])).await, Kind::Invalid, "invalid");
    assert!(told.contains("`refuse@example.com`") && told.contains("550 5.1.1 no such mailbox"), "{told}");
    assert!(!told.contains(['\u{1b}', '\u{7}']) && told.len() < 300, "the relay's words are made fit and cut: {told}");
    let told = fails(shop.mail(&app, message(&["refuse-content@example.com"])).await, Kind::Invalid, "invalid");
    assert!(told.contains("the message: 550"), "{told}");
    let told = fails(shop.mail(&app, message(&["ada@example.com", "later@example.com"])).await, Kind::Overloaded, "unavailable");
    assert!(told.contains("451 4.7.1 come back later"), "{told}");
    fails(shop.mail(&app, message(&["later-content@example.com"])).await, Kind::Overloaded, "unavailable");
    shop.grant(json!({ "email": ["*"] })).await;
    let from = Message { from: Some("refuse@example.org".to_owned()), ..message(&["ada@example.com"]) };
    let told = fails(shop.mail(&app, from).await, Kind::Invalid, "invalid");
    assert!(told.contains("the sender `refuse@example.org`: 550"), "{told}");
    assert!(server.taken().is_empty(), "of several recipients none got it");
}

#[tokio::test]
async fn a_relay_that_hangs_or_breaks_off_is_waited_for_within_the_bound() {
    let server = MailServer::start();
    let mut smtp = server.settings();
    smtp.timeout = Duration::from_millis(300);
    let (app, shop) = shop_with(Options { smtp: Some(smtp), ..Options::default() }).await;
    let since = Instant::now();
    let told = fails(shop.mail(&app, message(&["hang@example.com"])).await, Kind::TimedOut, "timed_out");
    assert!(told.contains("300 ms; nothing was sent"), "{told}");
    let told = fails(shop.mail(&app, message(&["hang-content@example.com"])).await, Kind::TimedOut, "timed_out");
    assert!(told.contains("may have been sent"), "{told}");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let told = fails(shop.mail(&app, message(&["drop-content@example.com"])).await, Kind::Overloaded, "unavailable");
    assert!(told.contains("broke off; the message may have been sent"), "{told}");
    shop.mail(&app, message(&["ada@example.com"])).await.expect("what hung is not used again");
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn a_send_that_was_dropped_leaves_nothing_to_the_next_one() {
    let server = MailServer::start();
    let (app, shop) = shop_before(&server).await;
    for to in ["hang@example.com", "hang-content@example.com", "slow@example.com"] {
        shop.mail(&app, message(&["ada@example.com"])).await.expect("sent, over the connection that is used next");
        let dropped = tokio::time::timeout(Duration::from_millis(200), shop.mail(&app, message(&[to]))).await;
        assert!(dropped.is_err(), "{to}");
        let next = Message { subject: format!("after {to}"), ..message(&["bob@example.com"]) };
        shop.mail(&app, next.clone()).await.expect("sent");
        let taken = server.taken().pop().expect("a message");
        assert_eq!((&taken["to"], header(&taken, "Subject")), (&json!(["bob@example.com"]), Some(next.subject.as_str())));
    }
    assert_eq!(server.taken().len(), 6);
}

#[tokio::test]
async fn connections_are_kept_for_the_next_message_and_not_for_ever() {
    let mut server = MailServer::start();
    let mut smtp = server.settings();
    smtp.idle = Duration::from_millis(1_500);
    let (app, shop) = shop_with(Options { smtp: Some(smtp), ..Options::default() }).await;
    let connections = |server: &MailServer| server.taken().iter().map(|taken| taken["connection"].clone()).collect::<Vec<_>>();
    for _ in 0..3 {
        shop.mail(&app, message(&["ada@example.com"])).await.expect("sent");
    }
    let used = connections(&server);
    assert_eq!((&used[0], &used[1]), (&used[1], &used[2]), "one connection for all three");
    server.restart();
    shop.mail(&app, message(&["ada@example.com"])).await.expect("sent, over a new connection");
    let last = connections(&server).pop().expect("a message");
    assert_ne!(last, used[2]);
    let local = last[1].as_u64().expect("a port");
    eventually("an idle connection is closed", Duration::from_secs(10), async || {
        (!is_connected(local, server.port)).then_some(())
    })
    .await;
    shop.mail(&app, message(&["ada@example.com"])).await.expect("sent");
    server.stop();
    let told = fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::Overloaded, "unavailable");
    assert!(!told.contains("127.0.0.1"), "{told}");
}

/// Whether a connection between two ports of this machine is established, by the kernel's table.
fn is_connected(local: u64, remote: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|field| field.ends_with(&format!(":{local:04X}")))
            && fields.get(2).is_some_and(|field| field.ends_with(&format!(":{remote:04X}")))
            && fields.get(3) == Some(&"01")
    })
}

#[tokio::test]
async fn an_app_has_its_places_and_leaves_others_theirs() {
    let server = MailServer::start();
    let mut smtp = server.settings();
    smtp.timeout = Duration::from_millis(2_000);
    let (app, shop) = shop_with(Options { smtp: Some(smtp), ..Options::default() }).await;
    let other = app.create_app("other").await;
    other.grant(json!({ "email": ["*"] })).await;
    let hanging = (0..limits::EMAIL_SENDS_PER_APP_MAX).map(|_| shop.mail(&app, message(&["hang@example.com"])));
    let one_more = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.mail(&app, message(&["ada@example.com"])).await.expect("sent");
        assert_eq!(server.taken().len(), 1);
        tokio::time::timeout(Duration::from_millis(500), shop.mail(&app, message(&["ada@example.com"]))).await
    };
    let (hung, one_more) = tokio::join!(futures_util::future::join_all(hanging), one_more);
    assert!(one_more.is_err(), "it waits for one of its app's places");
    for one in hung {
        fails(one, Kind::TimedOut, "timed_out");
    }
    shop.mail(&app, message(&["ada@example.com"])).await.expect("places are given back");
}

#[tokio::test]
async fn one_more_than_an_apps_places_is_refused_after_its_time() {
    let server = MailServer::start();
    let mut smtp = server.settings();
    smtp.timeout = Duration::from_millis(500);
    let (app, shop) = shop_with(Options { smtp: Some(smtp), ..Options::default() }).await;
    let all = (0..=limits::EMAIL_SENDS_PER_APP_MAX).map(|_| shop.mail(&app, message(&["hang@example.com"])));
    let mut codes: Vec<_> =
        futures_util::future::join_all(all).await.into_iter().map(|sent| sent.expect_err("not sent").code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["overloaded", "timed_out", "timed_out", "timed_out", "timed_out"]);
}

#[tokio::test]
async fn a_login_goes_under_tls_and_a_certificate_is_checked() {
    for (mode, scheme, options) in [("starttls", "smtp", ""), ("tls", "smtps", ""), ("starttls", "smtp", "?tls=required")] {
        let server = MailServer::secured(mode, "127.0.0.1");
        let url = |login: &str| format!("{scheme}://{login}@127.0.0.1:{}{options}", server.port);
        let right = server.settings_at(&url("cloud:p%3Ass%2Fw%C3%B6rd"));
        let trusted = Options { smtp: Some(right.clone()), network: server.network(), ..Options::default() };
        let (app, shop) = shop_with(trusted).await;
        shop.mail(&app, message(&["ada@example.com"])).await.expect("sent");
        let taken = server.taken().pop().expect("a message");
        assert_eq!((&taken["tls"], &taken["login"]), (&json!(true), &json!("cloud")), "{mode}");

        let wrong = server.settings_at(&url("cloud:hush"));
        for (smtp, network) in [(wrong, server.network()), (right, Options::default().network)] {
            let (app, shop) = shop_with(Options { smtp: Some(smtp), network, ..Options::default() }).await;
            let told = fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::Overloaded, "unavailable");
            assert!(!told.contains("hush") && told.contains("log says why"), "{told}");
        }
        assert_eq!(server.taken().len(), 1);
    }
}

#[tokio::test]
async fn a_relay_without_starttls_is_given_neither_login_nor_mail() {
    let server = MailServer::start();
    let smtp = server.settings_at(&format!("smtp://cloud:hush@127.0.0.1:{}", server.port));
    let (app, shop) = shop_with(Options { smtp: Some(smtp), ..Options::default() }).await;
    fails(shop.mail(&app, message(&["ada@example.com"])).await, Kind::Overloaded, "unavailable");
    assert!(server.taken().is_empty());
}
