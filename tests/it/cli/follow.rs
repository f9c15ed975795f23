//! `picloud logs -f`: a stream that breaks off goes on where it was, without a gap and without a line twice.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::{Person, refused};
use crate::support::eventually;
use crate::support::origin::{Origin, answer};

const TOKEN: &str = "pics_5ecre7";
const WITHIN: Duration = Duration::from_secs(30);

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line(n: u32) -> String {
    let data = json!({
        "seq": n, "at": "2026-01-02T03:04:05.678901Z", "level": "info", "message": format!("line {n}"),
        "script_name": "visits", "version": 1,
    });
    format!("id: 7-{n}\nevent: line\ndata: {data}\n\n")
}

fn stream(body: &str) -> Option<Vec<u8>> {
    answer("200 OK", &[("content-type", "text/event-stream")], body)
}

/// A stand-in that answers these one after the other, and then keeps whoever asks waiting.
async fn node(answers: Vec<Option<Vec<u8>>>) -> Origin {
    let answers = Mutex::new(answers.into_iter());
    Origin::plain(move |_| answers.lock().expect("not poisoned").next().flatten()).await
}

fn person(node: &Origin) -> Person {
    Person::new(&[("PICLOUD_URL", &format!("http://{}", node.address)), ("PICLOUD_TOKEN", TOKEN), ("PICLOUD_APP", "shop")])
}

/// What a follower has printed by the time that it has asked so often.
async fn followed(node: &Origin, person: &Person, args: &[&str], requests: usize) -> String {
    let path = person.write("followed", "");
    let mut command = person.command(args);
    let out = std::fs::OpenOptions::new().append(true).open(&path).expect("a file");
    command.stdout(out).stderr(Stdio::null());
    let _running = Running(command.spawn().expect("the binary starts"));
    eventually("it asks again", WITHIN, async || (node.received().len() >= requests).then_some(())).await;
    std::fs::read_to_string(&path).expect("what it printed")
}

#[tokio::test]
async fn a_stream_that_breaks_off_goes_on_where_it_was() {
    let half = format!("retry: 1000\n\n: hello\n\n{}{}id: 7-3\nevent: line\ndata: {{\"mess", line(1), line(2));
    let end = json!({
        "at": "2026-01-02T03:04:06Z", "script_name": "visits", "outcome": "script_failed", "status": 422,
        "usage": { "wall_us": 1500 }, "error": { "message": "no" },
    });
    let rest = format!("{}id: 7-4\nevent: execution\ndata: {end}\n\nevent: novel\ndata: 1\n\n", line(3));
    let busy = answer("503 Full", &[("content-type", "application/json")], "{}");
    let node = node(vec![stream(&half), busy, stream(&rest)]).await;
    let person = person(&node);
    let args = ["logs", "-f", "--level", "warn", "--since", "5m", "--text", "a b"];
    let printed = followed(&node, &person, &args, 4).await;
    assert_eq!(
        printed,
        "2026-01-02 03:04:05.678  info   visits  line 1\n\
         2026-01-02 03:04:05.678  info   visits  line 2\n\
         2026-01-02 03:04:05.678  info   visits  line 3\n\
         2026-01-02 03:04:06.000  end    visits  script_failed 422  1.5 ms  no\n"
    );
    let received = node.received();
    assert_eq!(received[0].target, "/api/v1/admin/apps/shop/logs?level=warn&text=a%20b&since=5m");
    let seen: Vec<Option<&str>> = received.iter().take(4).map(|request| request.header("last-event-id")).collect();
    // The id of the half event came whole, but the event did not: it is asked for again.
    assert_eq!(seen, [None, Some("7-2"), Some("7-2"), Some("7-4")]);
    assert!(received.iter().all(|request| request.header("accept") == Some("text/event-stream")));
}

#[tokio::test]
async fn as_json_each_event_is_a_line() {
    let node = node(vec![stream(&format!("{}{}", line(1), line(2)))]).await;
    let person = person(&node);
    let printed = followed(&node, &person, &["logs", "-f", "visits", "--json"], 2).await;
    let numbers: Vec<u64> = printed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(node.received()[0].target, "/api/v1/admin/apps/shop/logs?script=visits");
}

#[tokio::test]
async fn what_waiting_does_not_mend_ends_it() {
    let gone =
        answer("404 Gone", &[("content-type", "application/json")], r#"{"error": {"code": "not_found", "message": "no app"}}"#);
    let first = node(vec![gone.clone()]).await;
    assert_eq!(refused(&person(&first).run(&["logs", "-f"]).await, 9), "picloud: no app\n");
    // The right to the app was lost meanwhile.
    let later = node(vec![stream(&line(1)), gone]).await;
    let ended = person(&later).run(&["logs", "-f"]).await;
    assert_eq!(refused(&ended, 9), "picloud: no app\n");
    assert!(ended.stdout.contains("line 1"), "{ended:?}");
    // A first opening that fails is told at once.
    let busy = node(vec![answer("503 Full", &[], "")]).await;
    refused(&person(&busy).run(&["logs", "-f"]).await, 12);
    let other = node(vec![answer("200 OK", &[("content-type", "text/html")], "<html>")]).await;
    refused(&person(&other).run(&["logs", "-f"]).await, 1);
}
