use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::limits::{LANE_NICENESS, LANE_TURN_NS, NICENESS_MAX};

fn owner(number: u128, class: Class, weight: u32) -> Owner {
    Owner { app: AppId(Uuid::from_u128(number)), class, weight }
}

/// Takes of the processor what work may take of the common threads.
fn compute() {
    let began = processor_ns();
    while processor_ns() - began < EXPRESS_US * 1_000 {
        std::hint::spin_loop();
    }
}

fn idle() -> Runnable {
    let (runnable, task) = async_task::spawn(std::future::ready(()), drop::<Runnable>);
    task.detach();
    runnable
}

/// How many slices each of these gets of so many, when all of them have work all the time.
fn shares(owners: &[Owner], slices: usize) -> Vec<usize> {
    let mut queue = Queue::default();
    for owner in owners {
        for _ in 0..slices {
            assert!(queue.push(*owner, idle()).is_none());
        }
    }
    let mut got = vec![0; owners.len()];
    for _ in 0..slices {
        let (served, _) = queue.pop().unwrap();
        got[owners.iter().position(|owner| (owner.app, owner.class) == (served.app, served.class)).unwrap()] += 1;
        queue.charge(served, LANE_SLICE_NS);
    }
    got
}

#[test]
fn apps_share_the_lanes_by_weight() {
    let request = |number, weight| owner(number, Class::Request, weight);
    assert_eq!(shares(&[request(1, 100), request(2, 100), request(3, 100)], 300), [100, 100, 100]);
    let got = shares(&[request(1, 300), request(2, 100)], 400);
    assert!((299..=301).contains(&got[0]), "{got:?}");
}

#[test]
fn requests_and_background_work_have_their_shares_however_many_there_are_of_the_other() {
    let mut owners = vec![owner(1, Class::Request, 100)];
    owners.extend((2..10).map(|number| owner(number, Class::Background, 10_000)));
    let got = shares(&owners, 300);
    assert!((199..=201).contains(&got[0]), "{got:?}");
    assert_eq!(shares(&[owner(1, Class::Background, 1)], 10), [10], "nothing is kept free for nobody");
}

#[test]
fn a_rest_is_not_saved_up() {
    let (busy, rested) = (owner(1, Class::Request, 100), owner(2, Class::Request, 100));
    let mut queue = Queue::default();
    for _ in 0..200 {
        queue.push(busy, idle());
    }
    for _ in 0..100 {
        let (served, _) = queue.pop().unwrap();
        queue.charge(served, LANE_SLICE_NS);
    }
    for _ in 0..50 {
        queue.push(rested, idle());
    }
    let mut got = 0;
    for _ in 0..40 {
        let (served, _) = queue.pop().unwrap();
        got += usize::from(served.app == rested.app);
        queue.charge(served, LANE_SLICE_NS);
    }
    assert!((19..=21).contains(&got), "{got}");
}

#[test]
fn who_comes_and_goes_does_not_get_more() {
    let (busy, fickle) = (owner(1, Class::Request, 100), owner(2, Class::Request, 100));
    let mut queue = Queue::default();
    for _ in 0..1_000 {
        queue.push(busy, idle());
    }
    let mut got = 0;
    for _ in 0..400 {
        if queue.classes[0].apps.get(&fickle.app).is_none_or(|turn| turn.waiting.is_empty()) {
            queue.push(fickle, idle());
        }
        let (served, _) = queue.pop().unwrap();
        got += usize::from(served.app == fickle.app);
        queue.charge(served, LANE_SLICE_NS);
    }
    assert!((190..=210).contains(&got), "{got}");
}

#[test]
fn apps_that_are_gone_leave_nothing_behind() {
    let mut queue = Queue::default();
    for number in 0..100 {
        queue.push(owner(number, Class::Request, 100), idle());
    }
    while let Some((served, _)) = queue.pop() {
        queue.charge(served, 0);
    }
    queue.push(owner(1_000, Class::Request, 100), idle());
    queue.pop().unwrap();
    assert_eq!(queue.classes[0].apps.len(), 1);
}

#[test]
fn an_app_takes_its_part_of_the_common_threads_while_others_are_there() {
    let (mut express, start) = (Express::new(2), Instant::now());
    let (greedy, other) = (AppId(Uuid::from_u128(1)), AppId(Uuid::from_u128(2)));
    let at = |ms| start + Duration::from_millis(ms);
    for ms in 0..1_000 {
        assert!(express.admit(greedy, at(ms)), "alone it may all");
        express.charge(greedy, Duration::from_micros(400));
        express.charge(greedy, Duration::from_micros(400));
        express.charge(greedy, Duration::from_micros(400));
    }
    assert!(express.admit(other, at(1_000)));
    assert!(!express.admit(greedy, at(1_000)), "it has had its part");
    assert!(express.admit(other, at(1_001)));
    assert!(express.admit(greedy, at(3_000)), "nobody else has come for a while");
}

#[test]
fn an_app_that_takes_long_as_a_rule_begins_in_a_lane_but_for_a_try_now_and_then() {
    let (mut express, app, now) = (Express::new(2), AppId(Uuid::from_u128(1)), Instant::now());
    let mut here = 0;
    for _ in 0..1_000 {
        if express.admit(app, now) {
            here += 1;
            express.charge(app, Duration::from_micros(EXPRESS_US));
        }
    }
    assert!((10..100).contains(&here), "{here}");
    let mut quick = 0;
    for _ in 0..1_000 {
        if express.admit(app, now) {
            quick += 1;
            express.charge(app, Duration::from_micros(20));
        }
    }
    assert!(quick > 900, "{quick}");
}

#[tokio::test]
async fn short_work_is_done_where_it_is_waited_for() {
    let lanes = Lanes::start(1).unwrap();
    let here = std::thread::current().id();
    let done = lanes.pace(owner(1, Class::Request, 100), async { std::thread::current().id() }).await;
    assert_eq!(done, Some(here));
}

#[tokio::test]
async fn long_work_goes_on_in_a_lane_and_its_answer_comes_back() {
    let lanes = Lanes::start(2).unwrap();
    let here = std::thread::current().id();
    let work = async {
        for _ in 0..4 {
            compute();
            tokio::task::yield_now().await;
        }
        // Timers and tasks of the runtime work in a lane.
        tokio::time::sleep(Duration::from_millis(1)).await;
        crate::shutdown::spawn("test", async {}).await.unwrap();
        (std::thread::current().id(), std::thread::current().name().map(str::to_owned))
    };
    let (thread, name) = lanes.pace(owner(1, Class::Request, 100), work).await.unwrap();
    assert!(thread != here && name.is_some_and(|name| name.starts_with("lane ")));
}

#[tokio::test]
async fn a_thread_that_is_pushed_aside_takes_no_more_for_it() {
    let lanes = Lanes::start(1).unwrap();
    let here = std::thread::current().id();
    let work = async {
        for _ in 0..4 {
            std::thread::sleep(Duration::from_micros(EXPRESS_US));
            tokio::task::yield_now().await;
        }
        std::thread::current().id()
    };
    assert_eq!(lanes.pace(owner(1, Class::Request, 100), work).await, Some(here));
    assert!(lock(&lanes.shared.express).apps.values().all(|taken| taken.usual_us < EXPRESS_LONG_US));
}

#[test]
fn an_app_that_rested_may_take_its_burst_once() {
    let (mut express, began) = (Express::new(1), Instant::now());
    let (greedy, other) = (owner(1, Class::Request, 100).app, owner(2, Class::Request, 100).app);
    let at = |ms| began + Duration::from_millis(ms);
    assert!(express.admit(greedy, began) && express.admit(greedy, at(10_000)));
    // Short ones, and together four times what may be taken at once.
    for _ in 0..500 {
        express.charge(greedy, Duration::from_micros(4 * EXPRESS_BURST_US / 500));
    }
    assert!(express.admit(other, at(10_000)));
    assert!(!express.would_admit(greedy, at(10_001)) && !express.admit(greedy, at(10_001)));
}

#[tokio::test]
async fn a_request_that_would_stand_in_a_full_line_is_turned_away() {
    let lanes = Lanes::start(1).unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = oneshot::channel();
    let blocker = lanes.shared.send(owner(9, Class::Background, 100), async move {
        begun.send(()).unwrap();
        let _ = held.recv();
    });
    begins.await.unwrap();
    let (long, other) = (owner(1, Class::Request, 100), owner(2, Class::Request, 100));
    let mut waiting = Vec::new();
    for _ in 0..ADMISSION_QUEUE_PER_APP_MAX {
        assert!(!lanes.is_full() && !lanes.turn_away(long.app));
        waiting.push(lanes.shared.send(long, async {}));
    }
    assert!(lanes.is_full());
    // What was begun before is not turned away any more, nor is what nobody waits for.
    waiting.extend([long, long, owner(1, Class::Background, 100)].map(|owner| lanes.shared.send(owner, async {})));
    assert!(!lanes.turn_away(long.app), "it would begin in the common threads");
    assert!(lock(&lanes.shared.express).admit(long.app, Instant::now()));
    lock(&lanes.shared.express).charge(long.app, Duration::from_micros(EXPRESS_LONG_US * 16));
    assert!(lanes.turn_away(long.app) && !lanes.turn_away(other.app));
    assert_eq!(lanes.turned_away(), 1);
    drop(release);
    for one in waiting {
        assert!(one.await.is_some());
    }
    assert!(blocker.await.is_some() && !lanes.is_full() && !lanes.turn_away(long.app));
}

#[tokio::test]
async fn what_nobody_waits_for_begins_in_a_lane() {
    let lanes = Lanes::start(1).unwrap();
    let work = async { std::thread::current().name().map(str::to_owned) };
    let name = lanes.pace(owner(1, Class::Background, 100), work).await.unwrap();
    assert_eq!(name.as_deref(), Some("lane 0"));
}

#[tokio::test]
async fn a_lane_has_a_low_priority_and_short_turns() {
    let lanes = Lanes::start(1).unwrap();
    let work = async { (rustix::process::getpriority_process(None).unwrap(), priority::turn_ns()) };
    let (niceness, turn_ns) = lanes.pace(owner(1, Class::Background, 100), work).await.unwrap();
    assert_eq!(niceness, (rustix::process::getpriority_process(None).unwrap() + LANE_NICENESS).min(NICENESS_MAX));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    let can_be_told = (numbers.next().unwrap(), numbers.next().unwrap()) >= (6, 12);
    // An emulated kernel may not know the call.
    let is_told = turn_ns.as_ref().is_ok_and(|turn_ns| *turn_ns == LANE_TURN_NS);
    assert!(is_told || !can_be_told || turn_ns.is_err(), "{turn_ns:?} on {release}");
}

#[tokio::test]
async fn work_goes_on_when_its_caller_has_gone() {
    let lanes = Lanes::start(1).unwrap();
    for class in [Class::Request, Class::Background] {
        let (go, gone) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let work = async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        };
        let waited = tokio::time::timeout(Duration::from_millis(10), lanes.pace(owner(1, class, 100), work)).await;
        assert!(waited.is_err());
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
    }
}

#[tokio::test]
async fn a_panic_ends_the_work_and_neither_caller_nor_lane() {
    let lanes = Lanes::start(1).unwrap();
    for class in [Class::Request, Class::Background, Class::Background] {
        let work = async {
            if true {
                panic!("boom")
            }
        };
        assert_eq!(lanes.pace(owner(1, class, 100), work).await, None::<()>);
    }
    assert_eq!(lanes.pace(owner(1, Class::Background, 100), async { 1 }).await, Some(1));
}

#[tokio::test]
async fn lanes_end_with_their_process_and_drop_what_is_left() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let lanes = Lanes::start(1).unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for _ in 0..10 {
        let counted = Counted(dropped.clone());
        waiting.push(lanes.pace(owner(1, Class::Background, 100), async move {
            let _counted = counted;
            loop {
                tokio::task::yield_now().await;
            }
        }));
    }
    drop(lanes);
    for one in waiting {
        assert_eq!(one.await, None::<()>);
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 10);
}
