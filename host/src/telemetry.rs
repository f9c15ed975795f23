//! What the process says about itself: one log, on standard error, with colours only on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is logged when `PICLOUD_LOG` names a level only: libraries speak when something is wrong.
const LIBRARIES: &str = "sqlx=warn,wasmtime=warn,cranelift=warn,hyper=warn,regalloc2=warn";

/// Starts the log. `filter` is a level (`info`) or directives (`info,picloud::ingress=debug`).
///
/// # Errors
/// A line that says what is wrong with `filter`.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = parse(filter)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).finish();
    // A second start (tests run several nodes in one process) keeps the first log.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(())
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
