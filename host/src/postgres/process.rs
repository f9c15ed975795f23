//! The child: started so that it cannot outlive us, listened to, and ended in order.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::sync::{oneshot, watch};

use super::Error;
use super::account::{Account, run_as};
use crate::limits;

/// How PostgreSQL is started.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) home: PathBuf,
    pub(super) config_file: PathBuf,
    pub(super) account: Option<Account>,
}

/// A child that lives as long as its own thread of ours.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    status: watch::Receiver<Option<ExitStatus>>,
    said: Arc<Mutex<VecDeque<String>>>,
    serving: Arc<AtomicBool>,
}

impl Process {
    /// Starts it from a thread of its own: the kernel ties the parent's death signal to the thread that forked, so
    /// that thread stays until the child is gone.
    pub(super) async fn spawn(launch: Launch) -> Result<Self, Error> {
        let (started, starting) = oneshot::channel();
        let (ended, status) = watch::channel(None);
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let heard = said.clone();
        let serving = Arc::new(AtomicBool::new(false));
        let is_serving = serving.clone();
        let program = launch.program.display().to_string();
        let fail = |e: std::io::Error| Error::Server(format!("{program} does not start: {e}"));
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || match start(&launch) {
                Ok((mut child, stderr)) => {
                    let _ = started.send(Ok(Pid::from_child(&child)));
                    listen(stderr, &heard, &is_serving);
                    let _ = ended.send(child.wait().ok());
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            })
            .map_err(fail)?;
        let pid = starting.await.map_err(|_| Error::Server("the thread of PostgreSQL ended early".to_owned()))?.map_err(fail)?;
        Ok(Self { pid, status, said, serving })
    }

    /// From now on what it complains of is logged: nobody waits for its start any more.
    pub(super) fn serves(&self) {
        self.serving.store(true, Ordering::Relaxed);
    }

    /// Resolves when it ended, with why: how it exited and what it said last.
    pub(super) async fn ended(&self) -> String {
        let mut status = self.status.clone();
        // An error means that the thread is gone, and the child with it.
        let ended = status.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        let how = ended.map_or_else(|| "it is gone".to_owned(), |status| status.to_string());
        format!("{} ({how})", self.last_words())
    }

    /// The last complaint, or the last line.
    pub(super) fn last_words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        explain(said.iter().map(String::as_str))
    }

    /// Fast (clients are cut off, everything is written), then immediate (recovery at the next start), then by force.
    pub(super) async fn stop(&self) {
        let steps = [
            (Signal::INT, limits::POSTGRES_STOP_MS),
            (Signal::QUIT, limits::POSTGRES_STOP_IMMEDIATE_MS),
            (Signal::KILL, limits::POSTGRES_STOP_IMMEDIATE_MS),
        ];
        for (step, (signal, wait_ms)) in steps.into_iter().enumerate() {
            if step > 0 {
                tracing::warn!(?signal, "PostgreSQL has not ended; telling it again");
            }
            self.tell(signal);
            if tokio::time::timeout(Duration::from_millis(wait_ms), self.ended()).await.is_ok() {
                return;
            }
        }
        tracing::error!("PostgreSQL did not end");
    }

    fn tell(&self, signal: Signal) {
        // Only while the child is not yet reaped is the number still its own.
        if self.status.borrow().is_none() && self.status.has_changed().is_ok() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tell(Signal::INT);
    }
}

fn start(launch: &Launch) -> std::io::Result<(Child, ChildStderr)> {
    let mut config_file = std::ffi::OsString::from("config_file=");
    config_file.push(&launch.config_file);
    let mut command = Command::new(&launch.program);
    run_as(&mut command, launch.account.as_ref(), &launch.home);
    command
        .arg("-D")
        .arg(&launch.home)
        .arg("-c")
        .arg(config_file)
        // What it says before it has read its settings should look the same.
        .args(["-c", "log_line_prefix="])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
        // A Ctrl-C at the terminal is for us: PostgreSQL ends last, after those who use it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    tie_to_us(&mut command, Signal::INT);
    let mut child = command.spawn()?;
    let stderr = child.stderr.take().ok_or_else(|| std::io::Error::other("no standard error"))?;
    Ok((child, stderr))
}

/// Makes the kernel send the child `signal` when the thread that starts it ends: so nothing of ours outlives us, however
/// we end. (The closure runs after a change of user, which would clear the setting.)
pub(super) fn tie_to_us(command: &mut Command, signal: Signal) {
    let us = Pid::from_raw(i32::try_from(std::process::id()).unwrap_or_default());
    // SAFETY: the closure runs in the child between fork and exec, and makes system calls only: it neither allocates nor
    // takes a lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(signal))?;
            // We may have died before the line above.
            if getppid() == us { Ok(()) } else { Err(std::io::Error::from(rustix::io::Errno::SRCH)) }
        });
    }
}

/// Until the last process that could still write is gone.
fn listen(stderr: ChildStderr, said: &Mutex<VecDeque<String>>, serving: &AtomicBool) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        // What ends a start, a connection or a statement is reported by whoever waits for it.
        if serving.load(Ordering::Relaxed) && severity(&text) == Severity::Broken {
            tracing::error!(target: "picloud::postgres", "{text}");
        } else {
            tracing::debug!(target: "picloud::postgres", "{text}");
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= limits::POSTGRES_LOG_LINES_KEPT {
            said.pop_front();
        }
        said.push_back(text);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Severity {
    /// PostgreSQL itself is in trouble.
    Broken,
    /// It, or one connection, does not go on.
    Refused,
    Chatter,
}

fn severity(line: &str) -> Severity {
    if line.starts_with("PANIC:") || line.contains("was terminated by signal") {
        Severity::Broken
    } else if line.starts_with("FATAL:") && !line.contains("the database system is") && !line.contains("terminating connection") {
        Severity::Refused
    } else {
        Severity::Chatter
    }
}

/// One line: the last FATAL or PANIC with the details that follow it, else whatever was said last.
fn explain<'a>(lines: impl DoubleEndedIterator<Item = &'a str> + Clone) -> String {
    // The process that complained is named by the one that saw it end: its own words say more.
    let own_words =
        |line: &&str| line.starts_with("PANIC:") || (line.starts_with("FATAL:") && severity(line) != Severity::Chatter);
    let mut backwards = lines.clone().rev();
    let complaint = backwards.find(own_words).or_else(|| lines.clone().rev().find(|line| severity(line) != Severity::Chatter));
    let Some(complaint) = complaint else {
        return lines.rev().find(|line| !line.is_empty()).unwrap_or("it said nothing").to_owned();
    };
    let after = lines.rev().take_while(|line| *line != complaint).collect::<Vec<_>>();
    let details = after.iter().rev().filter(|line| line.starts_with("DETAIL:") || line.starts_with("HINT:"));
    let mut text = strip(complaint).to_owned();
    for detail in details {
        text.push_str("; ");
        text.push_str(strip(detail));
    }
    text
}

fn strip(line: &str) -> &str {
    line.split_once(": ").map_or(line, |(_, text)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_is_explained_in_one_line() {
        let lines = [
            "LOG:  starting PostgreSQL 15.14",
            "FATAL:  data directory \"/d\" has invalid permissions",
            "DETAIL:  Permissions should be u=rwx (0700).",
            "LOG:  database system is shut down",
        ];
        let text = explain(lines.into_iter());
        assert_eq!(text, "data directory \"/d\" has invalid permissions; Permissions should be u=rwx (0700).");
    }

    #[test]
    fn the_one_who_died_is_believed_before_the_one_who_saw_it() {
        let lines = [
            "PANIC:  could not locate a valid checkpoint record",
            "LOG:  startup process (PID 7) was terminated by signal 6: Aborted",
        ];
        assert_eq!(explain(lines.into_iter()), "could not locate a valid checkpoint record");
        assert_eq!(explain(lines.into_iter().skip(1)), "startup process (PID 7) was terminated by signal 6: Aborted");
    }

    #[test]
    fn without_a_complaint_the_last_line_speaks() {
        assert_eq!(explain(["LOG:  redo starts at 0/1", ""].into_iter()), "LOG:  redo starts at 0/1");
        assert_eq!(explain([].into_iter()), "it said nothing");
    }

    #[test]
    fn refusals_while_starting_or_ending_are_chatter() {
        assert_eq!(severity("FATAL:  the database system is starting up"), Severity::Chatter);
        assert_eq!(severity("FATAL:  terminating connection due to administrator command"), Severity::Chatter);
        assert_eq!(severity("FATAL:  could not write lock file"), Severity::Refused);
        assert_eq!(severity("LOG:  server process (PID 7) was terminated by signal 9: Killed"), Severity::Broken);
        assert_eq!(severity("PANIC:  could not locate a valid checkpoint record"), Severity::Broken);
    }
}
