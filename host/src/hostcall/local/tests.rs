//! Worlds for the tests of this module.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};

use super::{Listener, Purpose, Scripts, Settings, World};
use crate::clock::Clock;
use crate::model::grant::Grants;

/// A world of a test in which nothing listens.
pub(super) fn world(seed: u64) -> Arc<World> {
    World::new(settings(seed, Vec::new(), Scripts::none()))
}

pub(super) fn settings(seed: u64, listeners: Vec<Listener>, scripts: Scripts) -> Settings {
    Settings {
        clock: Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
        purpose: Purpose::Test,
        seed,
        slug: "shop".to_owned(),
        grants: Grants::default(),
        listeners,
        scripts,
        way_out: None,
    }
}
