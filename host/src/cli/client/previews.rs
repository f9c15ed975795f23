//! `picloud preview`: a link to a deployment that need not run.

use std::process::{Command, Stdio};
use std::str::FromStr;

use serde_json::{Map, Value};

use super::api::Ask;
use super::args::InApp;
use super::output::{age, text_at, time};
use super::session::Session;
use crate::cli::failure::Result;
use crate::cli::terminal::{print, warn};

/// What opens a URL in the browser of whoever sits there.
const OPENER: &str = "xdg-open";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Preview {
    #[command(flatten)]
    place: InApp,
    /// Number of the deployment.
    number: i32,
    /// How long the link is good, such as 90s, 30m, 12h or 7d [default: 7d].
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
    /// Open it in a browser.
    #[arg(long)]
    open: bool,
}

/// So many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lifetime {
    seconds: u64,
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = || "a time is a number with its unit, such as 90s, 30m, 12h or 7d".to_owned();
        let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
        let read = |(unit, seconds): (&str, u64)| text.trim().strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds);
        let seconds = units.into_iter().find_map(read).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
        Ok(Self { seconds })
    }
}

pub(super) async fn run(preview: Preview) -> Result<()> {
    let Preview { place, number, expires, open } = preview;
    let (session, app) = (Session::open(&place.at)?, place.app()?);
    let expires = expires.map(|expires| ("expires_in_s".to_owned(), Value::from(expires.seconds)));
    let body: Map<String, Value> = expires.into_iter().collect();
    let ask = Ask::post(&["admin", "apps", &app, "deployments", &number.to_string(), "preview"]).json(&body)?;
    let reply = session.api.ask(ask).await?;
    let link = reply.value()?;
    if session.json {
        session.as_it_came(&reply);
    } else {
        print(&told(&session, number, &link));
    }
    if open && let Some(url) = link.get("url").and_then(Value::as_str) {
        show(url);
    }
    Ok(())
}

fn told(session: &Session, number: i32, link: &Value) -> String {
    let ends = link.get("expires_at").and_then(time).map_or_else(String::new, |then| format!(", {}", age(session.now, then)));
    let (url, expires_at) = (text_at(link, "/url"), text_at(link, "/expires_at"));
    format!("{url}\nDeployment {number} on the app's live data, for whoever has the link; until {expires_at}{ends}.\n")
}

/// In a browser, where there is one.
fn show(url: &str) {
    // What a node says is opened only as a page: nothing else is a program's to interpret.
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return warn("the link is none to a page: it is not opened");
    }
    let opened = Command::new(OPENER).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !opened.is_ok_and(|status| status.success()) {
        warn(&format!("no browser was opened ({OPENER})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), (" 12h", 43_200), ("7d", 604_800)] {
            assert_eq!(text.parse(), Ok(Lifetime { seconds }), "{text}");
        }
        for text in ["", "d", "7", "7 weeks", "-1d", "0s", "1.5h", "99999999999999999999d", "300000000000000d"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }
}
