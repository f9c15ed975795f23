//! A topic that somebody subscribes to: what there is of news, and its newest messages, read once for all who wait for them.
//!
//! These are for who was there already when they were published. What came before somebody is read from the database, which alone knows
//! what is kept still; and once it is heard that who may subscribe was changed, of any topic, nothing that was read before it is given to
//! anybody: what was kept of one that was for triggers alone meanwhile is forgotten.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, watch};

use super::hub::Place;
use super::{Ending, Page, Readers, page};
use crate::error::Result;
use crate::limits;
use crate::model::topic::{Access, Message};

#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) news: watch::Sender<News>,
    recent: Mutex<Recent>,
    /// How many read, or wait to.
    readers: AtomicUsize,
}

/// What subscribers of a topic are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) last_seq: u64,
    /// None until the first look.
    pub(super) access: Option<Access>,
    pub(super) ending: Option<Ending>,
}

/// The newest messages of a topic, none left out between two.
#[derive(Debug, Default)]
struct Recent {
    messages: VecDeque<Message>,
    bytes: usize,
    /// What had been heard of changes when they were read.
    changes: u64,
}

/// One of those who read.
struct Reader<'c>(&'c Channel);

impl Channel {
    pub(super) fn end(&self, ending: Ending) {
        self.news.send_modify(|news| news.ending = Some(ending));
    }

    pub(super) fn reaches(&self, seq: u64) {
        self.news.send_if_modified(|news| {
            let is_news = seq > news.last_seq;
            news.last_seq = news.last_seq.max(seq);
            is_news
        });
    }

    /// What comes after a number that was given out when the place was held already: a page, or what is held for all. What is new is read by
    /// the first who asks, for all who wait behind it.
    pub(super) async fn read(&self, place: &Place, after: u64) -> Result<Page> {
        let reader = Reader::of(self);
        let mut recent = self.recent.lock().await;
        recent.are_of(place.services.realtime.changes());
        if let Some(page) = recent.after(after) {
            return Ok(page);
        }
        if recent.is_before(after) {
            // Somebody who is slow: the newest are none of theirs yet, and are not held for them.
            drop(recent);
            drop(reader);
            return page(&place.services, place.app, &place.topic, after, Readers::One).await;
        }
        let page = page(&place.services, place.app, &place.topic, after, Readers::All).await?;
        recent.take(&page.messages);
        Ok(page)
    }
}

impl<'c> Reader<'c> {
    fn of(channel: &'c Channel) -> Self {
        channel.readers.fetch_add(1, Ordering::AcqRel);
        Self(channel)
    }
}

impl Drop for Reader<'_> {
    /// The last one leaves nothing large. Who comes meanwhile, and has the lock, is the last one then.
    fn drop(&mut self) {
        if self.0.readers.fetch_sub(1, Ordering::AcqRel) == 1
            && let Ok(mut recent) = self.0.recent.try_lock()
        {
            recent.let_large_go();
        }
    }
}

impl Recent {
    /// Forgets what was read before so many changes had been heard of.
    fn are_of(&mut self, changes: u64) {
        if self.changes != changes {
            *self = Self { changes, ..Self::default() };
        }
    }

    /// Messages after a number, if the next one is among these.
    fn after(&self, after: u64) -> Option<Page> {
        let (first, last) = (self.messages.front()?.seq, self.messages.back()?.seq);
        if after.saturating_add(1) < first || after >= last {
            return None;
        }
        let messages = self.messages.iter().filter(|message| message.seq > after).cloned().collect();
        Some(Page { last_seq: last, messages })
    }

    /// Whether a number is of before these.
    fn is_before(&self, after: u64) -> bool {
        self.messages.front().is_some_and(|first| after.saturating_add(1) < first.seq)
    }

    /// Takes in what was read, and lets the oldest go; the newest stays, whatever it is.
    fn take(&mut self, read: &[Message]) {
        for message in read {
            if self.messages.back().is_some_and(|last| last.seq + 1 != message.seq) {
                *self = Self { changes: self.changes, ..Self::default() };
            }
            self.bytes += message.text.len();
            self.messages.push_back(message.clone());
        }
        while self.messages.len() > 1
            && (self.bytes > limits::TOPIC_RECENT_BYTES_MAX || self.messages.len() > limits::TOPIC_RECENT_MESSAGES_MAX)
        {
            let Some(gone) = self.messages.pop_front() else { break };
            self.bytes -= gone.text.len();
        }
    }

    /// Lets them go if one is larger than a page: it is counted.
    fn let_large_go(&mut self) {
        let is_large = |message: &Message| message.text.len() as u64 > limits::TOPIC_PAGE_BYTES.unsigned_abs();
        if self.messages.iter().any(is_large) {
            *self = Self { changes: self.changes, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(numbers: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Message> {
        numbers.map(|seq| Message { seq, text: vec![b'x'; bytes].into() }).collect()
    }

    fn after(recent: &Recent, after: u64) -> Option<Vec<u64>> {
        recent.after(after).map(|page| page.messages.iter().map(|message| message.seq).collect())
    }

    #[test]
    fn the_newest_are_given_to_whom_the_next_one_is_among_them() {
        let mut recent = Recent::default();
        assert_eq!((after(&recent, 0), recent.is_before(0)), (None, false));
        recent.take(&messages(3..=5, 1));
        recent.take(&messages(6..=6, 1));
        assert_eq!((after(&recent, 1), recent.is_before(1)), (None, true));
        assert_eq!(after(&recent, 2), Some(vec![3, 4, 5, 6]));
        assert_eq!(after(&recent, 5), Some(vec![6]));
        assert_eq!((after(&recent, 6), recent.is_before(6)), (None, false));
        // Those between are none that are here.
        recent.take(&messages(9..=9, 1));
        assert_eq!((after(&recent, 5), after(&recent, 8)), (None, Some(vec![9])));
    }

    #[test]
    fn they_are_bounded_and_a_large_one_is_held_while_somebody_reads() {
        let mut recent = Recent::default();
        let most = limits::TOPIC_RECENT_MESSAGES_MAX as u64;
        recent.take(&messages(1..=most, 1));
        assert!(after(&recent, 0).is_some());
        recent.take(&messages(most + 1..=most + 1, 1));
        assert_eq!((after(&recent, 0), recent.bytes), (None, limits::TOPIC_RECENT_MESSAGES_MAX));
        recent.take(&messages(most + 2..=most + 3, limits::TOPIC_RECENT_BYTES_MAX / 2));
        assert_eq!((after(&recent, most + 1).map(|given| given.len()), recent.bytes), (Some(2), limits::TOPIC_RECENT_BYTES_MAX));
        recent.let_large_go();
        assert_eq!(recent.messages.len(), 2);
        recent.take(&messages(most + 4..=most + 4, limits::TOPIC_RECENT_BYTES_MAX + 1));
        assert_eq!(after(&recent, most + 3), Some(vec![most + 4]));
        recent.let_large_go();
        assert_eq!((recent.messages.len(), recent.bytes), (0, 0));
    }

    #[tokio::test]
    async fn the_last_who_reads_lets_a_large_one_go() {
        let channel = Channel::default();
        let (first, second) = (Reader::of(&channel), Reader::of(&channel));
        channel.recent.lock().await.take(&messages(1..=1, limits::TOPIC_RECENT_BYTES_MAX + 1));
        drop(first);
        assert!(after(&channel.recent.lock().await, 0).is_some());
        drop(second);
        assert!(after(&channel.recent.lock().await, 0).is_none());
    }

    #[test]
    fn what_was_read_before_a_change_is_forgotten() {
        let mut recent = Recent::default();
        recent.take(&messages(1..=2, 1));
        recent.are_of(0);
        assert!(after(&recent, 0).is_some());
        recent.are_of(1);
        assert_eq!((after(&recent, 0), recent.bytes), (None, 0));
        recent.take(&messages(3..=3, 1));
        recent.are_of(1);
        assert_eq!(after(&recent, 2), Some(vec![3]));
    }
}
