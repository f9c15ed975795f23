//! `picloud test`: finds tests, runs each in a world of its own, and tells of them in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::project::{Project, Source, everything};
use super::report::{self, Outcome, Tally, Told};
use super::stage::{As, Ready, Stage};
use super::{At, Common, scan};
use crate::cli::client::manifest;
use crate::cli::client::output::cell;
use crate::cli::failure::{Exit, Failure, Result};
use crate::cli::terminal::{print, print_json, say};
use crate::clock::Clock;
use crate::hostcall::local::{Ask, Here, Purpose, Role, Settings, World};
use crate::limits::{
    LOCAL_JOBS_MAX, LOCAL_TEST_DIRECTORIES_DEEP_MAX, LOCAL_TEST_FILES_MAX, LOCAL_TEST_FUEL, LOCAL_TEST_HOST_CALLS,
    LOCAL_TEST_LOG_BYTES, LOCAL_TEST_MEMORY_MB, LOCAL_TEST_TIMEOUT_MS,
};
use crate::model::invocation::{InvocationType, Request};
use crate::model::script::Limits;

pub(super) const EXAMPLES: &str = "\
Examples:
  picloud test
  picloud test orders
  picloud test tests/orders_test.rhai --nocapture
  picloud test 'orders_test.rhai::test_adds' --exact
  picloud test --seed 7 --at 2026-03-29T00:59:00Z --fail-fast

A test is a function `fn test_…()` of a file *_test.rhai, below the directory of the nearest picloud.toml, else below this one.
What the module `test` offers is in the script reference (guest/README.md, Testing).

Ends with 14 where a test failed, and with 10 where a source is refused.

Variables: PICLOUD_CACHE_DIR (the compiled sandbox), PICLOUD_ENV (the environment of picloud.toml), NO_COLOR.";

/// How files of tests end.
const ENDING: &str = "_test.rhai";
/// Directories that hold what others made.
const PASSED_OVER: [&str; 2] = ["node_modules", "target"];
/// When the clock of a test begins, in days since 1970: 2026-01-01.
const FIRST_DAY: i64 = 20_454;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Test {
    /// Files and directories to look in; anything else: only tests whose names hold it.
    #[arg(value_name = "PATH|FILTER")]
    targets: Vec<String>,
    /// Names are meant whole.
    #[arg(long)]
    exact: bool,
    /// Say which tests there are, and run none.
    #[arg(long)]
    list: bool,
    /// What chance and ids of each test come of.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// When the clock of each test begins [default: 2026-01-01T00:00:00Z].
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    /// How many run at once [default: as many as cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=LOCAL_JOBS_MAX as i64))]
    jobs: Option<u16>,
    /// Show what tests that pass log, too.
    #[arg(long)]
    nocapture: bool,
    /// Stop after the first test that fails.
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    common: Common,
}

/// A file of tests.
#[derive(Debug)]
struct TestFile {
    source: Source,
    /// As names of tests begin.
    name: String,
    /// Those that are to run; none of a file without functions, which is a test by itself.
    functions: Vec<Option<String>>,
}

/// A test that is to run.
#[derive(Clone)]
struct Case {
    file: Arc<TestFile>,
    ready: Arc<Ready>,
    function: Option<String>,
}

pub(super) async fn run(test: Test) -> Result<()> {
    let began = Instant::now();
    let at = test.at.map_or_else(|| DateTime::UNIX_EPOCH + TimeDelta::days(FIRST_DAY), |At(at)| at);
    let project = Project::of(Path::new("."), at)?;
    let (files, filtered_out) = test.files(&project.root)?;
    if test.list {
        return test.tell_names(&files);
    }
    let jobs = test.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let jobs = jobs.min(LOCAL_JOBS_MAX);
    let stage = Stage::open(test.common.cache_dir.clone(), jobs, project).await?;
    let cases = cases(&stage, files).await?;
    if !test.common.json {
        print(&format!("\nrunning {} test{}\n", cases.len(), if cases.len() == 1 { "" } else { "s" }));
    }
    let seed = test.seed;
    let running = stream::iter(cases).map(|case| attempt(stage.clone(), case, seed, at));
    let mut running = std::pin::pin!(running.buffered(jobs));
    let (mut outcomes, mut tally) = (Vec::new(), Tally { filtered_out, ..Tally::default() });
    while let Some(outcome) = running.next().await {
        let has_passed = outcome.has_passed();
        if has_passed {
            tally.passed += 1
        } else {
            tally.failed += 1
        }
        if !test.common.json {
            let logged = if test.nocapture && has_passed { outcome.logged() } else { String::new() };
            print(&format!("{}{logged}", outcome.line()));
        }
        outcomes.push(outcome);
        if test.fail_fast && !has_passed {
            break;
        }
    }
    tally.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if test.common.json {
        print_json(&report::document(&outcomes, &tally));
    } else {
        let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.has_passed()).collect();
        print(&format!("{}\n{}\n", report::failures(&failed), tally.line()));
    }
    // The report has said it.
    if tally.failed == 0 { Ok(()) } else { Err(Failure::quoting(Exit::ScriptFailed, "")) }
}

impl Test {
    /// Files with the tests that are to run, in order; and how many tests are not.
    fn files(&self, root: &Path) -> Result<(Vec<TestFile>, usize)> {
        let (paths, filters): (Vec<&String>, Vec<&String>) = self.targets.iter().partition(|target| Path::new(target).exists());
        let mut found = Vec::new();
        for target in &paths {
            let path = Path::new(target);
            if !path.is_dir() && !target.ends_with(ENDING) {
                let message = format!("{} is no file of tests: their names end in {ENDING}", cell(target));
                return Err(Failure::new(Exit::Usage, message));
            }
            if path.is_dir() { walk(path, 0, &mut found)? } else { found.push(path.to_path_buf()) }
        }
        if paths.is_empty() {
            walk(root, 0, &mut found)?;
        }
        found.sort();
        found.dedup();
        if found.is_empty() {
            say(&format!("there is no *{ENDING} below {}", manifest::shown(root)));
        }
        let (mut files, mut left_out) = (Vec::new(), 0);
        for path in found {
            let file = TestFile::read(&path, root)?;
            let all = file.functions.len();
            let is_meant = |function: &Option<String>| {
                let name = file.name_of(function.as_deref());
                let fits = |filter: &&String| if self.exact { name == **filter } else { name.contains(filter.as_str()) };
                filters.is_empty() || filters.iter().any(fits)
            };
            let functions: Vec<Option<String>> = file.functions.iter().filter(|function| is_meant(function)).cloned().collect();
            left_out += all - functions.len();
            if !functions.is_empty() {
                files.push(TestFile { functions, ..file });
            }
        }
        Ok((files, left_out))
    }

    fn tell_names(&self, files: &[TestFile]) -> Result<()> {
        let names = files.iter().flat_map(|file| file.functions.iter().map(|function| file.name_of(function.as_deref())));
        let names: Vec<String> = names.collect();
        if self.common.json {
            print_json(&names);
        } else {
            let lines: String = names.iter().map(|name| format!("{}: test\n", cell(name))).collect();
            print(&format!("{lines}\n{} tests\n", names.len()));
        }
        Ok(())
    }
}

impl TestFile {
    fn read(path: &Path, root: &Path) -> Result<Self> {
        let source = Source::of_file(path)?;
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = real.strip_prefix(root).unwrap_or(&real).to_string_lossy().into_owned();
        let functions: Vec<Option<String>> = scan::tests(&source.text).into_iter().map(Some).collect();
        let functions = if functions.is_empty() { vec![None] } else { functions };
        Ok(Self { source, name, functions })
    }

    fn name_of(&self, function: Option<&str>) -> String {
        function.map_or_else(|| self.name.clone(), |function| format!("{}::{function}", self.name))
    }
}

/// Every file that ends as files of tests do. What is hidden, and links to directories, are passed over.
fn walk(directory: &Path, deep: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable =
        |e: std::io::Error| Failure::new(Exit::Usage, format!("{} cannot be read: {e}", cell(&directory.to_string_lossy())));
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(unreadable)?);
        let name = name.to_string_lossy();
        if name.starts_with('.') || found.len() >= LOCAL_TEST_FILES_MAX {
            continue;
        }
        if kind.is_dir() && deep < LOCAL_TEST_DIRECTORIES_DEEP_MAX && !PASSED_OVER.contains(&name.as_ref()) {
            walk(&entry.path(), deep + 1, found)?;
        } else if name.ends_with(ENDING) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Checks every file. All that are wrong are told together.
async fn cases(stage: &Arc<Stage>, files: Vec<TestFile>) -> Result<Vec<Case>> {
    let (mut cases, mut wrong) = (Vec::new(), String::new());
    for file in files {
        match stage.prepare(&file.source, As::Test).await {
            Ok(ready) => {
                let (file, ready) = (Arc::new(file), Arc::new(ready.under(limits())));
                let case =
                    |function: &Option<String>| Case { file: file.clone(), ready: ready.clone(), function: function.clone() };
                cases.extend(file.functions.iter().map(case));
            }
            Err(refused) => wrong.push_str(&refused.quoted()),
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(Failure::quoting(Exit::Refused, wrong)) }
}

/// What the code of a test itself may use.
fn limits() -> Limits {
    Limits {
        fuel: LOCAL_TEST_FUEL,
        memory_mb: LOCAL_TEST_MEMORY_MB,
        timeout_ms: LOCAL_TEST_TIMEOUT_MS,
        host_calls: LOCAL_TEST_HOST_CALLS,
        log_bytes: LOCAL_TEST_LOG_BYTES,
        ..Limits::default()
    }
}

/// Runs a test: its file from the top, then its function, in a world that nothing was done in before.
async fn attempt(stage: Arc<Stage>, case: Case, seed: u64, at: DateTime<Utc>) -> Outcome {
    let began = Instant::now();
    let world = World::new(Settings {
        clock: Clock::manual(at),
        purpose: Purpose::Test,
        seed,
        slug: stage.project.slug.clone(),
        grants: stage.project.grants.clone().unwrap_or_else(everything),
        listeners: stage.project.listeners.clone(),
        scripts: stage.scripts(),
        way_out: None,
    });
    let ready = match &case.function {
        Some(function) => Arc::new(case.ready.ending_with(&format!("{function}(); invoke::call(\"test/done\", ());"))),
        None => case.ready.clone(),
    };
    let ask = Ask {
        script: case.file.source.name.clone(),
        // What it throws is a failure, whatever it is.
        invocation_type: InvocationType::Event,
        request: Request::default(),
        delivered: None,
        execution_id: world.execution_id(),
        timeout_ms: None,
        here: Here::first(&world, Role::Test, LOCAL_TEST_TIMEOUT_MS),
    };
    let source = &case.file.source;
    let (mut failures, logs): (Vec<_>, _) = match stage.run(&ready, ask).await {
        Ok(ran) => {
            let failures = ran.result.err().map(|failure| report::failure(&stage, source, &failure));
            (failures.into_iter().collect(), ran.logs)
        }
        Err(error) => (vec![Told::plain(&source.shown, error.message.into_owned())], Vec::new()),
    };
    if failures.is_empty() && case.function.is_some() && !world.is_done() {
        let message = "the file ended before the test began: is there a `return` outside of its functions?";
        failures.push(Told::plain(&source.shown, message.to_owned()));
    }
    failures.extend(world.faults().into_iter().map(|fault| Told::plain(&source.shown, fault)));
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Outcome { name: case.file.name_of(case.function.as_deref()), took_ms, failures, logs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(targets: &[&str], exact: bool) -> Test {
        let common = Common { cache_dir: None, json: false };
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        Test { targets, exact, list: false, seed: 0, at: None, jobs: None, nocapture: false, fail_fast: false, common }
    }

    fn names(root: &Path, targets: &[&str], exact: bool) -> (Vec<String>, usize) {
        let (files, left_out) = test(targets, exact).files(root).unwrap();
        let name = |file: &TestFile| file.functions.iter().map(|function| file.name_of(function.as_deref())).collect::<Vec<_>>();
        (files.iter().flat_map(name).collect(), left_out)
    }

    #[test]
    fn tests_are_found_below_a_directory_in_order_and_filtered_by_name() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        for (name, text) in [
            ("b_test.rhai", "fn test_one() {} fn test_two() {}"),
            ("a_test.rhai", "1"),
            ("sub/c_test.rhai", "fn test_one() {}"),
            ("c.rhai", "fn test_no() {}"),
            (".git/d_test.rhai", "fn test_no() {}"),
            ("node_modules/x/d_test.rhai", "fn test_no() {}"),
            ("target/d_test.rhai", "fn test_no() {}"),
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let all = ["a_test.rhai", "b_test.rhai::test_one", "b_test.rhai::test_two", "sub/c_test.rhai::test_one"];
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&root, &[], false), (owned(&all), 0));
        assert_eq!(names(&root, &["test_one"], false), (owned(&[all[1], all[3]]), 2));
        assert_eq!(names(&root, &["b_test.rhai::test_one"], true), (owned(&[all[1]]), 3));
        assert_eq!(names(&root, &["test_one"], true), (Vec::new(), 4));
        let sub = root.join("sub").to_string_lossy().into_owned();
        assert_eq!(names(&root, &[&sub], false), (owned(&[all[3]]), 0));
    }

    #[test]
    fn the_clock_of_a_test_begins_with_a_year() {
        let first = DateTime::UNIX_EPOCH + TimeDelta::days(FIRST_DAY);
        assert_eq!(first.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    }
}
