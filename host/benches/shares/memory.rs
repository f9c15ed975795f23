//! Memory: bombs in a control group that is as small as a small board; ten thousand attacks of all kinds.

use std::time::Duration;

use serde_json::json;

use super::group::Group;
use super::load::{Calls, Load, Target, measure};
use super::scene::{self, Comparison, Scale, Scene, all_hostile, beside, facts, told};
use crate::support::figures::{Section, count, significant};
use crate::support::ground::{Ground, directory};
use crate::support::{Client, Failure, Node, PICLOUD};

const GROUP_MIB: u64 = 512;
/// Apps that bomb, and connections of each.
const BOMBERS: usize = 4;
const CONNECTIONS: usize = 16;
/// Bombs that are not in `hostile/`: text that a value grows into, and a value that grows from text.
const JSON_OUT: &str = r#"let a = [1.5, "text", #{ k: () }]; loop { a.push(json::stringify(a)); }"#;
const JSON_IN: &str = r#"
    let s = "[1,2,3,4"; while s.len() < 4000000 { s += `,${s.sub_string(1)}`; }
    let a = []; loop { a.push(json::parse(s + "]")); }
"#;

/// b: bombs of several apps at once, node and database in a group of 512 MB.
pub(crate) async fn bombs(scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let group = match Group::make(GROUP_MIB << 20) {
        Ok(group) => group,
        Err(reason) => {
            section.text += &format!("\n\nb is left out: there is no control group to be had for memory ({reason}).");
            return Ok(());
        }
    };
    let dir = directory()?;
    // A first start compiles the component, which a small board would be given ready.
    let mut first = std::process::Command::new(PICLOUD);
    first.args(["serve", "--embedded"]).env_remove("DATABASE_URL");
    Node::launch(dir.path(), first, None).await?.0.stop().await?;
    let (node, _) = Node::launch(dir.path(), group.serve(), None).await?;
    let client = Client::login(&node).await?;
    let scene = Scene { node, client, db: None, figure: "b", scale };
    let bombed = bombed(&scene, &group, section).await;
    scene.close().await?;
    bombed
}

async fn bombed(scene: &Scene, group: &Group, section: &mut Section) -> Result<(), Failure> {
    let (_, hello) = scene.neighbour().await?;
    // A board gives one instance no more than it has.
    let all = scene.client.get("/api/v1/limits").await?;
    let row = all["items"].as_array().into_iter().flatten().find(|row| row["name"] == "memory_mb" && row["level"] == "script");
    let most = row.and_then(|row| row["ceiling"].as_u64()).ok_or("no ceiling of memory_mb")?;
    let mut attack = Vec::new();
    for number in 0..BOMBERS {
        let app = scene.app(&format!("bomber-{number}")).await?;
        scene.unleash(&app).await?;
        for (name, source) in [
            ("string", scene::hostile("string_doubling")?),
            ("array", scene::hostile("array_bomb")?),
            ("map", scene::hostile("map_bomb")?),
            ("json-out", JSON_OUT.to_owned()),
            ("json-in", JSON_IN.to_owned()),
        ] {
            for memory_mb in [most / 4, most] {
                let limits = json!({ "memory_mb": memory_mb, "fuel": 5_000_000_000_u64, "timeout_ms": 30_000 });
                attack.push(scene.deploy(&app, &format!("{name}-{memory_mb}"), &source, limits).await?);
            }
        }
    }
    measure(&hello, 32, Duration::from_secs(1));
    let (pid, before) = (scene.node.pid(), scene.settle().await?);
    let idle = group.watch();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let at_rest = idle.most_mib();
    drop(idle);
    let seen = group.watch();
    let title = format!(
        "b, memory: {BOMBERS} apps bomb on {CONNECTIONS} connections each, node and database in a control group of \
         {GROUP_MIB} MB."
    );
    let mut comparison = Comparison::new(&title, "bombs of all kinds");
    for connections in [1, 8] {
        let rounds = beside(scene, (&hello, connections), &attack, BOMBERS * CONNECTIONS).await?;
        comparison.tell(&format!("{} and {most} MB", most / 4), connections, rounds);
    }
    let peak = seen.most_mib();
    let status = scene.client.status().await?;
    let after = scene.settle().await?;
    let calls = Calls::counted(std::slice::from_ref(&hello), 4, 1_000).end();
    let is_same = std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "picloud");
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    section.tables.push(comparison.into_table());
    section.tables.push(facts(
        "b, when it is over.",
        [
            ("the same process answers", if is_same { "yes" } else { "**no**" }.to_owned()),
            ("calls after it all; failed", format!("{}; {}", count(calls.calls()), count(calls.failed()))),
            ("killed for want of memory", count(group.kills())),
            ("node, resident: before; after", format!("{before:.1}; {after:.1} MiB")),
            ("all processes of the group: at rest; at most", format!("{at_rest:.1}; {peak:.1} MiB")),
            ("with the cache of files, at most", format!("{:.1} of {GROUP_MIB} MiB", group.peak_mib().unwrap_or(f64::NAN))),
            (
                "what instances may come to need together",
                format!("{:.0} MiB", mib(status["memory_bytes"].as_u64().unwrap_or_default())),
            ),
        ],
    ));
    Ok(())
}

/// c: everything that is known as an attack, ten thousand times.
pub(crate) async fn hostile(ground: &Ground, scale: Scale, section: &mut Section) -> Result<(), Failure> {
    let scene = Scene::open(ground, scale, "c").await?;
    let invocations: u64 = if scale.is_quick { 1_000 } else { 10_000 };
    let (_, hello) = scene.neighbour().await?;
    let (mut attack, mut kinds) = (Vec::new(), 0);
    for number in 0..3 {
        let app = scene.app(&format!("attacker-{number}")).await?;
        scene.unleash(&app).await?;
        let all = all_hostile()?;
        kinds = all.len();
        for (name, source) in all {
            let limits = json!({ "fuel": 60_000_000, "memory_mb": 16, "host_calls": 100 });
            attack.push(scene.deploy(&app, &name, &source, limits).await?);
        }
    }
    measure(&hello, 32, Duration::from_secs(2));
    let before = scene.settle().await?;
    eprintln!("{invocations} attacks");
    // What the first tenth leaves is what every place keeps; what comes after it would be a leak.
    let mut all = storm(&scene, &hello, &attack, invocations / 10).await?;
    let first_mib = all.resident_mib;
    let rest = storm(&scene, &hello, &attack, invocations - invocations / 10).await?;
    all.neighbour.absorb(rest.neighbour);
    all.attacks.absorb(rest.attacks);
    let last_mib = rest.resident_mib;
    let Storms { mut neighbour, attacks, .. } = all;
    let (calls, failed) = (neighbour.calls(), neighbour.failed());
    let invocations = count(invocations);
    section.tables.push(facts(
        &format!("c: {invocations} invocations of {kinds} kinds of attack, from three apps on {CONNECTIONS} connections."),
        [
            ("answers to the attacks", told(&attacks)),
            ("calls of the neighbour meanwhile, one after the other; failed", format!("{}; {}", count(calls), count(failed))),
            (
                "its p50; p99",
                format!("{}; {} ms", significant(neighbour.quantile_ms(0.5)), significant(neighbour.quantile_ms(0.99))),
            ),
            ("node, resident: before; after a tenth; after all", format!("{before:.1}; {first_mib:.1}; {last_mib:.1} MiB")),
        ],
    ));
    section.goal(
        &format!("{invocations} hostile invocations: calls of a neighbour that succeed"),
        "all",
        format!("{} of {}", count(calls - failed), count(calls)),
        failed == 0,
    );
    scene.close().await
}

/// What came of attacks, and of the neighbour beside them.
struct Storms {
    neighbour: Load,
    attacks: Load,
    /// Once all is quiet again.
    resident_mib: f64,
}

/// So many attacks beside a neighbour that says hello all the while.
async fn storm(scene: &Scene, hello: &Target, attack: &[Target], invocations: u64) -> Result<Storms, Failure> {
    let calls = Calls::counted(attack, CONNECTIONS, invocations);
    let mut neighbour = measure(hello, 1, Duration::from_millis(100));
    while !calls.is_over() {
        neighbour.absorb(measure(hello, 1, Duration::from_secs(1)));
    }
    let attacks = calls.end();
    Ok(Storms { neighbour, attacks, resident_mib: scene.settle().await? })
}
