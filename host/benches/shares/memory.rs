//! Memory: bombs in a control group that is as small as a small board; ten thousand attacks of all kinds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::ground::{self, Ground, Scale, Scene, all_hostile, beside, headings, machine, tell};
use crate::group::Group;
use crate::load::{Calls, Target, measure};
use crate::support::{Client, Node, open_to_all};

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
pub(crate) async fn bombs(scale: Scale) -> Result<(), Failure> {
    println!("## b: memory. {BOMBERS} apps bomb on {CONNECTIONS} connections each, in a control group of {GROUP_MIB} MB");
    let group = match Group::make(GROUP_MIB << 20) {
        Ok(group) => group,
        Err(reason) => {
            println!("left out: there is no control group to be had for memory ({reason})");
            machine("b", &json!({ "left_out": reason }));
            return Ok(());
        }
    };
    let dir = tempfile::Builder::new().prefix("picloud-bench").tempdir()?;
    open_to_all(dir.path())?;
    // A first start compiles the component, which a small board would be given ready.
    let mut first = std::process::Command::new(crate::support::PICLOUD);
    first.args(["serve", "--embedded"]).env_remove("DATABASE_URL");
    Node::launch(dir.path(), first).await?.0.stop().await?;
    let (node, _) = Node::launch(dir.path(), group.serve()).await?;
    let client = Client::login(&node).await?;
    let scene = Scene { node, client, db: None, figure: "b", scale };
    let told = bombed(&scene, &group).await;
    scene.close().await?;
    told
}

async fn bombed(scene: &Scene, group: &Group) -> Result<(), Failure> {
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
            ("string", ground::hostile("string_doubling")?),
            ("array", ground::hostile("array_bomb")?),
            ("map", ground::hostile("map_bomb")?),
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
    headings("bombs of all kinds");
    for connections in [1, 8] {
        let rounds = beside(scene, (&hello, connections), &attack, BOMBERS * CONNECTIONS).await?;
        tell("b", &format!("{} and {most} MB", most / 4), connections, rounds);
    }
    let peak = seen.most_mib();
    let status = scene.status().await?;
    let after = scene.settle().await?;
    let calls = Calls::counted(std::slice::from_ref(&hello), 4, 1_000).end();
    let is_same = std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "picloud");
    println!("the same process answers: {is_same}; calls after it all: {}, failed: {}", calls.calls(), calls.failed());
    println!("killed for want of memory: {}", group.kills());
    println!("node, resident: before {before:.1} MiB, after {after:.1} MiB");
    println!("all processes of the group: at rest {at_rest:.1} MiB, at most {peak:.1} MiB");
    println!("with the cache of files, at most: {:.1} MiB of {GROUP_MIB}", group.peak_mib().unwrap_or(f64::NAN));
    machine(
        "b",
        &json!({
            "what": "memory", "is_same_process": is_same, "kills": group.kills(), "failed_after": calls.failed(),
            "resident_mib_before": before, "resident_mib_after": after, "group_mib_at_rest": at_rest, "group_mib_most": peak,
            "group_mib_with_files": group.peak_mib(), "memory_bytes": status["memory_bytes"],
        }),
    );
    Ok(())
}

/// c: everything that is known as an attack, ten thousand times.
pub(crate) async fn hostile(ground: &Ground) -> Result<(), Failure> {
    let scene = ground.scene("c").await?;
    let invocations: u64 = if scene.scale.is_quick { 1_000 } else { 10_000 };
    println!("## c: {invocations} invocations of everything in tests/it/scripts/hostile, from three apps");
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
    // What the first tenth leaves is what every place keeps; what comes after it would be a leak.
    let (first, _) = storm(&scene, &hello, &attack, invocations / 10).await?;
    let (second, told) = storm(&scene, &hello, &attack, invocations - invocations / 10).await?;
    println!("{kinds} kinds; answers: {}", told["attack_answers"]);
    println!("calls of the neighbour meanwhile: {}, failed: {}", told["calls"], told["failed"]);
    println!("node, resident: before {before:.1} MiB, after a tenth {first:.1} MiB, after all {second:.1} MiB");
    machine(
        "c",
        &json!({
            "what": "hostile", "kinds": kinds, "invocations": invocations, "neighbour": told,
            "resident_mib_before": before, "resident_mib_after_a_tenth": first, "resident_mib_after": second,
        }),
    );
    scene.close().await
}

/// So many attacks beside a neighbour that says hello all the while; resident memory once all is quiet, and what came of it.
async fn storm(scene: &Scene, hello: &Target, attack: &[Target], invocations: u64) -> Result<(f64, Value), Failure> {
    let calls = Calls::counted(attack, CONNECTIONS, invocations);
    let mut neighbour = measure(hello, 1, Duration::from_millis(100));
    while !calls.is_over() {
        neighbour.absorb(measure(hello, 1, Duration::from_secs(1)));
    }
    let attacked = calls.end();
    let told = json!({
        "calls": neighbour.calls(), "failed": neighbour.failed(), "p50_ms": neighbour.quantile_ms(0.5),
        "p99_ms": neighbour.quantile_ms(0.99), "attack_answers": attacked.answers,
    });
    Ok((scene.settle().await?, told))
}
