//! When a delivery that failed is tried again.
//!
//! The wait before attempt n + 1 is `base` (constant), `n × base` (linear) or `2^(n-1) × base` (exponential), at most `max`;
//! with jitter it is drawn evenly between half of that and the whole.

use chrono::TimeDelta;
use serde_json::json;

use crate::error::{Error, Result};
use crate::limits;

/// How the wait grows from attempt to attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    Exponential,
    Linear,
    Constant,
}

impl Backoff {
    pub const ALL: [Self; 3] = [Self::Exponential, Self::Linear, Self::Constant];

    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Linear => "linear",
            Self::Constant => "constant",
        }
    }

    /// The backoff of a word; `None` for any other word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backoff| backoff.as_str() == word)
    }
}

/// A retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Retry {
    /// Attempts, the first included: 1..=`DELIVERY_ATTEMPTS_MAX`.
    #[schemars(description = "Attempts, the first included.", range(min = 1, max = limits::DELIVERY_ATTEMPTS_MAX))]
    pub max_attempts: u32,
    pub backoff: Backoff,
    /// At most `max_delay_ms`.
    pub base_delay_ms: u32,
    /// At most `DELIVERY_DELAY_MS_MAX`.
    #[schemars(description = "The longest wait.", range(max = limits::DELIVERY_DELAY_MS_MAX))]
    pub max_delay_ms: u32,
    pub jitter: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: limits::DELIVERY_ATTEMPTS_DEFAULT,
            backoff: Backoff::Exponential,
            base_delay_ms: limits::DELIVERY_BASE_DELAY_MS_DEFAULT,
            max_delay_ms: limits::DELIVERY_MAX_DELAY_MS_DEFAULT,
            jitter: true,
        }
    }
}

/// What a person says of a policy; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryChange {
    pub max_attempts: Option<u32>,
    pub backoff: Option<String>,
    pub base_delay_ms: Option<u32>,
    pub max_delay_ms: Option<u32>,
    pub jitter: Option<bool>,
}

impl RetryChange {
    /// `retry` with what is said here in place of its own. 422 naming the field that is out of its bounds. A longest wait that
    /// nobody named gives way to a longer base.
    pub fn over(self, retry: Retry) -> Result<Retry> {
        let backoff = match self.backoff {
            None => retry.backoff,
            Some(word) => Backoff::from_word(&word).ok_or_else(|| {
                let known: Vec<_> = Backoff::ALL.into_iter().map(Backoff::as_str).collect();
                Error::invalid("backoff", format!("backoff is one of {}", known.join(", ")))
            })?,
        };
        let max_attempts = self.max_attempts.unwrap_or(retry.max_attempts);
        let base_delay_ms = self.base_delay_ms.unwrap_or(retry.base_delay_ms);
        let max_delay_ms = self.max_delay_ms.unwrap_or(retry.max_delay_ms.max(base_delay_ms));
        bounded("max_attempts", max_attempts, 1, limits::DELIVERY_ATTEMPTS_MAX)?;
        bounded("base_delay_ms", base_delay_ms, 0, limits::DELIVERY_DELAY_MS_MAX)?;
        bounded("max_delay_ms", max_delay_ms, base_delay_ms, limits::DELIVERY_DELAY_MS_MAX)?;
        Ok(Retry { max_attempts, backoff, base_delay_ms, max_delay_ms, jitter: self.jitter.unwrap_or(retry.jitter) })
    }
}

impl Retry {
    /// The wait after `failed` attempts (1, 2, …), or `None` when that was the last. `roll` is chance, 0..1.
    pub fn wait(&self, failed: u32, roll: f64) -> Option<TimeDelta> {
        if failed >= self.max_attempts {
            return None;
        }
        let base = u64::from(self.base_delay_ms);
        let grown = match self.backoff {
            Backoff::Constant => base,
            Backoff::Linear => base.saturating_mul(failed.max(1).into()),
            Backoff::Exponential => base.saturating_mul(1_u64.checked_shl(failed.saturating_sub(1)).unwrap_or(u64::MAX)),
        };
        let whole = grown.min(self.max_delay_ms.into());
        let drawn = if self.jitter { whole / 2 + scaled(whole - whole / 2, roll) } else { whole };
        Some(TimeDelta::milliseconds(i64::try_from(drawn).unwrap_or(i64::MAX)))
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a day of ms")]
fn scaled(span: u64, roll: f64) -> u64 {
    ((span as f64) * roll.clamp(0.0, 1.0)).round() as u64
}

fn bounded(field: &str, asked: u32, floor: u32, allowed: u32) -> Result<()> {
    if (floor..=allowed).contains(&asked) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{field} is {asked}; {floor} to {allowed} are allowed"))
        .with_details(json!({ "field": field, "asked": asked, "floor": floor, "allowed": allowed })))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> impl Strategy<Value = Retry> {
        let backoff = prop_oneof![Just(Backoff::Exponential), Just(Backoff::Linear), Just(Backoff::Constant)];
        let delays = (0..=limits::DELIVERY_DELAY_MS_MAX).prop_flat_map(|max| (0..=max, Just(max)));
        (1..=limits::DELIVERY_ATTEMPTS_MAX, backoff, delays, any::<bool>()).prop_map(
            |(max_attempts, backoff, (base_delay_ms, max_delay_ms), jitter)| Retry {
                max_attempts,
                backoff,
                base_delay_ms,
                max_delay_ms,
                jitter,
            },
        )
    }

    proptest! {
        #[test]
        fn there_are_as_many_waits_as_attempts_less_one(retry in policy(), failed in 1_u32..300, roll in 0.0..1.0) {
            prop_assert_eq!(retry.wait(failed, roll).is_some(), failed < retry.max_attempts);
        }

        #[test]
        fn a_wait_is_within_its_policy(retry in policy(), failed in 1_u32..300, roll in 0.0..=1.0) {
            let Some(wait) = retry.wait(failed, roll) else { return Ok(()) };
            let wait = wait.num_milliseconds();
            prop_assert!(wait <= i64::from(retry.max_delay_ms));
            prop_assert!(wait >= i64::from(retry.base_delay_ms / 2));
            if !retry.jitter && retry.backoff == Backoff::Constant {
                prop_assert_eq!(wait, i64::from(retry.base_delay_ms));
            }
        }

        #[test]
        fn waits_never_shrink(retry in policy(), failed in 1_u32..100, roll in 0.0..=1.0) {
            let (Some(now), Some(next)) = (retry.wait(failed, roll), retry.wait(failed + 1, roll)) else { return Ok(()) };
            prop_assert!(now <= next);
        }

        #[test]
        fn jitter_takes_at_most_half(retry in policy(), failed in 1_u32..100, roll in 0.0..=1.0) {
            let Some(drawn) = retry.wait(failed, roll) else { return Ok(()) };
            let whole = Retry { jitter: false, ..retry }.wait(failed, roll).unwrap();
            prop_assert!(drawn <= whole && drawn * 2 + TimeDelta::milliseconds(1) >= whole);
        }
    }

    #[test]
    fn the_three_ways_to_grow() {
        for (backoff, expected) in [
            (Backoff::Exponential, [100, 200, 400, 800, 1_000]),
            (Backoff::Linear, [100, 200, 300, 400, 500]),
            (Backoff::Constant, [100; 5]),
        ] {
            let retry = Retry { max_attempts: 9, backoff, base_delay_ms: 100, max_delay_ms: 1_000, jitter: false };
            let waits: Vec<_> = (1..=5).map(|failed| retry.wait(failed, 0.0).unwrap().num_milliseconds()).collect();
            assert_eq!(waits, expected, "{backoff:?}");
        }
    }

    #[test]
    fn a_policy_is_bounded() {
        let say = |change: RetryChange| change.over(Retry::default());
        let attempts = |n| say(RetryChange { max_attempts: Some(n), ..RetryChange::default() });
        assert!(attempts(1).is_ok() && attempts(limits::DELIVERY_ATTEMPTS_MAX).is_ok());
        for wrong in [0, limits::DELIVERY_ATTEMPTS_MAX + 1] {
            assert_eq!(attempts(wrong).unwrap_err().details.unwrap()["field"], "max_attempts");
        }
        let delays = |base, max| say(RetryChange { base_delay_ms: base, max_delay_ms: max, ..RetryChange::default() });
        let most = limits::DELIVERY_DELAY_MS_MAX;
        assert_eq!(delays(Some(most), None).unwrap().max_delay_ms, most);
        assert!(delays(Some(0), Some(0)).is_ok() && delays(Some(most + 1), None).is_err());
        assert_eq!(delays(Some(10), Some(9)).unwrap_err().details.unwrap()["field"], "max_delay_ms");
        assert!(say(RetryChange { backoff: Some("fast".into()), ..RetryChange::default() }).is_err());
    }
}
