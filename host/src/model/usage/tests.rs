use super::*;
use crate::id::{ExecutionId, RequestId};
use crate::model::execution::{LogLevel, Usage};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    time("2026-01-02T03:04:05.678Z")
}

fn app(n: u128) -> AppId {
    AppId(Uuid::from_u128(n))
}

fn script(n: u128) -> ScriptId {
    ScriptId(Uuid::from_u128(n))
}

fn calls(calls: u64) -> Used {
    Used { calls, fuel: 10 * calls, memory_peak_bytes: calls, ..Used::default() }
}

fn execution(outcome: Outcome) -> Execution {
    Execution {
        id: ExecutionId::at(now()),
        app_id: app(1),
        script_id: script(1),
        version: 1,
        request_id: RequestId::at(now()),
        trace_id: None,
        event_id: None,
        trigger_id: None,
        attempt: None,
        outcome,
        status: 200,
        usage: Usage { fuel: 7, memory_peak_bytes: 6, host_calls: 5, bytes_in: 4, bytes_out: 3, wall_us: 2 },
        error: None,
        started_at: now(),
        logs: Vec::new(),
        logs_dropped: 0,
    }
}

fn asked(period: Period, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Asked {
    Asked { period, from, to, script_id: None, by: By::App, page: PageQuery::default() }
}

#[test]
fn periods_begin_where_utc_has_them() {
    for (period, start) in
        [(Period::Minute, "2026-01-02T03:04:00Z"), (Period::Hour, "2026-01-02T03:00:00Z"), (Period::Day, "2026-01-02T00:00:00Z")]
    {
        assert_eq!(period.start(now()), time(start));
        assert_eq!(period.start(time(start)), time(start));
        assert_eq!(Period::from_word(period.as_str()), Some(period));
    }
    assert_eq!(Period::Day.start(time("1969-12-31T23:59:59Z")), time("1969-12-31T00:00:00Z"));
    for extreme in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert!(Period::ALL.into_iter().all(|period| period.start(extreme) <= extreme));
    }
}

#[test]
fn failures_are_told_from_refusals() {
    for outcome in Outcome::ALL {
        let used = Used::of(&execution(outcome));
        let told = match outcome {
            Outcome::Responded | Outcome::Completed => (0, 0),
            Outcome::Denied => (0, 1),
            _ => (1, 0),
        };
        assert_eq!((used.failed, used.refused), told, "{outcome:?}");
        assert_eq!((used.calls, used.fuel, used.memory_peak_bytes, used.log_bytes), (1, 7, 6, 0));
        assert_eq!((used.host_calls, used.bytes_in, used.bytes_out, used.wall_us), (5, 4, 3, 2));
    }
}

#[test]
fn sums_grow_and_peaks_are_the_highest() {
    let mut sum = calls(3);
    sum.add(&Used { log_bytes: 9, memory_peak_bytes: 2, ..calls(1) });
    assert_eq!(sum, Used { calls: 4, fuel: 40, log_bytes: 9, memory_peak_bytes: 3, ..Used::default() });
    sum.add(&Used { fuel: u64::MAX, ..Used::default() });
    assert_eq!(sum.fuel, u64::MAX, "what is beyond counting stays there");
}

#[test]
fn a_short_line_counts_as_in_an_invocations_own_bound() {
    let line = |message: &str, data: Option<String>| LogLine { at: now(), level: LogLevel::Info, message: message.into(), data };
    let least = limits::LOG_LINE_COST_MIN;
    assert_eq!(log_bytes(&[]), 0);
    assert_eq!(log_bytes(&[line("", None), line("x", Some("1".into()))]), 2 * least as u64);
    assert_eq!(log_bytes(&[line("x", Some("y".repeat(least)))]), least as u64 + 1);
}

#[test]
fn what_is_counted_is_taken_once_and_by_the_minute() {
    let mut meter = Meter::default();
    let later = now() + TimeDelta::seconds(60);
    for (at, used) in [(now(), 1), (later, 2), (now(), 4)] {
        meter.add(app(1), script(1), at, &calls(used));
    }
    meter.count(&execution(Outcome::Denied));
    meter.add(app(1), script(2), now(), &calls(8));
    let counted = meter.take();
    let told: Vec<_> = counted.iter().map(|one| (one.script_id, one.minute, one.used.calls)).collect();
    let minute = Period::Minute.start(now());
    assert_eq!(told, [(script(1), minute, 6), (script(1), minute + TimeDelta::seconds(60), 2), (script(2), minute, 8)]);
    assert!(meter.is_empty() && meter.take().is_empty());
}

#[test]
fn what_could_not_be_written_is_neither_lost_nor_counted_twice() {
    let mut meter = Meter::default();
    meter.add(app(1), script(1), now(), &calls(1));
    let failed = meter.take();
    meter.add(app(1), script(1), now(), &calls(2));
    meter.add(app(1), script(2), now(), &calls(4));
    meter.give_back(failed);
    let sums: Vec<_> = meter.take().into_iter().map(|one| one.used.calls).collect();
    assert_eq!(sums, [3, 4]);
    assert!(meter.is_empty());
}

#[test]
fn a_meter_holds_so_many_minutes_and_what_is_beyond_counts_for_the_last() {
    let mut meter = Meter::default();
    let at = |minute: usize| now() + TimeDelta::seconds(60 * minute as i64);
    let most = limits::USAGE_MINUTES_MAX;
    // A script for every 64 minutes, so that none has many.
    for n in 0..most {
        meter.add(app(1), script((n / 64) as u128), at(n % 64), &calls(1));
    }
    assert_eq!(meter.minutes, most);
    meter.add(app(1), script(0), at(64), &calls(1));
    meter.add(app(1), script(0), at(0), &calls(1));
    assert_eq!(meter.minutes, most, "one more than it holds");
    meter.add(app(1), script(u128::MAX), at(0), &calls(1));
    assert_eq!(meter.minutes, most + 1, "a script has one at least");
    let counted = meter.take();
    assert_eq!(counted.len(), most + 1);
    assert_eq!(counted.iter().map(|one| one.used.calls).sum::<u64>(), most as u64 + 3);
    let of = |minute| counted.iter().find(|one| one.minute == Period::Minute.start(at(minute))).map(|one| one.used.calls);
    assert_eq!((of(0), of(63), of(64)), (Some(2), Some(2), None));
}

#[test]
fn rows_add_up_over_every_period_in_one_order() {
    let counted = |app_n, script_n, at: &str, used| Counted {
        app_id: app(app_n),
        script_id: script(script_n),
        minute: Period::Minute.start(time(at)),
        used: calls(used),
    };
    let mut all = vec![
        counted(2, 1, "2026-01-02T03:04:05Z", 1),
        counted(1, 2, "2026-01-02T23:59:59Z", 2),
        counted(1, 1, "2026-01-03T00:00:00Z", 4),
        counted(1, 1, "2026-01-02T23:58:00Z", 8),
        counted(1, 1, "2026-01-02T23:59:00Z", 16),
    ];
    let made = rows(&all);
    let key = |row: &Row| (row.app_id, row.period, row.started_at, row.script_id);
    assert!(made.is_sorted_by(|a, b| key(a) < key(b)), "each once");
    for period in Period::ALL {
        let sum: u64 = made.iter().filter(|row| row.period == period).map(|row| row.used.calls).sum();
        assert_eq!(sum, 31, "{period:?}");
    }
    let of = |period, script_n| -> Vec<u64> {
        let own = made.iter().filter(|row| row.app_id == app(1) && row.period == period && row.script_id == script(script_n));
        own.map(|row| row.used.calls).collect()
    };
    assert_eq!((of(Period::Minute, 1), of(Period::Hour, 1), of(Period::Day, 1)), (vec![8, 16, 4], vec![24, 4], vec![24, 4]));
    assert_eq!(of(Period::Day, 2), [2]);
    all.reverse();
    assert_eq!(rows(&all), made);
    assert!(rows(&[]).is_empty());
}

#[test]
fn what_is_not_said_is_the_last_hour_day_or_month() {
    for (period, first, periods) in [
        (Period::Minute, "2026-01-02T02:05:00Z", 60),
        (Period::Hour, "2026-01-01T04:00:00Z", 24),
        (Period::Day, "2025-12-04T00:00:00Z", 30),
    ] {
        let range = asked(period, None, None).range(now()).unwrap();
        assert_eq!(range, time(first)..now() + TimeDelta::microseconds(1), "{period:?}");
        assert_eq!(range.start + TimeDelta::seconds((periods - 1) * period.seconds()), period.start(now()));
        // A period that begins now is among them.
        let start = period.start(now());
        assert!(asked(period, None, None).range(start).unwrap().contains(&start));
        // An end that is the beginning of a period leaves that out.
        let whole = asked(period, None, Some(period.start(now()))).range(now()).unwrap();
        assert_eq!(whole.end - whole.start, TimeDelta::seconds(periods * period.seconds()));
    }
}

#[test]
fn a_range_has_so_many_periods_and_not_one_more() {
    let most = limits::USAGE_PERIODS_MAX;
    for period in Period::ALL {
        let to = period.start(now());
        let from = to - TimeDelta::seconds(most * period.seconds());
        assert!(asked(period, Some(from), Some(to)).range(now()).is_ok(), "{period:?}");
        for (from, to) in [(from, to + TimeDelta::microseconds(1)), (from - TimeDelta::microseconds(1), to)] {
            let refused = asked(period, Some(from), Some(to)).range(now()).unwrap_err();
            assert_eq!(refused.details, Some(json!({ "field": "from", "asked": most + 1, "bound": most })), "{period:?}");
        }
    }
}

#[test]
fn a_range_without_a_period_is_refused() {
    for (from, to) in [(now(), Some(now())), (now() + TimeDelta::seconds(1), None), (now(), Some(DateTime::UNIX_EPOCH))] {
        let refused = asked(Period::Hour, Some(from), to).range(now()).unwrap_err();
        assert_eq!(refused.details.unwrap()["field"], "from");
    }
    let moment = asked(Period::Day, Some(now()), Some(now() + TimeDelta::microseconds(1))).range(now()).unwrap();
    assert_eq!(moment.start, time("2026-01-02T00:00:00Z"));
}

#[test]
fn times_that_no_row_can_have_are_not_asked_for() {
    let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let long_ago = asked(Period::Day, None, Some(min + TimeDelta::days(400))).range(now()).unwrap();
    assert!(long_ago.start == DateTime::UNIX_EPOCH && long_ago.end < long_ago.start);
    let far_off = asked(Period::Day, None, Some(max)).range(now()).unwrap();
    assert_eq!(far_off.end, now() + TimeDelta::seconds(limits::USAGE_AHEAD_S));
    assert!(asked(Period::Minute, Some(min), Some(max)).range(now()).is_err());
    assert!(asked(Period::Minute, None, Some(min)).range(now()).is_ok());
}

#[test]
fn cursors_read_back() {
    let at = Period::Minute.start(now());
    let summed = asked(Period::Minute, None, None);
    let item = Item { started_at: at, script_id: None, used: Used::default() };
    let next = |asked: &Asked, item: &Item| {
        let page = PageQuery { cursor: Some(asked.cursor(item)), limit: 1 };
        Asked { page, ..asked.clone() }
    };
    assert_eq!(summed.after().unwrap(), None);
    assert_eq!(next(&summed, &item).after().unwrap(), Some((at, ScriptId(Uuid::max()))));
    let of_script = Item { script_id: Some(script(7)), ..item };
    for each in [Asked { by: By::Script, ..summed.clone() }, Asked { script_id: Some(script(7)), ..summed.clone() }] {
        assert_eq!(next(&each, &of_script).after().unwrap(), Some((at, script(7))));
        assert!(next(&each, &item).after().is_err(), "of the other kind of list");
    }
    assert!(next(&summed, &of_script).after().is_err());
}
