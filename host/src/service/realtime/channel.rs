//! A topic that somebody subscribes to: what there is of news, and its newest messages, read once for all who wait for them.
//!
//! These are for who was there already when they were published. What came before somebody is read from the database, which alone knows
//! what is kept still; and once it is heard that who may subscribe was changed, of any topic, nothing that was read before it is given to
//! anybody: what was kept of one that was for triggers alone meanwhile is forgotten.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, watch};

use super::hub::Place;
use super::large::{Large, Seen};
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
    /// The newest instead of all these, where it is larger than a page; held while somebody reads.
    large: Seen,
    held: Option<Large>,
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
        recent.take(&page);
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
        if let Some(large) = self.large.hold() {
            let is_next = after.saturating_add(1) == large.seq();
            return is_next.then(|| Page { last_seq: large.seq(), messages: vec![large.message()], large: Some(large) });
        }
        let (first, last) = (self.messages.front()?.seq, self.messages.back()?.seq);
        if after.saturating_add(1) < first || after >= last {
            return None;
        }
        let messages = self.messages.iter().filter(|message| message.seq > after).cloned().collect();
        Some(Page { last_seq: last, messages, large: None })
    }

    /// Whether a number is of before these.
    fn is_before(&self, after: u64) -> bool {
        let first = self.large.hold().map(|large| large.seq()).or_else(|| self.messages.front().map(|first| first.seq));
        first.is_some_and(|first| after.saturating_add(1) < first)
    }

    /// Takes in what was read, and lets the oldest go; the newest stays, whatever it is.
    fn take(&mut self, page: &Page) {
        if let Some(large) = &page.large {
            *self = Self { changes: self.changes, large: large.seen(), held: Some(large.clone()), ..Self::default() };
            return;
        }
        (self.large, self.held) = (Seen::default(), None);
        for message in &page.messages {
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

    /// Lets a large one go, unless somebody has it still.
    fn let_large_go(&mut self) {
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fair::{Ask, Fair, Size};
    use crate::id::AppId;

    fn page(numbers: std::ops::RangeInclusive<u64>, bytes: usize) -> Page {
        let last_seq = *numbers.end();
        Page { last_seq, messages: numbers.map(|seq| Message { seq, text: vec![b'x'; bytes].into() }).collect(), large: None }
    }

    async fn large(room: &Fair, seq: u64) -> Page {
        let ask = Ask { app: AppId(uuid::Uuid::nil()), class: 0, bytes: 1, held_max: 1, weight: 100 };
        let place = room.enter(ask, Duration::ZERO).await.expect("room");
        Page::alone(seq, page(seq..=seq, 1).messages, place)
    }

    fn room() -> Fair {
        Fair::new(&[Size { places: 8, kept_bytes: 0 }], 8)
    }

    fn after(recent: &Recent, after: u64) -> Option<Vec<u64>> {
        recent.after(after).map(|page| page.messages.iter().map(|message| message.seq).collect())
    }

    #[test]
    fn the_newest_are_given_to_whom_the_next_one_is_among_them() {
        let mut recent = Recent::default();
        assert_eq!((after(&recent, 0), recent.is_before(0)), (None, false));
        recent.take(&page(3..=5, 1));
        recent.take(&page(6..=6, 1));
        assert_eq!((after(&recent, 1), recent.is_before(1)), (None, true));
        assert_eq!(after(&recent, 2), Some(vec![3, 4, 5, 6]));
        assert_eq!(after(&recent, 5), Some(vec![6]));
        assert_eq!((after(&recent, 6), recent.is_before(6)), (None, false));
        // Those between are none that are here.
        recent.take(&page(9..=9, 1));
        assert_eq!((after(&recent, 5), after(&recent, 8)), (None, Some(vec![9])));
    }

    #[test]
    fn they_are_bounded() {
        let mut recent = Recent::default();
        let most = limits::TOPIC_RECENT_MESSAGES_MAX as u64;
        recent.take(&page(1..=most, 1));
        assert!(after(&recent, 0).is_some());
        recent.take(&page(most + 1..=most + 1, 1));
        assert_eq!((after(&recent, 0), recent.bytes), (None, limits::TOPIC_RECENT_MESSAGES_MAX));
        recent.take(&page(most + 2..=most + 3, limits::TOPIC_RECENT_BYTES_MAX / 2));
        assert_eq!((after(&recent, most + 1).map(|given| given.len()), recent.bytes), (Some(2), limits::TOPIC_RECENT_BYTES_MAX));
        recent.take(&page(most + 4..=most + 4, 1));
        assert_eq!(after(&recent, most + 2).map(|given| given.len()), Some(2));
    }

    #[tokio::test]
    async fn a_large_one_is_there_while_somebody_reads_or_has_it() {
        let (room, channel) = (room(), Channel::default());
        let (first, second) = (Reader::of(&channel), Reader::of(&channel));
        let read = large(&room, 1).await;
        channel.recent.lock().await.take(&read);
        drop(first);
        drop(read);
        let given = channel.recent.lock().await.after(0).expect("somebody reads");
        drop(second);
        let recent = channel.recent.lock().await;
        assert_eq!((after(&recent, 0), after(&recent, 1), recent.is_before(0)), (Some(vec![1]), None, false), "somebody has it");
        assert_eq!(room.bytes_held(), 1);
        drop(given);
        assert_eq!((after(&recent, 0), room.bytes_held()), (None, 0));
    }

    #[tokio::test]
    async fn a_large_one_stands_alone() {
        let (room, mut recent) = (room(), Recent::default());
        recent.take(&page(1..=2, 1));
        recent.take(&large(&room, 3).await);
        assert_eq!((after(&recent, 1), recent.is_before(1), after(&recent, 2)), (None, true, Some(vec![3])));
        recent.take(&page(4..=4, 1));
        assert_eq!((after(&recent, 2), recent.is_before(2), after(&recent, 3)), (None, true, Some(vec![4])));
        assert_eq!(room.bytes_held(), 0);
    }

    #[test]
    fn what_was_read_before_a_change_is_forgotten() {
        let mut recent = Recent::default();
        recent.take(&page(1..=2, 1));
        recent.are_of(0);
        assert!(after(&recent, 0).is_some());
        recent.are_of(1);
        assert_eq!((after(&recent, 0), recent.bytes), (None, 0));
        recent.take(&page(3..=3, 1));
        recent.are_of(1);
        assert_eq!(after(&recent, 2), Some(vec![3]));
    }
}
