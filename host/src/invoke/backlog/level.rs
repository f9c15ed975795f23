//! What part of each app's calls is begun: all of an app that calls no more than the level, and of the others as many as the
//! level says, by weight (max-min fairness, by filling up like water). Where the level lies follows from how far behind the node
//! is: a controller that adds up how much that is too much, and answers to its change (PI, as of PIE, RFC 8033, section 4.2).

use std::collections::HashMap;
use std::time::Duration;

use crate::id::AppId;
use crate::limits::{BACKLOG_AIM_MS, BACKLOG_LOOK_MS, BACKLOG_MS, BACKLOG_PATIENCE_MS, CROWD_MS, WEIGHT_DEFAULT};

/// Looks in a row that have to find a node behind before any call is refused, and in time before none is any more.
const PATIENCE_LOOKS: u32 = (BACKLOG_PATIENCE_MS / BACKLOG_LOOK_MS) as u32;
/// Looks in which others were there lately.
const CROWD_LOOKS: u32 = (CROWD_MS / BACKLOG_LOOK_MS) as u32;
const BOUND: Duration = Duration::from_millis(BACKLOG_MS);
const AIM: Duration = Duration::from_millis(BACKLOG_AIM_MS);
/// By how much less of the calls is begun for each [`AIM`] that the node is behind beyond it, with each look; and for each that it
/// has fallen behind since the last one. A call that is refused costs a quarter of one that is begun, and what is decided shows an
/// [`AIM`] later: twice as much of either swings.
const PER_EXCESS: f64 = 0.018;
const PER_CHANGE: f64 = 0.12;
/// More than that many [`AIM`]s is no other.
const EXCESS_MAX: f64 = 5.0;
/// Of the calls, what is begun at the least: of one app's alone, and of several apps', so that those who call little are not refused for
/// those who call much, however far the node is behind.
const LEAST: f64 = 0.01;
const LEAST_OF_SEVERAL: f64 = 0.1;

#[derive(Debug)]
pub(super) struct Level {
    state: State,
    /// Looks in a row that found the node behind, or in time again.
    looks: u32,
    /// Looks in a row that found no more than one app.
    alone: u32,
    /// Of the apps that called since the look before the last.
    apps: HashMap<AppId, Calls>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nothing is counted.
    Open,
    /// The node may be behind for too long: calls are counted, and begun.
    Counting,
    /// This part of all calls is begun; of an app of the default weight that has not called before, at most `each` until the next
    /// look. `excess`: how far the node was behind at the last look.
    Refusing { part: f64, each: f64, excess: f64 },
}

#[derive(Debug)]
struct Calls {
    /// Since the last look.
    came: u32,
    begun: u32,
    weight: u32,
    /// What part is begun, where it called before the last look.
    part: Option<f64>,
}

impl Default for Level {
    fn default() -> Self {
        Self { state: State::Open, looks: 0, alone: CROWD_LOOKS, apps: HashMap::new() }
    }
}

impl Level {
    /// Counts a call, and says whether it is begun. The first of an app since the last look always is.
    pub(super) fn admit(&mut self, app: AppId, weight: u32) -> bool {
        let calls = self.apps.entry(app).or_insert(Calls { came: 0, begun: 0, weight, part: None });
        calls.came = calls.came.saturating_add(1);
        let may = match self.state {
            State::Open | State::Counting => true,
            State::Refusing { each, .. } => {
                let most = calls.part.map_or(each * share(weight), |part| part * f64::from(calls.came));
                calls.begun == 0 || f64::from(calls.begun) + 1.0 <= most
            }
        };
        calls.begun += u32::from(may);
        may
    }

    /// What is to be done until the next look, by how far the node is behind; whether calls have to be counted for it.
    pub(super) fn look(&mut self, delay: Duration) -> bool {
        self.apps.retain(|_, calls| calls.came > 0);
        let (is_behind, may_be_behind) = (delay > self.bound(), delay > AIM);
        let state = match self.state {
            State::Open | State::Counting if !may_be_behind => State::Open,
            State::Open => {
                self.looks = 0;
                State::Counting
            }
            State::Counting => {
                self.looks = if is_behind { self.looks + 1 } else { 0 };
                if self.looks < PATIENCE_LOOKS || self.apps.is_empty() { State::Counting } else { self.refuse(1.0, 0.0, delay) }
            }
            State::Refusing { part, excess, .. } => {
                self.looks = if may_be_behind || part < 1.0 { 0 } else { self.looks + 1 };
                if self.looks >= PATIENCE_LOOKS { State::Open } else { self.refuse(part, excess, delay) }
            }
        };
        self.state = state;
        for calls in self.apps.values_mut() {
            calls.part = match state {
                State::Refusing { each, .. } => Some((each * share(calls.weight) / f64::from(calls.came)).min(1.0)),
                State::Open | State::Counting => None,
            };
            (calls.came, calls.begun) = (0, 0);
        }
        state != State::Open
    }

    /// How far behind is too far: where other apps would wait behind those of one, less.
    fn bound(&mut self) -> Duration {
        self.alone = if self.apps.len() > 1 { 0 } else { self.alone.saturating_add(1) };
        if self.alone < CROWD_LOOKS { AIM } else { BOUND }
    }

    fn refuse(&self, part: f64, before: f64, delay: Duration) -> State {
        let excess = (delay.as_secs_f64() / AIM.as_secs_f64() - 1.0).min(EXCESS_MAX);
        let least = if self.apps.len() > 1 { LEAST_OF_SEVERAL } else { LEAST };
        let part = (part - PER_EXCESS * excess - PER_CHANGE * (excess - before)).clamp(least, 1.0);
        let came: f64 = self.apps.values().map(|calls| f64::from(calls.came)).sum();
        State::Refusing { part, each: self.level((part * came).max(1.0)), excess }
    }

    /// The level at which apps that call as they did begin `calls` together.
    fn level(&self, calls: f64) -> f64 {
        let mut apps: Vec<(f64, f64)> =
            self.apps.values().map(|calls| (f64::from(calls.came) / share(calls.weight), share(calls.weight))).collect();
        apps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let most = apps.last().map_or(0.0, |(wanted, _)| *wanted);
        let (mut left, mut weight) = (calls, apps.iter().map(|(_, weight)| weight).sum::<f64>());
        for (wanted, of) in apps {
            if wanted * weight >= left {
                return left / weight;
            }
            left -= wanted * of;
            weight -= of;
        }
        // All that came may come again, and a newcomer may begin as much.
        most.max(calls)
    }
}

fn share(weight: u32) -> f64 {
    f64::from(weight.max(1)) / f64::from(WEIGHT_DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use uuid::Uuid;

    fn app(number: u128) -> AppId {
        AppId(Uuid::from_u128(number))
    }

    fn behind() -> Duration {
        BOUND + Duration::from_millis(1)
    }

    fn in_time() -> Duration {
        AIM
    }

    /// Calls as many times for each app as is said, by turns; how many of each are begun.
    fn call(level: &mut Level, apps: &[(u128, u32, u32)]) -> Vec<u32> {
        let mut begun = vec![0; apps.len()];
        let most = apps.iter().map(|(_, _, calls)| *calls).max().unwrap_or(0);
        for turn in 0..most {
            for (index, (number, weight, calls)) in apps.iter().enumerate() {
                if turn < *calls {
                    begun[index] += u32::from(level.admit(app(*number), *weight));
                }
            }
        }
        begun
    }

    /// One that refuses, after so many calls in the last look.
    fn refusing(apps: &[(u128, u32, u32)]) -> Level {
        let mut level = Level::default();
        for _ in 0..=PATIENCE_LOOKS {
            call(&mut level, apps);
            level.look(behind());
        }
        assert!(matches!(level.state, State::Refusing { .. }));
        level
    }

    #[test]
    fn nobody_is_refused_until_the_node_was_behind_for_long_enough() {
        let mut level = Level::default();
        for looks in [PATIENCE_LOOKS, PATIENCE_LOOKS, PATIENCE_LOOKS + 1] {
            for _ in 0..looks {
                assert_eq!(call(&mut level, &[(1, 100, 500)]), [500], "{looks}");
                assert!(level.look(behind()));
            }
            if looks == PATIENCE_LOOKS {
                assert!(!level.look(in_time()), "in time once begins anew");
            }
        }
        assert!(call(&mut level, &[(1, 100, 500)])[0] < 500);
    }

    #[test]
    fn a_node_far_behind_begins_less_each_time_and_never_nothing() {
        let mut level = refusing(&[(1, 100, 1_000)]);
        let mut before = 1_000;
        for _ in 0..100 {
            let begun = call(&mut level, &[(1, 100, 1_000)])[0];
            assert!(begun <= 10 || begun < before, "{begun} after {before}");
            before = begun;
            level.look(behind() * 10);
        }
        assert_eq!(before, 10);
        assert_eq!(call(&mut level, &[(2, 100, 1)]), [1], "the first of an app is always begun");
    }

    /// What a node begins of calls that come `load` times as fast as it can do them, of what it could if it knew; and how long the
    /// last of them waited at most, in time of the node's.
    fn overloaded(load: f64) -> (f64, Duration) {
        // A call takes a fifteenth of a millisecond, and a quarter of that to be refused.
        const PER_MS: f64 = 15.0;
        const REFUSED: f64 = 0.25;
        let (mut level, mut waiting, mut work) = (Level::default(), VecDeque::new(), 0.0);
        let (mut begun, mut longest, mut due) = (0_u32, 0, 0.0);
        for now in 0..4_000_u64 {
            let is_late = now >= 2_000;
            due += load * PER_MS;
            while due >= 1.0 {
                waiting.push_back(now);
                due -= 1.0;
            }
            work += PER_MS;
            while let Some(came) = waiting.front().copied().filter(|_| work > 0.0) {
                waiting.pop_front();
                let may = level.admit(app(1), 100);
                work -= if may { 1.0 } else { REFUSED };
                if is_late && may {
                    (begun, longest) = (begun + 1, longest.max(now - came));
                }
            }
            work = work.min(0.0);
            if now % BACKLOG_LOOK_MS == 0 {
                level.look(Duration::from_millis(waiting.front().map_or(0, |came| now - came)));
            }
        }
        let most = ((1.0 - load * REFUSED) / (1.0 - REFUSED)).min(load);
        (f64::from(begun) / (2_000.0 * PER_MS * most), Duration::from_millis(longest))
    }

    #[test]
    fn past_capacity_the_wait_comes_to_the_aim_and_what_can_be_done_is_done() {
        for load in [0.9, 1.1, 1.5, 2.0, 3.0] {
            let (of_what_can_be, longest) = overloaded(load);
            assert!(of_what_can_be > 0.95 && longest <= BOUND + AIM, "{load}: {of_what_can_be}, {longest:?}");
        }
        assert!(overloaded(2.0).1 <= AIM * 2, "{:?}", overloaded(2.0));
    }

    #[test]
    fn in_time_again_it_begins_more_until_nobody_is_refused_for_long_enough() {
        let mut level = refusing(&[(1, 100, 1_000)]);
        let mut looks = 0;
        call(&mut level, &[(1, 100, 1_000)]);
        while level.look(in_time() / 2) {
            call(&mut level, &[(1, 100, 1_000)]);
            looks += 1;
            assert!(looks < 1_000);
        }
        assert!(looks >= PATIENCE_LOOKS);
        assert_eq!(call(&mut level, &[(1, 100, 1_000)]), [1_000]);
    }

    #[test]
    fn who_calls_little_is_not_refused_for_those_who_call_much() {
        let apps = [(1, 100, 1_000), (2, 100, 20), (3, 100, 5)];
        let mut level = refusing(&apps);
        for delay in [behind() * 2, behind() * 9, in_time(), behind() * 3, in_time(), in_time()] {
            call(&mut level, &apps);
            level.look(delay);
            let begun = call(&mut level, &apps);
            assert!(begun[0] < 1_000 && begun[1..] == [20, 5], "{begun:?}");
        }
        for _ in 0..100 {
            call(&mut level, &apps);
            level.look(behind() * 10);
        }
        let begun = call(&mut level, &apps);
        assert!(begun[0] < 100 && begun[1..] == [20, 5], "{begun:?}");
    }

    #[test]
    fn of_two_that_call_much_one_of_twice_the_weight_begins_twice_as_much() {
        let apps = [(1, 100, 900), (2, 200, 900)];
        let mut level = refusing(&apps);
        for _ in 0..5 {
            call(&mut level, &apps);
            level.look(behind() * 3);
        }
        let begun = call(&mut level, &apps);
        assert!(begun[0] < 900 && begun[1].abs_diff(2 * begun[0]) <= 2, "{begun:?}");
    }

    #[test]
    fn alone_an_app_may_be_further_behind_than_beside_others() {
        for (delay, alone, beside) in [
            (AIM, false, false),
            (AIM + Duration::from_millis(1), false, true),
            (BOUND, false, true),
            (BOUND + Duration::from_millis(1), true, true),
        ] {
            for (apps, is_refused) in [(&[(1, 100, 500)][..], alone), (&[(1, 100, 500), (2, 100, 1)], beside)] {
                let mut level = Level::default();
                for _ in 0..PATIENCE_LOOKS * 3 {
                    call(&mut level, apps);
                    level.look(delay);
                }
                assert_eq!(call(&mut level, apps)[0] < 500, is_refused, "{delay:?} {apps:?}");
            }
        }
    }

    #[test]
    fn the_level_fills_up_to_what_may_be_begun() {
        let mut level = Level::default();
        call(&mut level, &[(1, 100, 10), (2, 100, 100), (3, 100, 1_000)]);
        for (calls, each) in [(30.0, 10.0), (15.0, 5.0), (110.0, 50.0), (310.0, 200.0), (1_110.0, 1_000.0)] {
            assert!((level.level(calls) - each).abs() < 1e-6, "{calls}: {}", level.level(calls));
        }
    }
}
