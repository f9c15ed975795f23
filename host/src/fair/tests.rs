use super::*;
use futures_util::FutureExt as _;
use uuid::Uuid;

const WAIT: Duration = Duration::from_millis(50);

fn ask(number: u128) -> Ask {
    Ask { app: AppId(Uuid::from_u128(number)), class: 0, bytes: 0, held_max: usize::MAX, weight: 100 }
}

fn places(places: usize) -> Fair {
    Fair::new(&[Size { places, kept_bytes: 0 }], 0)
}

async fn take_all(fair: &Fair, ask: Ask) -> Vec<Place> {
    let mut places = Vec::new();
    while lock(&fair.state).may_hold(&ask) {
        places.push(fair.enter(ask, WAIT).await.unwrap());
    }
    places
}

#[tokio::test]
async fn an_app_may_hold_half_of_what_the_others_leave_free() {
    let fair = places(32);
    let mut held = Vec::new();
    for (number, expected) in [(1, 16), (2, 8), (3, 4), (4, 2), (5, 1)] {
        let places = take_all(&fair, ask(number)).await;
        assert_eq!(places.len(), expected, "app {number}");
        held.push(places);
    }
    assert_eq!(fair.status(0).running, 31);
    assert!(fair.enter(ask(6), WAIT).await.is_ok());
}

#[tokio::test]
async fn an_app_holds_no_more_than_its_quota() {
    let fair = places(32);
    let asked = Ask { held_max: 3, ..ask(1) };
    let held = take_all(&fair, asked).await;
    assert_eq!((held.len(), fair.of_app(0, asked.app)), (3, (3, 0)));
    assert!(fair.enter(asked, WAIT).await.is_err());
    drop(held);
    assert!(fair.enter(asked, WAIT).await.is_ok());
}

#[tokio::test]
async fn holders_never_need_more_memory_than_there_is() {
    let fair = Fair::new(&[Size { places: 100, kept_bytes: 0 }], 1_000);
    let of = |number, bytes| Ask { bytes, ..ask(number) };
    let first = take_all(&fair, of(1, 100)).await;
    let second = take_all(&fair, of(2, 100)).await;
    assert_eq!((first.len(), second.len()), (5, 2));
    // What is asked for by one that holds nothing only has to fit.
    let third = fair.enter(of(3, 300), WAIT).await;
    assert!(third.is_ok() && lock(&fair.state).bytes_held == 1_000);
    assert!(fair.enter(of(4, 1), WAIT).await.is_err());
    drop((first, second, third));
    assert_eq!(lock(&fair.state).bytes_held, 0);
    assert!(fair.enter(of(4, 1_000), WAIT).await.is_ok());
    assert!(fair.enter(of(4, 1_001), WAIT).await.is_err());
}

#[tokio::test]
async fn what_is_kept_for_a_class_is_there_for_it() {
    let sizes = [Size { places: 10, kept_bytes: 0 }, Size { places: 10, kept_bytes: 400 }];
    let fair = Fair::new(&sizes, 1_000);
    let of = |class, number, bytes| Ask { class, bytes, ..ask(number) };
    let _first = fair.enter(of(0, 1, 600), WAIT).await.unwrap();
    assert!(fair.enter(of(0, 2, 1), WAIT).await.is_err());
    let second = fair.enter(of(1, 2, 400), WAIT).await;
    assert!(second.is_ok());
    assert!(fair.enter(of(1, 3, 1), WAIT).await.is_err());
}

#[tokio::test]
async fn a_call_that_finds_no_place_is_refused_after_its_wait() {
    let fair = places(2);
    let _held = fair.enter(ask(1), WAIT).await.unwrap();
    let refused = fair.enter(ask(1), WAIT).await.unwrap_err();
    assert!(refused.retry_after >= Duration::from_secs(1));
    let status = fair.status(0);
    assert_eq!((status.refused, status.waiting, status.running), (1, 0, 1));
}

#[tokio::test]
async fn who_is_refused_is_told_how_long_places_are_held() {
    let fair = places(2);
    let place = fair.enter(ask(1), WAIT).await.unwrap();
    lock(&fair.state).classes[0].held_for = Duration::from_secs(20);
    assert_eq!(fair.enter(ask(1), WAIT).await.unwrap_err().retry_after, Duration::from_secs(20));
    drop(place);
    assert!(lock(&fair.state).classes[0].held_for < Duration::from_secs(20));
}

#[tokio::test]
async fn an_app_may_hold_more_the_more_it_weighs() {
    for (weight, expected) in [(1, 1), (25, 6), (100, 16), (300, 24), (10_000, 31)] {
        assert_eq!(take_all(&places(32), Ask { weight, ..ask(1) }).await.len(), expected, "{weight}");
    }
}

#[tokio::test]
async fn a_place_that_is_given_back_goes_to_the_app_that_holds_the_least() {
    let fair = places(4);
    let mut first = take_all(&fair, ask(1)).await;
    let _others = (take_all(&fair, ask(2)).await, take_all(&fair, ask(3)).await);
    let (Asked::Waits(greedy), Asked::Waits(newcomer)) = (fair.ask(ask(1)), fair.ask(ask(4))) else {
        panic!("every place is taken")
    };
    first.pop();
    assert!(greedy.place().now_or_never().is_none() && newcomer.place().now_or_never().is_some());
}

#[tokio::test]
async fn a_waiter_that_is_dropped_leaves_nothing_behind() {
    let fair = Arc::new(places(2));
    let held = fair.enter(ask(1), WAIT).await.unwrap();
    let waiter = {
        let fair = fair.clone();
        crate::shutdown::spawn("test", async move { fair.enter(ask(1), Duration::from_secs(5)).await.map(drop) })
    };
    while fair.status(0).waiting == 0 {
        tokio::task::yield_now().await;
    }
    waiter.abort();
    assert!(waiter.await.is_err());
    drop(held);
    let status = fair.status(0);
    assert_eq!((status.running, status.waiting), (0, 0));
    assert!(lock(&fair.state).classes[0].apps.is_empty());
}

#[tokio::test]
async fn one_app_cannot_fill_the_queue() {
    let fair = places(2);
    let _held = fair.enter(ask(1), WAIT).await.unwrap();
    let long = Duration::from_secs(1);
    let waiting = (0..ADMISSION_QUEUE_PER_APP_MAX).map(|_| fair.enter(ask(1), long));
    let waiting = futures_util::future::join_all(waiting);
    let one_more = async {
        while fair.status(0).waiting < ADMISSION_QUEUE_PER_APP_MAX {
            tokio::task::yield_now().await;
        }
        fair.enter(ask(1), Duration::MAX).await.is_err()
    };
    let (_, refused_at_once) = tokio::join!(waiting, one_more);
    assert!(refused_at_once);
}

#[tokio::test]
async fn who_would_come_to_a_full_queue_can_be_turned_away_before() {
    let (fair, long) = (places(2), Duration::from_secs(60));
    let held = fair.enter(ask(1), long).await.unwrap();
    let mut waiting: Vec<_> = (0..ADMISSION_QUEUE_PER_APP_MAX).map(|_| Box::pin(fair.enter(ask(1), long))).collect();
    assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
    assert!(!fair.is_full() && fair.turn_away(&ask(1)).is_none(), "one more has not come yet");
    let refused = fair.enter(ask(1), long).now_or_never().unwrap().unwrap_err();
    assert!(fair.is_full());
    assert_eq!((fair.turn_away(&ask(1)), fair.turn_away(&ask(2))), (Some(refused), None));
    assert_eq!(fair.status(0).refused, 2);
    drop(held);
    assert!(!fair.is_full() && fair.turn_away(&ask(1)).is_none(), "the first one left the queue");
}

#[tokio::test]
async fn who_need_not_wait_is_not_turned_away_for_those_who_fill_the_queue() {
    let (fair, long) = (places(8), Duration::from_secs(60));
    let once = |app| Ask { held_max: 1, ..ask(app) };
    let apps = (ADMISSION_QUEUE_MAX / ADMISSION_QUEUE_PER_APP_MAX) as u128;
    let (mut held, mut waiting) = (Vec::new(), Vec::new());
    for app in 1..=apps {
        held.push(fair.enter(once(app), long).await.unwrap());
        for _ in 0..ADMISSION_QUEUE_PER_APP_MAX {
            let mut waits = Box::pin(fair.enter(once(app), long));
            assert!((&mut waits).now_or_never().is_none());
            waiting.push(waits);
        }
    }
    assert!(fair.enter(once(1), long).now_or_never().unwrap().is_err());
    assert!(fair.is_full() && fair.turn_away(&once(1)).is_some(), "there are {apps} who wait in full lines");
    assert_eq!(fair.turn_away(&ask(99)), None);
    held.push(fair.enter(ask(99), long).now_or_never().unwrap().unwrap());
    assert!(fair.turn_away(&once(99)).is_some(), "a second one would have to wait, and nobody may any more");
}

#[tokio::test]
async fn a_place_that_was_given_to_one_who_does_not_run_yet_is_the_next_ones_of_his_app() {
    let (fair, long) = (places(2), Duration::from_secs(60));
    let held = [fair.enter(ask(1), long).await.unwrap(), fair.enter(ask(2), long).await.unwrap()];
    let mut sleeps = Box::pin(fair.enter(ask(1), long));
    assert!((&mut sleeps).now_or_never().is_none());
    drop(held);
    assert_eq!((fair.status(0).running, fair.of_app(0, ask(1).app)), (1, (1, 0)), "given, and not taken up");
    let runs = fair.enter(ask(1), long).now_or_never().unwrap().unwrap();
    assert_eq!((fair.status(0).running, fair.of_app(0, ask(1).app)), (1, (1, 1)), "he waits again");
    assert!((&mut sleeps).now_or_never().is_none());
    drop(runs);
    drop(sleeps.await.unwrap());
    assert_eq!((fair.status(0).running, fair.status(0).waiting), (0, 0));
}

#[tokio::test]
async fn what_was_given_to_an_app_is_no_other_apps_and_no_smaller_place_is_taken_over() {
    let (fair, long) = (Fair::new(&[Size { places: 1, kept_bytes: 0 }], 100), Duration::from_secs(60));
    let of = |number, bytes| Ask { bytes, ..ask(number) };
    let held = fair.enter(of(1, 10), long).await.unwrap();
    let mut sleeps = Box::pin(fair.enter(of(1, 10), long));
    assert!((&mut sleeps).now_or_never().is_none());
    drop(held);
    for other in [of(2, 10), of(1, 11)] {
        assert!(fair.enter(other, Duration::ZERO).await.is_err(), "{other:?}");
    }
    let taken = sleeps.await.unwrap();
    assert!(fair.enter(of(1, 10), Duration::ZERO).await.is_err(), "he runs");
    drop(taken);
    // Who was given a place and goes leaves it to the next.
    let held = fair.enter(of(1, 10), long).await.unwrap();
    let (mut first, mut second) = (Box::pin(fair.enter(of(1, 10), long)), Box::pin(fair.enter(of(1, 10), long)));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    drop(held);
    drop(first);
    drop(second.await.unwrap());
    assert_eq!((fair.status(0).running, fair.status(0).waiting, fair.bytes_held()), (0, 0, 0));
}
