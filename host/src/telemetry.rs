//! What the process says about itself: one log, on standard error, with colours only on a terminal; and the same line by line to
//! whoever asked for it ([`pass_on`]).

use std::fmt::Debug;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What is logged when `PICLOUD_LOG` names a level only: libraries speak when something is wrong.
const LIBRARIES: &str = "sqlx=warn,wasmtime=warn,cranelift=warn,hyper=warn,regalloc2=warn";

/// What whoever passes lines on says of that, which would have no end.
const OF_PASSING_ON: &str = "picloud::egress::otlp";

/// How much a line matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// A line of the log, for programs.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub level: Level,
    /// The module that says it.
    pub target: &'static str,
    pub message: String,
    pub fields: Vec<(&'static str, String)>,
}

type Sink = Box<dyn Fn(Line) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// From now on every line is given to `sink` too, which must not wait. Only the first one counts.
pub fn pass_on(sink: impl Fn(Line) + Send + Sync + 'static) {
    let _ = SINK.set(Box::new(sink));
}

/// Starts the log. `filter` is a level (`info`) or directives (`info,picloud::ingress=debug`).
///
/// # Errors
/// A line that says what is wrong with `filter`.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = parse(filter)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).finish();
    let log = log.with(PassedOn);
    // A second start (tests run several nodes in one process) keeps the first log.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(())
}

/// Gives lines to the sink; where there is none, it costs a look.
struct PassedOn;

impl<S: Subscriber> Layer<S> for PassedOn {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(sink) = SINK.get() else { return };
        let about = event.metadata();
        if about.target().starts_with(OF_PASSING_ON) {
            return;
        }
        let level = match *about.level() {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::ERROR => Level::Error,
        };
        let mut line = Line { level, target: about.target(), message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        sink(line);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.note(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.to_owned());
    }
}

impl Line {
    fn note(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text)),
        }
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    let filter = filter.trim();
    let directives = if filter.contains(['=', ',']) { filter.to_owned() } else { format!("{LIBRARIES},{filter}") };
    EnvFilter::try_new(&directives).map_err(|e| {
        format!(
            "PICLOUD_LOG={filter}: {e}; write a level (error, warn, info, debug, trace) or directives such as info,sqlx=debug"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_keeps_libraries_quiet() {
        let filter = parse("debug").unwrap().to_string();
        assert!(filter.contains("sqlx=warn") && filter.ends_with("debug"), "{filter}");
    }

    #[test]
    fn directives_are_taken_as_they_are() {
        assert_eq!(parse("info,sqlx=debug").unwrap().to_string(), "sqlx=debug,info");
    }

    #[test]
    fn nonsense_is_named() {
        assert!(parse("info,picloud=loud").unwrap_err().contains("picloud=loud"));
    }
}
