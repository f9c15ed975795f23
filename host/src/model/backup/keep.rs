//! Which snapshots are kept.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Utc};

use crate::error::{Error, Result};
use crate::limits;

/// How many are kept by each rule: of the last ones each, and the newest of each of the last days, weeks, months and years (UTC)
/// that have any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    pub last: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

impl Keep {
    /// Which of these moments, in whatever order, are kept. The newest always is.
    pub fn choose(&self, of: &[DateTime<Utc>]) -> Vec<bool> {
        let mut newest_first: Vec<usize> = (0..of.len()).collect();
        newest_first.sort_by_key(|n| std::cmp::Reverse(of.get(*n)));
        let mut kept: BTreeSet<usize> = newest_first.iter().copied().take(self.last.max(1) as usize).collect();
        let week = |at: DateTime<Utc>| (at.iso_week().year(), at.iso_week().week());
        type Period = fn(DateTime<Utc>) -> (i32, u32);
        let periods: [(u32, Period); 4] = [
            (self.daily, |at| (at.year(), at.ordinal())),
            (self.weekly, week),
            (self.monthly, |at| (at.year(), at.month())),
            (self.yearly, |at| (at.year(), 0)),
        ];
        for (count, period) in periods {
            let mut seen = BTreeSet::new();
            for n in &newest_first {
                let Some(at) = of.get(*n) else { continue };
                if seen.len() >= count as usize {
                    break;
                }
                if seen.insert(period(*at)) {
                    kept.insert(*n);
                }
            }
        }
        (0..of.len()).map(|n| kept.contains(&n)).collect()
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn rules(&mut self) -> [(&'static str, &mut u32); 5] {
        [
            ("last", &mut self.last),
            ("daily", &mut self.daily),
            ("weekly", &mut self.weekly),
            ("monthly", &mut self.monthly),
            ("yearly", &mut self.yearly),
        ]
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keep = *self;
        let rules: Vec<_> = keep.rules().into_iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{name}={n}")).collect();
        f.write_str(&rules.join(","))
    }
}

impl FromStr for Keep {
    type Err = Error;

    /// `last=7,daily=14`: at least one rule, each at most once, each from 1 to `BACKUP_KEEP_MAX`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| Error::invalid("keep", format!("{what}; write such as last=3,daily=7,weekly=4,monthly=12"));
        let mut keep = Self::default();
        for rule in text.split(',').map(str::trim) {
            let (name, count) = rule.split_once('=').ok_or_else(|| wrong(format!("`{rule}` is no rule")))?;
            let mut rules = keep.rules();
            let place = rules.iter_mut().find(|(known, _)| *known == name.trim());
            let (_, place) = place.ok_or_else(|| wrong(format!("`{name}` is none of last, daily, weekly, monthly, yearly")))?;
            let count = count.trim().parse().ok().filter(|count| (1..=limits::BACKUP_KEEP_MAX).contains(count));
            let count = count.ok_or_else(|| wrong(format!("`{rule}` is no number from 1 to {}", limits::BACKUP_KEEP_MAX)))?;
            if **place > 0 {
                return Err(wrong(format!("`{name}` is there twice")));
            }
            **place = count;
        }
        Ok(keep)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The places of those that are kept.
    fn kept(rule: &str, of: &[DateTime<Utc>]) -> Vec<usize> {
        let chosen = rule.parse::<Keep>().unwrap().choose(of);
        (0..of.len()).filter(|n| chosen[*n]).collect()
    }

    #[test]
    fn each_rule_keeps_the_newest_of_its_periods() {
        let hours: Vec<_> = (0..24 * 40).map(|n| at("2026-01-01T00:30:00Z") + TimeDelta::hours(n)).collect();
        let last = hours.len() - 1;
        assert_eq!(kept("last=3", &hours), [last - 2, last - 1, last]);
        assert_eq!(kept("daily=2", &hours), [last - 24, last]);
        // The last day is a Monday: its week is one, and ends with it so far.
        assert_eq!(hours[last].weekday(), chrono::Weekday::Mon);
        assert_eq!(kept("weekly=2", &hours), [last - 24, last]);
        assert_eq!(kept("monthly=2", &hours), [24 * 31 - 1, last]);
        assert_eq!(kept("yearly=5", &hours), [last]);
        assert_eq!(kept("last=2,daily=2", &hours), [last - 24, last - 1, last]);
        let mut backwards = hours.clone();
        backwards.reverse();
        assert_eq!(kept("daily=2", &backwards), [0, 24]);
    }

    #[test]
    fn the_newest_is_kept_whatever_is_asked() {
        let two = [at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")];
        assert_eq!(Keep::default().choose(&two), [false, true]);
        assert_eq!(Keep::default().choose(&[]), Vec::<bool>::new());
    }

    #[test]
    fn rules_are_read_or_refused() {
        let keep: Keep = " last=3, daily=7 ,yearly=1".parse().unwrap();
        assert_eq!(keep, Keep { last: 3, daily: 7, yearly: 1, ..Keep::default() });
        assert_eq!(keep.to_string().parse::<Keep>().unwrap(), keep);
        let max = limits::BACKUP_KEEP_MAX;
        assert!(format!("last={max}").parse::<Keep>().is_ok());
        for wrong in ["", "3", "last=0", "last=-1", "last=x", "hourly=3", "last=1,last=2", &format!("last={}", max + 1)] {
            assert!(wrong.parse::<Keep>().is_err(), "{wrong}");
        }
    }
}
