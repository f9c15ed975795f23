use super::*;

fn read(manifest: serde_json::Value) -> Result<Target> {
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    manifest.target(&Quota::default(), &Grants::default(), &BTreeMap::new(), DateTime::UNIX_EPOCH)
}

fn full() -> serde_json::Value {
    json!({
        "scripts": {
            "a": {
                "source": "1", "limits": { "timeout_ms": 50 }, "description": "one",
                "routes": [{ "path": "/b", "method": "get" }, { "path": "/a/:x", "host": "a.localhost", "dispatch_mode": "async" }],
                "triggers": [
                    { "kind": "dead_letter", "about_trigger": 2, "about_script": "b" },
                    { "kind": "cron", "schedule": "0 0 * * * *" },
                ],
            },
            "b": { "source": "2", "triggers": [{ "kind": "kv", "collection": "orders", "ops": ["insert"], "max_attempts": 2, "enabled": false }] },
            "m": { "source": "fn f() { 1 }", "kind": "module" },
        },
        "grants": { "kv": ["orders"] },
        "topics": { "orders.paid": "public", "orders.all": "token" },
    })
}

#[test]
fn what_was_pulled_means_the_state_that_it_was_pulled_of() {
    let target = read(full()).unwrap();
    let state = target.state(&State::default());
    assert_eq!(state.routes.len(), 2);
    assert_eq!(state.triggers.len(), 3);
    assert_eq!(state.grants["http"], Vec::<String>::new());
    let sources = target.scripts.iter().map(|script| (script.name.clone(), script.source.clone())).collect();
    let pulled = Manifest::of(&state, sources);
    assert_eq!(pulled.scripts["a"].limits, Named::from([("timeout_ms".to_owned(), 50)]));
    let again = read(serde_json::to_value(&pulled).unwrap()).unwrap();
    assert_eq!(again, target);
    assert_eq!(again.state(&State::default()).digest().unwrap(), state.digest().unwrap());
}

#[test]
fn the_order_in_which_things_are_written_means_nothing() {
    let mut other = full();
    other["scripts"]["a"]["routes"].as_array_mut().unwrap().reverse();
    assert_eq!(read(other).unwrap(), read(full()).unwrap());
}

#[test]
fn a_refusal_says_where() {
    for (change, said) in [
        (json!({ "A": { "source": "" } }), "scripts.A: a script's name"),
        (json!({ "a": { "source": "", "limits": { "memory_mb": 100_000 } } }), "scripts.a: limits.memory_mb is 100000"),
        (json!({ "a": { "source": "", "routes": [{ "path": "/x" }, { "path": "x" }] } }), "scripts.a.routes[1]: "),
        (
            json!({ "a": { "source": "", "triggers": [{ "kind": "queue" }] } }),
            "scripts.a.triggers[0]: a queue trigger has a `queue`",
        ),
        (json!({ "a": { "source": "", "triggers": [{ "kind": "http" }] } }), "scripts.a.triggers[0]: there is no such kind"),
        (json!({ "a": { "source": "", "triggers": [{ "kind": "dead_letter", "about_script": "x" }] } }), "has no script x"),
        (json!({ "a": { "source": "", "triggers": [{ "kind": "dead_letter", "about_trigger": 0 }] } }), "no other trigger"),
        (json!({ "a": { "source": "", "kind": "module", "routes": [{ "path": "/" }] } }), "scripts.a: a module answers"),
    ] {
        let refused = read(json!({ "scripts": change.clone() })).unwrap_err();
        assert!(refused.message.contains(said), "{change}: {}", refused.message);
    }
    let refused = read(json!({ "grants": { "disk": ["*"] } })).unwrap_err();
    assert!(refused.message.starts_with("grants: "), "{}", refused.message);
    let refused = read(json!({ "topics": { "orders.*": "public" } })).unwrap_err();
    assert!(refused.message.starts_with("topics: "), "{}", refused.message);
}

#[test]
fn topics_that_are_left_out_stay_as_they_are_and_one_that_is_not_named_goes() {
    let running = BTreeMap::from([("news".to_owned(), Access::Token)]);
    let topics = |manifest: serde_json::Value| {
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.target(&Quota::default(), &Grants::default(), &running, DateTime::UNIX_EPOCH).unwrap().topics
    };
    assert_eq!(topics(json!({})), running);
    assert_eq!(topics(json!({ "topics": {} })), BTreeMap::new());
    assert_eq!(topics(json!({ "topics": { "other": "public" } })), BTreeMap::from([("other".to_owned(), Access::Public)]));
    assert!(serde_json::from_value::<Manifest>(json!({ "topics": { "other": "everybody" } })).is_err());
}

#[test]
fn so_many_scripts_and_no_more() {
    let many = |count: usize| {
        let scripts: BTreeMap<_, _> = (0..count).map(|n| (format!("s{n}"), json!({ "source": "" }))).collect();
        read(json!({ "scripts": scripts }))
    };
    assert!(many(limits::MANIFEST_SCRIPTS_MAX).is_ok());
    assert!(many(limits::MANIFEST_SCRIPTS_MAX + 1).is_err());
}
