//! What was found of the scripts, as tables, plots and goals.

use picloud::limits;

use super::generator::{PATIENCE, PROMPT, STEP};
use super::order::Outcome;
use super::stage::Scale;
use super::subject::{CALM, CLOSED_ROUNDS, CONNECTIONS, REST, Report, Step};
use crate::support::figures::{Axis, Line, Plot, Section, Table, count, significant};

/// What has to be reached of capacity when twice as much comes.
const GOODPUT_GOAL: f64 = 0.8;
const GOODPUT_AT: f64 = 2.0;
/// A generator whose p99 of lateness is more than this, ms, did not keep its pace.
pub(crate) const LATE_MS: f64 = 10.0;

pub(crate) fn section(scale: Scale, reports: &[Report]) -> Section {
    let mut section = Section::new(90, "Past capacity", &text(scale, reports));
    section.tables.push(summary(reports));
    for report in reports {
        section.tables.push(calls(report));
        section.tables.push(meanwhile(report));
        goals(&mut section, report);
    }
    section.plots = vec![goodput(reports), latency(reports)];
    section
}

fn text(scale: Scale, reports: &[Report]) -> String {
    let (places, per_app) = reports.first().map_or((0, 0), |report| (report.places, report.places_per_app));
    let measured = format!(
        "Capacity is what a closed loop gets (`wrk -t1 -c32`, median of {CLOSED_ROUNDS} rounds of {} s). Then calls come by \
         a clock for {} s: an open loop, whose callers neither wait for each other nor call again, with the gaps of \
         independent callers (exponential). A call's latency counts from when it was due, so that nothing that waits is left \
         out. There are {CONNECTIONS} connections, half of what a large node has, kept alive; a call takes the one used last \
         that is free (`connections`: how many were in use at once), or waits for one. What is not answered within {} s is \
         `unanswered`, or `never sent` if no connection came free. {CALM} × is measured before all and {} s after the last answer of the 3 ×. Each script \
         has a fresh node; records have no bound for a day, every other quota is the default.\n\n\
         The node has half of the machine's cores to itself, and sizes itself by them; callers and database have the others, so \
         that it is the node that is measured, and not what its callers leave of it. The generator is a process of niceness \
         {PROMPT}, which sends what is due and reads what has come every {} µs; `generator, cores` is what it takes. `late` is \
         how long after a call was due the generator's clock took it up; a run with a p99 above {LATE_MS} ms is named, for its \
         load is not what it should be.",
        scale.closed_s,
        scale.open_s,
        PATIENCE.as_secs(),
        REST.as_secs(),
        STEP.as_micros(),
    );
    let bounds = format!(
        "What bounds the wait: an app that is alone may hold {per_app} of the node's {places} places (half); {} of its calls \
         may wait for one, each for {} ms at most, and one more is answered 503 at once. So once a call has asked for a \
         place it is let in or refused within {} ms, and behind a full queue it waits for as long as {} calls take (`a full \
         queue`). Before it asks, a call lies in its connection until a thread takes it up, or in the queue of the lanes if \
         its app's calls take long, or its part of the threads is spent (as many of an app wait there as for a place); once what is ready has waited longer than {} ms for a thread, for {} ms ({} ms where other \
         apps call), calls are answered 503 before anything is done for them. `hello` keeps its place on one thread from \
         beginning to end, so no more places are taken than there are threads, and it should meet that bound alone. `kv get` keeps its place while one of its app's {} statements runs or is waited for, the \
         3 ms keep theirs between two slices in a lane: they should meet the queue. `bound met` says what the node showed, \
         looked at five times a second.",
        limits::ADMISSION_QUEUE_PER_APP_MAX,
        limits::ADMISSION_WAIT_MS,
        limits::ADMISSION_WAIT_MS,
        limits::ADMISSION_QUEUE_PER_APP_MAX as u64 + per_app,
        limits::BACKLOG_MS,
        limits::BACKLOG_PATIENCE_MS,
        limits::BACKLOG_AIM_MS,
        limits::STATEMENTS_DEFAULT,
    );
    let goal = format!(
        "The goal: at {GOODPUT_AT} × at least {GOODPUT_GOAL} of capacity is answered 200 (whoever is refused is answered, too, and \
         the kernel's part of that alone is an eighth of a whole `hello`); past capacity the p99 of answers \
         200 is at most the wait for a place ({} ms) and the p99 at {CALM} ×; whoever is not let in is told so by a 429 or \
         503 with `Retry-After`.",
        limits::ADMISSION_WAIT_MS,
    );
    format!("{measured}\n\n{bounds}\n\n{goal}")
}

fn summary(reports: &[Report]) -> Table {
    let calm = |what: &str| format!("{what} at {CALM} ×, ms: before; after");
    let (p50, p99) = (calm("p50"), calm("p99"));
    let mut table = Table::new(
        "",
        &[
            "called",
            "capacity/s (least–most)",
            "again at the end",
            "a full queue, ms",
            "bound met",
            &p50,
            &p99,
            "memory, MiB: before; most; after",
            "records lost",
        ],
    );
    for report in reports {
        let most_mib = report.steps.iter().map(|step| step.watched.resident_most_mib).fold(0.0, f64::max);
        table.row([
            report.title.to_owned(),
            report.capacity.to_string(),
            report.capacity_again.to_string(),
            significant(full_queue_ms(report)),
            bound_met(report),
            format!("{}; {}", maybe(report.before.good_p50_ms), maybe(report.after.good_p50_ms)),
            format!("{}; {}", maybe(report.before.good_p99_ms), maybe(report.after.good_p99_ms)),
            format!("{:.1}; {most_mib:.1}; {:.1}", report.resident_before_mib, report.resident_after_mib),
            count(report.records_lost),
        ]);
    }
    table
}

fn calls(report: &Report) -> Table {
    let mut table = Table::new(
        &format!("{}: what came of the calls", report.title),
        &[
            "offered ×",
            "offered/s",
            "200/s",
            "of capacity",
            "p50 ms",
            "p99 ms",
            "429",
            "503",
            "without Retry-After",
            "refused p50 ms",
            "other",
            "broken",
            "unanswered",
            "never sent",
        ],
    );
    for Step { factor, outcome, .. } in &report.steps {
        table.row([
            factor.to_string(),
            significant(outcome.offered_per_second()),
            significant(outcome.good_per_second()),
            significant(outcome.good_per_second() / report.capacity.median),
            maybe(outcome.good_p50_ms),
            maybe(outcome.good_p99_ms),
            count(outcome.count(429)),
            count(outcome.count(503)),
            count(outcome.without_retry_after),
            maybe(outcome.refused_p50_ms),
            count(outcome.other()),
            count(outcome.broken),
            count(outcome.unanswered),
            count(outcome.unsent),
        ]);
    }
    table
}

fn meanwhile(report: &Report) -> Table {
    let mut table = Table::new(
        &format!("{}: the node and the generator meanwhile", report.title),
        &[
            "offered ×",
            "places taken",
            "waiting",
            "memory, MiB",
            "slowest of the administration, ms",
            "connections",
            "late p99 ms",
            "generator, cores",
        ],
    );
    for Step { factor, outcome, watched } in &report.steps {
        table.row([
            factor.to_string(),
            count(watched.running_most),
            count(watched.waiting_most),
            format!("{:.1}", watched.resident_most_mib),
            significant(watched.admin_slowest_ms),
            count(outcome.connections as u64),
            significant(outcome.late_p99_ms),
            significant(outcome.cores),
        ]);
    }
    let late: Vec<String> = report
        .steps
        .iter()
        .map(|step| (step.factor, &step.outcome))
        .chain([(CALM, &report.before), (CALM, &report.after)])
        .filter(|(_, outcome)| outcome.late_p99_ms > LATE_MS)
        .map(|(factor, _)| format!("{factor} ×"))
        .collect();
    table.note = if late.is_empty() {
        "The generator kept its pace in every run.".to_owned()
    } else {
        format!("**The generator did not keep its pace** at {}.", late.join(", "))
    };
    table
}

fn goals(section: &mut Section, report: &Report) {
    let title = report.title;
    for step in report.steps.iter().filter(|step| step.factor == GOODPUT_AT) {
        let share = step.outcome.good_per_second() / report.capacity.median;
        section.goal(
            &format!("{title}, calls at {GOODPUT_AT} × of capacity: answered 200, of capacity"),
            &format!("≥ {GOODPUT_GOAL}"),
            significant(share),
            share >= GOODPUT_GOAL,
        );
    }
    let bound_ms = limits::ADMISSION_WAIT_MS as f64 + report.before.good_p99_ms.unwrap_or(0.0);
    let p99s = report.past_capacity().filter_map(|step| Some((step.outcome.good_p99_ms?, step.factor)));
    if let Some((worst_ms, factor)) = p99s.max_by(|a, b| a.0.total_cmp(&b.0)) {
        section.goal(
            &format!("{title}, past capacity: p99 of answers 200"),
            &format!("≤ {} ms", significant(bound_ms)),
            format!("{} ms at {factor} ×", significant(worst_ms)),
            worst_ms <= bound_ms,
        );
    }
    let sum = |value: fn(&Outcome) -> u64| report.steps.iter().map(|step| value(&step.outcome)).sum::<u64>();
    let (without, other) = (sum(|outcome| outcome.without_retry_after), sum(Outcome::other));
    let (broken, unanswered) = (sum(|outcome| outcome.broken), sum(|outcome| outcome.unanswered + outcome.unsent));
    let well = sum(|outcome| outcome.count(429) + outcome.count(503)) - without;
    let [a, b, c, d, e] = [well, without, other, broken, unanswered].map(count);
    section.goal(
        &format!("{title}, up to 3 ×: calls that are not answered 200"),
        "429 or 503 with Retry-After, all",
        format!("{a} so; {b} without it, {c} otherwise, {d} broken, {e} unanswered"),
        without + other + broken + unanswered == 0,
    );
}

/// How long as many calls take as may run and wait.
fn full_queue_ms(report: &Report) -> f64 {
    (limits::ADMISSION_QUEUE_PER_APP_MAX as u64 + report.places_per_app) as f64 / report.capacity.median * 1e3
}

fn bound_met(report: &Report) -> String {
    let waiting = report.past_capacity().map(|step| step.watched.waiting_most).max().unwrap_or(0);
    let refused: u64 = report.past_capacity().map(|step| step.outcome.count(503)).sum();
    if waiting >= limits::ADMISSION_QUEUE_PER_APP_MAX as u64 * 9 / 10 {
        format!("the queue ({waiting} waited)")
    } else if refused > 0 && waiting == 0 {
        format!("the wait for a thread, {} ms", limits::BACKLOG_MS)
    } else if refused > 0 {
        format!("the wait of {} ms ({waiting} waited)", limits::ADMISSION_WAIT_MS)
    } else {
        format!("none of admission ({waiting} waited)")
    }
}

fn goodput(reports: &[Report]) -> Plot {
    let mut lines = vec![Line::new("ideal", [(0.0, 0.0), (1.0, 1.0), (3.0, 1.0)])];
    for report in reports {
        let share = |step: &Step| (step.factor, step.outcome.good_per_second() / report.capacity.median);
        lines.push(Line::new(report.title, report.steps.iter().map(share)));
    }
    let (x, y) = (Axis::straight("offered, × capacity"), Axis::straight("answered 200, × capacity"));
    Plot::new(("overload-goodput", "Answered 200 over what comes"), x, y, lines)
}

fn latency(reports: &[Report]) -> Plot {
    let wait_ms = limits::ADMISSION_WAIT_MS as f64;
    let mut lines = vec![Line::new(&format!("the wait for a place, {wait_ms} ms"), [(CALM, wait_ms), (3.0, wait_ms)])];
    for report in reports {
        let calm = report.before.good_p99_ms.map(|ms| (CALM, ms));
        let steps = report.steps.iter().filter_map(|step| Some((step.factor, step.outcome.good_p99_ms?)));
        lines.push(Line::new(report.title, calm.into_iter().chain(steps)));
    }
    let (x, y) = (Axis::straight("offered, × capacity"), Axis::logarithmic("p99 of answers 200, ms"));
    Plot::new(("overload-p99", "p99 of answers 200 over what comes"), x, y, lines)
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), significant)
}
