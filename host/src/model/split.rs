//! A split: a part of an app's requests is answered by another of its deployments than the one that runs.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::id::{RequestId, UserId};
use crate::limits;

/// The cookie that keeps a visitor in a bucket.
pub const COOKIE: &str = "picloud_split";

/// Which deployment answers how much beside the one that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub deployment: i32,
    pub percent: u8,
    /// Whether a visitor stays with the deployment that answered first.
    pub sticky: bool,
}

/// A split as it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    pub split: Split,
    /// Who set it; none once that person is gone.
    pub set_by: Option<UserId>,
    pub set_at: DateTime<Utc>,
}

/// Where a visitor, or a request, falls among `SPLIT_BUCKETS`. A percentage takes the lowest: raised, it keeps whom it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket(u16);

impl Split {
    /// 422 for a percentage that would be none or all.
    pub fn check(&self) -> Result<()> {
        let (asked, least, most) = (self.percent, limits::SPLIT_PERCENT_MIN, limits::SPLIT_PERCENT_MAX);
        if (least..=most).contains(&asked) {
            return Ok(());
        }
        let message =
            format!("percent is {asked}; a split gives {least} to {most} of a hundred requests to the other deployment");
        Err(Error::invalid("percent", message)
            .with_details(json!({ "field": "percent", "asked": asked, "least": least, "most": most })))
    }

    /// Whether the other deployment answers those in this bucket.
    pub fn takes(&self, bucket: Bucket) -> bool {
        u32::from(bucket.0) * 100 < u32::from(self.percent) * u32::from(limits::SPLIT_BUCKETS)
    }
}

impl Bucket {
    /// Any, as good as at random: the end of a request's id is.
    pub fn of(request: RequestId) -> Self {
        // The last 62 bits; those before say which kind of id it is.
        let random = request.0.as_u64_pair().1 & ((1 << 62) - 1);
        Self(u16::try_from(random % u64::from(limits::SPLIT_BUCKETS)).unwrap_or_default())
    }

    /// The bucket that a cookie tells, exactly as it was told; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse().ok().filter(|number| is_plain && *number < limits::SPLIT_BUCKETS).map(Self)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(percent: u8) -> Split {
        Split { deployment: 1, percent, sticky: true }
    }

    #[test]
    fn a_percentage_takes_as_many_buckets_and_a_higher_one_keeps_them() {
        for percent in limits::SPLIT_PERCENT_MIN..=limits::SPLIT_PERCENT_MAX {
            split(percent).check().unwrap();
            let taken =
                |percent| (0..limits::SPLIT_BUCKETS).filter(|bucket| split(percent).takes(Bucket(*bucket))).collect::<Vec<_>>();
            let now = taken(percent);
            assert_eq!(now.len() * 100, usize::from(percent) * usize::from(limits::SPLIT_BUCKETS));
            assert!(taken(percent + 1).starts_with(&now));
        }
        for bad in [limits::SPLIT_PERCENT_MIN - 1, limits::SPLIT_PERCENT_MAX + 1, u8::MAX] {
            assert_eq!(split(bad).check().unwrap_err().code, "invalid", "{bad}");
        }
    }

    #[test]
    fn a_bucket_is_read_as_it_is_told_and_nothing_else_is_one() {
        for number in [0, 1, 42, limits::SPLIT_BUCKETS - 1] {
            assert_eq!(Bucket::read(&Bucket(number).to_string()), Some(Bucket(number)));
        }
        for bad in ["", "-1", "+1", "00", "01", " 1", "1 ", "1.0", "10000", "65536", "99999999999", "x", "0x1", "１"] {
            assert_eq!(Bucket::read(bad), None, "{bad}");
        }
        assert_eq!(limits::SPLIT_BUCKETS, 10_000);
    }

    #[test]
    fn requests_fall_into_buckets_evenly() {
        let (requests, halves) = (20_000, split(50));
        let taken = (0..requests).filter(|_| halves.takes(Bucket::of(RequestId::at(DateTime::UNIX_EPOCH)))).count();
        // Six standard deviations of a fair coin.
        assert!(taken.abs_diff(requests / 2) < 425, "{taken}");
    }
}
