//! Schedules: a cron expression of six fields, read in a time zone.
//!
//! Fields, in this order: second, minute, hour, day of month, month, day of week (1 or SUN to 7 or SAT), as the crate `cron` reads
//! them: `*`, lists, ranges, steps, names. Where both days are restricted, both must match.
//!
//! **Where clocks change** (IANA rules). A schedule that names hours fires once for each of its local times: one that is skipped
//! fires at the end of the gap (several that are skipped, together), one that comes twice fires the first time. A schedule
//! of every hour follows elapsed time: it goes on through a repeated hour and has nothing to make up for a skipped one.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, SubsecRound, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use cron::TimeUnitSpec;

use crate::error::{Error, Result};
use crate::limits;
use crate::model::text;

/// Local times do not jump by more than this.
const GAP_MINUTES: usize = 26 * 60;
const HOURS: u32 = 24;
/// No zone changes its offset twice within this.
const OFFSET_STEP_HOURS: i64 = 12;

/// A cron expression and the zone it is read in.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    zone: Tz,
    ticks: Box<cron::Schedule>,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.zone) == (&other.text, other.zone)
    }
}

impl Eq for Schedule {}

impl Schedule {
    /// 422 naming `schedule` or `timezone` and what is wrong with it.
    pub fn parse(schedule: &str, timezone: &str) -> Result<Self> {
        text::at_most("schedule", schedule, limits::SCHEDULE_CHARS_MAX)?;
        text::at_most("timezone", timezone, limits::TIMEZONE_CHARS_MAX)?;
        let fields: Vec<_> = schedule.split_whitespace().collect();
        if fields.len() != 6 {
            let message = format!(
                "schedule has {} fields; six are needed: second minute hour day-of-month month day-of-week, such as `0 30 2 * * *`",
                fields.len()
            );
            return Err(Error::invalid("schedule", message));
        }
        if let Some(field) = fields.iter().find(|field| !is_field(field)) {
            let message = format!("schedule has the field `{field}`, which is no list of `*`, numbers, names, ranges and steps");
            return Err(Error::invalid("schedule", message));
        }
        let text = fields.join(" ");
        let ticks = cron::Schedule::from_str(&text).map_err(|error| {
            Error::invalid("schedule", format!("schedule `{text}` cannot be read: {}", plain(&error.to_string())))
        })?;
        let zone = timezone.parse().map_err(|_| {
            let message = format!("`{timezone}` is not a time zone of the IANA database; write one such as UTC or Europe/Berlin");
            Error::invalid("timezone", message)
        })?;
        Ok(Self { text, zone, ticks: Box::new(ticks) })
    }

    /// The expression, its fields one space apart.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The zone's IANA name.
    pub fn timezone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first tick after that moment; `None` when there is none within the years that the expression can name.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.ticks.hours().count() == HOURS {
            return self.next_of_every_hour(after);
        }
        // Local times as if they were of a zone without changes; each then has one moment, and their order stays.
        let ticks = self.ticks.after(&after.with_timezone(&self.zone).naive_local().and_utc());
        ticks.map_while(|tick| self.moment(tick.naive_utc())).find(|moment| *moment > after)
    }

    /// The next ticks after that moment, at most `count`.
    pub fn upcoming(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.next(after), |tick| self.next(*tick)).take(count).collect()
    }

    /// The same where every hour has ticks: those between two changes of the clocks are those of one offset from UTC.
    fn next_of_every_hour(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut after = after.trunc_subsecs(0);
        loop {
            let from = after + TimeDelta::seconds(1);
            let tick = self.ticks.after(&after.with_timezone(&self.offset(from))).next()?.to_utc();
            match self.change_of_offset(from, tick) {
                Some(change) => after = change - TimeDelta::seconds(1),
                None => return Some(tick),
            }
        }
    }

    fn offset(&self, at: DateTime<Utc>) -> FixedOffset {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// The first second after `from`, up to and with `to`, at which the zone has another offset.
    fn change_of_offset(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (offset, mut same) = (self.offset(from), from);
        while same < to {
            let mut other = to.min(same + TimeDelta::hours(OFFSET_STEP_HOURS));
            if self.offset(other) != offset {
                while other - same > TimeDelta::seconds(1) {
                    let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
                    if self.offset(middle) == offset { same = middle } else { other = middle }
                }
                return Some(other);
            }
            same = other;
        }
        None
    }

    /// When the clocks of the zone show that time first, or skip it.
    fn moment(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let shown = |local: &NaiveDateTime| self.zone.from_local_datetime(local).earliest();
        if let Some(moment) = shown(&local) {
            return Some(moment.to_utc());
        }
        let minute = local.with_second(0)?.with_nanosecond(0)?;
        let later = (1..=GAP_MINUTES).filter_map(|n| minute.checked_add_signed(TimeDelta::minutes(i64::try_from(n).ok()?)));
        later.filter_map(|local| shown(&local)).map(|moment| moment.to_utc()).next()
    }
}

/// `*`, or a list of numbers, names and ranges, each perhaps with a step. The crate reads more, such as a year after a star.
fn is_field(field: &str) -> bool {
    let all = |word: &str, is: fn(&u8) -> bool| !word.is_empty() && word.bytes().all(|b| is(&b));
    let is_word = |word: &str| all(word, u8::is_ascii_digit) || all(word, u8::is_ascii_alphabetic);
    field.split(',').all(|item| {
        let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
        let is_base = matches!(base, "*" | "?") || base.split_once('-').map_or(is_word(base), |(a, b)| is_word(a) && is_word(b));
        is_base && step.is_none_or(|step| all(step, u8::is_ascii_digit))
    })
}

/// The parser's words on one line.
fn plain(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ticks(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule, zone).unwrap();
        schedule.upcoming(at(after), count).iter().map(|tick| tick.format("%m-%d %H:%M:%S").to_string()).collect()
    }

    #[test]
    fn a_schedule_is_read_in_its_zone() {
        assert_eq!(ticks("0 30 2 * * *", "UTC", "2026-06-01T00:00:00Z", 2), ["06-01 02:30:00", "06-02 02:30:00"]);
        assert_eq!(ticks("0 30 2 * * *", "Europe/Berlin", "2026-06-01T00:00:00Z", 1), ["06-01 00:30:00"]);
        assert_eq!(ticks("*/20 * * * * *", "UTC", "2026-06-01T00:00:20Z", 2), ["06-01 00:00:40", "06-01 00:01:00"]);
        assert_eq!(ticks("0 0 9 * * MON-FRI", "UTC", "2026-06-05T10:00:00Z", 1), ["06-08 09:00:00"]);
    }

    #[test]
    fn a_time_that_is_skipped_fires_once_after_the_gap() {
        // In Berlin, 2026-03-29 has no 02:00 to 02:59; 01:59:59 is followed by 03:00:00 (01:00 UTC).
        assert_eq!(ticks("0 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["03-29 01:00:00", "03-30 00:30:00"]);
        assert_eq!(ticks("0 0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["03-29 01:00:00", "03-30 00:00:00"]);
        assert_eq!(ticks("0 0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["03-29 01:00:00", "03-30 00:00:00"]);
        // Samoa skipped a whole day.
        let samoa = Schedule::parse("0 0 12 30 DEC *", "Pacific/Apia").unwrap();
        assert_eq!(samoa.next(at("2011-12-29T00:00:00Z")), Some(at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn a_time_that_comes_twice_fires_the_first_time() {
        // In Berlin, 2026-10-25 has 02:00 to 02:59 twice: from 00:00 and from 01:00 UTC.
        assert_eq!(ticks("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["10-25 00:30:00", "10-26 01:30:00"]);
        // Asked between the two.
        assert_eq!(ticks("0 30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["10-26 01:30:00"]);
        // Lord Howe turns back by half an hour, from 02:00 to 01:30 (15:00 UTC).
        assert_eq!(ticks("0 45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2), ["04-04 14:45:00", "04-05 15:15:00"]);
    }

    #[test]
    fn a_schedule_of_every_hour_follows_elapsed_time() {
        assert_eq!(
            ticks("0 0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
            ["10-25 00:00:00", "10-25 01:00:00", "10-25 02:00:00", "10-25 03:00:00"]
        );
        assert_eq!(
            ticks("0 0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", 3),
            ["03-29 00:00:00", "03-29 01:00:00", "03-29 02:00:00"]
        );
    }

    #[test]
    fn a_schedule_of_every_hour_goes_on_through_every_change() {
        // Lord Howe: half an hour twice. Every ten minutes of elapsed time, whatever the clocks show.
        for (zone, start) in [("Australia/Lord_Howe", "2026-04-04T14:00:00Z"), ("America/Havana", "2026-11-01T03:30:00Z")] {
            let schedule = Schedule::parse("0 */10 * * * *", zone).unwrap();
            let ticks = schedule.upcoming(at(start), 20);
            let expected: Vec<_> = (1..=20).map(|n| at(start) + TimeDelta::minutes(10 * n)).collect();
            assert_eq!(ticks, expected, "{zone}");
        }
        // A leap day four years off, in a zone that changes on the way.
        assert_eq!(ticks("0 0 * 29 2 *", "Europe/Berlin", "2024-03-01T00:00:00Z", 2), ["02-28 23:00:00", "02-29 00:00:00"]);
    }

    #[test]
    fn a_schedule_that_never_comes_has_no_next() {
        assert_eq!(Schedule::parse("0 0 0 30 FEB *", "UTC").unwrap().next(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_field() {
        for (schedule, zone, field) in [
            ("", "UTC", "schedule"),
            ("* * * * *", "UTC", "schedule"),
            ("* * * * * * *", "UTC", "schedule"),
            ("@daily", "UTC", "schedule"),
            ("61 * * * * *", "UTC", "schedule"),
            ("a b c d e f", "UTC", "schedule"),
            ("0 0 0 1 1 *2030", "UTC", "schedule"),
            ("0 0 0 1 1 ?2030", "UTC", "schedule"),
            ("0 0 0 1 1 MON2030", "UTC", "schedule"),
            ("0,,1 0 0 1 1 *", "UTC", "schedule"),
            ("0 0 0 1-2-3 1 *", "UTC", "schedule"),
            ("*/0 * * * * *", "UTC", "schedule"),
            ("0 */-1 * * * *", "UTC", "schedule"),
            ("0 0 0 * * *", "Mars/Olympus", "timezone"),
            ("0 0 0 * * *", "", "timezone"),
            ("0 0 0 * * *", "+01:00", "timezone"),
        ] {
            let refused = Schedule::parse(schedule, zone).unwrap_err();
            assert_eq!(refused.details.unwrap()["field"], field, "{schedule:?} {zone:?}");
        }
        let long = |n: usize| Schedule::parse(&format!("0 0 0 * * {}", "1".repeat(n)), "UTC").unwrap_err().message.into_owned();
        assert!(!long(limits::SCHEDULE_CHARS_MAX - 10).contains("characters"));
        assert!(long(limits::SCHEDULE_CHARS_MAX - 9).contains("characters"));
    }

    fn expression() -> impl Strategy<Value = String> {
        let field = |max: u32, min: u32| {
            prop_oneof![
                3 => Just("*".to_owned()),
                2 => (min..=max).prop_map(|n| n.to_string()),
                1 => (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
                1 => (2..=max.max(2)).prop_map(|n| format!("*/{n}")),
            ]
        };
        (field(59, 0), field(59, 0), field(23, 0), field(28, 1), field(12, 1), field(7, 1))
            .prop_map(|(second, minute, hour, day, month, weekday)| format!("{second} {minute} {hour} {day} {month} {weekday}"))
    }

    fn zone() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("UTC"),
            Just("Europe/Berlin"),
            Just("America/St_Johns"),
            Just("Australia/Lord_Howe"),
            Just("Pacific/Apia"),
            Just("Asia/Kathmandu"),
            Just("Africa/Casablanca"),
        ]
    }

    /// The changes of a zone's clocks within three years.
    fn changes(zone: &str) -> Vec<DateTime<Utc>> {
        let schedule = Schedule::parse("0 * * * * *", zone).unwrap();
        let (mut from, end) = (at("2025-06-01T00:00:00Z"), at("2028-06-01T00:00:00Z"));
        let mut changes = Vec::new();
        while let Some(change) = schedule.change_of_offset(from, end) {
            changes.push(change);
            from = change;
        }
        changes
    }

    /// What the rules at the head of this file say, minute by minute.
    fn by_the_minute(schedule: &Schedule, from: DateTime<Utc>, minutes: i64) -> Vec<DateTime<Utc>> {
        let moments = (0..=minutes).map(|n| from + TimeDelta::minutes(n));
        let shown: Vec<_> = moments.map(|moment| (moment, moment.with_timezone(&schedule.zone).naive_local())).collect();
        let is_tick = |local: &NaiveDateTime| schedule.ticks.includes(local.and_utc());
        let mut ticks: Vec<_> = if schedule.ticks.hours().count() == HOURS {
            shown.iter().filter(|(_, local)| is_tick(local)).map(|(moment, _)| *moment).collect()
        } else {
            let (first, last) = (shown[0].1, shown[shown.len() - 1].1);
            let locals = (0..).map(|n| first + TimeDelta::minutes(n)).take_while(|local| *local <= last);
            // The first moment that shows it, or what comes after it where none does.
            locals
                .filter(is_tick)
                .filter_map(|tick| {
                    let exact = shown.iter().find(|(_, local)| *local == tick);
                    exact.or_else(|| shown.iter().find(|(_, local)| *local > tick)).map(|(moment, _)| *moment)
                })
                .collect()
        };
        ticks.sort_unstable();
        ticks.dedup();
        ticks
    }

    fn of_minutes() -> impl Strategy<Value = String> {
        let field = |max: u32| {
            prop_oneof![
                2 => Just("*".to_owned()),
                2 => (0..=max).prop_map(|n| n.to_string()),
                1 => (0..=max, 0..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
                1 => (2..=max / 2).prop_map(|n| format!("*/{n}")),
            ]
        };
        (field(59), field(23)).prop_map(|(minute, hour)| format!("0 {minute} {hour} * * *"))
    }

    proptest! {
        #[test]
        fn around_a_change_of_the_clocks_ticks_are_what_the_rules_say(
            text in of_minutes(),
            zone in zone(),
            which in any::<prop::sample::Index>(),
            hours in 1_i64..30,
        ) {
            let (schedule, changes) = (Schedule::parse(&text, zone).unwrap(), changes(zone));
            let change = if changes.is_empty() { at("2026-03-29T01:00:00Z") } else { changes[which.index(changes.len())] };
            let start = change - TimeDelta::hours(hours);
            // What is shown twice, or skipped, before the start is not looked at.
            let expected: Vec<_> =
                by_the_minute(&schedule, start - TimeDelta::days(1), 4 * 24 * 60).into_iter().filter(|tick| *tick > start).collect();
            let expected: Vec<_> = expected.into_iter().filter(|tick| *tick < start + TimeDelta::days(2)).collect();
            prop_assert_eq!(schedule.upcoming(start, expected.len()), expected);
        }

        /// Ticks go forward, none is left out, and each is a local time of the expression unless that was skipped.
        #[test]
        fn ticks_are_the_local_times_of_the_expression(
            text in expression(),
            zone in zone(),
            start in 1_700_000_000_i64..1_900_000_000,
        ) {
            let schedule = Schedule::parse(&text, zone).unwrap();
            let mut after = DateTime::from_timestamp(start, 0).unwrap();
            for _ in 0..5 {
                let Some(tick) = schedule.next(after) else { return Ok(()) };
                prop_assert!(tick > after);
                prop_assert_eq!(tick.timestamp_subsec_nanos(), 0);
                let local = tick.with_timezone(&schedule.zone).naive_local();
                let is_tick = schedule.ticks.includes(local.and_utc());
                let before = (tick - TimeDelta::seconds(1)).with_timezone(&schedule.zone).naive_local();
                let gap_ended = local - before > TimeDelta::seconds(1);
                prop_assert!(is_tick || gap_ended, "{} is no time of {}", local, text);
                // Nothing of the expression lies between, but what a repeated hour shows again.
                let between = (tick - after).num_seconds().min(5_000);
                for second in 1..between {
                    let moment = after + TimeDelta::seconds(second);
                    let shown = moment.with_timezone(&schedule.zone).naive_local();
                    let first = schedule.zone.from_local_datetime(&shown).earliest().unwrap().to_utc() == moment;
                    prop_assert!(!first || !schedule.ticks.includes(shown.and_utc()), "{} was left out of {}", shown, text);
                }
                after = tick;
            }
        }
    }
}
