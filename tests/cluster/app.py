"""The app that is put under load: its scripts, routes and triggers.

Every write and every message carries an id that nobody else has; handlers count by that id and by the event's. So what was
acknowledged can be held against what is there afterwards, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node import Node, Refused

SLUG = "show"
HOST = f"{SLUG}.localhost"
# Topics that subscribers of the data plane may follow: everybody, and whoever has a token. What is told is published to both.
TOPIC, TOPIC_OF_TOKENS = "live", "members"
# A handler that takes its time, so that a node that is paused is always in the middle of some.
SLOW_MS = 2_500


def counts(collection: str, message: str, ttl_s: int) -> str:
    """A handler that counts its runs by message and by event."""
    if not ttl_s:
        return f"""
            kv::collection("{collection}").increment({message});
            kv::collection("{collection}-events").increment(ctx.event.id);
        """
    return f'kv::collection("{collection}").set({message}, 1, #{{ ttl_s: {ttl_s} }});'


@dataclass(frozen=True)
class Script:
    source: str
    route: dict[str, Any] | None = None
    triggers: dict[str, dict[str, Any]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)


def scripts(ttl_s: int) -> dict[str, Script]:
    """With a time to live, what is written goes away again: for a load without end."""
    post = {"method": "POST"}
    options = f", #{{ ttl_s: {ttl_s} }}" if ttl_s else ""
    identifier = "let id = ctx.request.body.id;"
    if ttl_s:
        doc = """
            let docs = docs::collection("docs");
            let key = "d" + (ctx.request.body.n % 1000);
            if docs.update(key, #{ op: id }) == () { try { docs.create(#{ op: id }, #{ id: key }); } catch {} }
        """
        file = 'let files = files::collection("blobs"); let name = "f" + (ctx.request.body.n % 100); files.delete(name);'
    else:
        doc = 'docs::collection("docs").create(#{ op: id }, #{ id: id });'
        file = 'let files = files::collection("blobs"); let name = id;'
    # Two of a load without end may meet at a name.
    file += f' try {{ files.create(name, id + "{"x" * 2048}"); }} catch (error) {{ if error.code != "conflict" {{ throw error }} }}'
    return {
        "hello": Script('#{ hello: "world" }', {"path": "/hello"}),
        "read": Script('kv::collection("acks").get(ctx.request.query.id)', {"path": "/read"}),
        "set": Script(f"""
            {identifier}
            kv::collection("acks").set(id, 1{options});
            #{{ id: id, total: kv::collection("totals").increment("set") }}
        """, {"path": "/set", **post}),
        "doc": Script(f"{identifier} {doc} id", {"path": "/doc", **post}),
        "file": Script(f"{identifier} {file} id", {"path": "/file", **post}),
        "send": Script(f'{identifier} queue::send("work", #{{ id: id }})', {"path": "/send", **post}),
        "slow": Script(f'{identifier} queue::send("slow", #{{ id: id }})', {"path": "/slow", **post}),
        "publish": Script(f'{identifier} pubsub::publish("news", #{{ id: id }})', {"path": "/publish", **post}),
        "tell": Script(f'{identifier} pubsub::publish("{TOPIC}", #{{ id: id }}); pubsub::publish("{TOPIC_OF_TOKENS}", #{{ id: id }})',
                       {"path": "/tell", **post}),
        "async": Script(f'{identifier} ' + (f'kv::collection("async").set(id, 1{options});' if ttl_s
                        else 'kv::collection("async").increment(id);'), {"path": "/async", "dispatch_mode": "async", **post}),
        "on-work": Script(counts("work", "ctx.event.queue.message.id", ttl_s), triggers={"queue": {"queue": "work"}}),
        "on-slow": Script(
            f'try {{ retry::run(|| {{ throw #{{ code: "unavailable", message: "wait" }} }}, #{{ attempts: 2, base_ms: {SLOW_MS} }}) }} '
            "catch {} " + counts("slow", "ctx.event.queue.message.id", ttl_s), triggers={"queue": {"queue": "slow"}}),
        "on-news-a": Script(counts("news-a", "ctx.event.pubsub.message.id", ttl_s), triggers={"pubsub": {"topic": "news"}}),
        "on-news-b": Script(counts("news-b", "ctx.event.pubsub.message.id", ttl_s), triggers={"pubsub": {"topic": "news"}}),
        "on-set": Script(counts("heard", "ctx.event.kv.key", ttl_s), triggers={"kv": {"collection": "acks", "ops": ["insert"]}}),
        "on-tick": Script(counts("ticks", "ctx.event.cron.scheduled_at", ttl_s),
                          triggers={"cron": {"schedule": "* * * * * *", "timezone": "UTC"}}),
    }


@dataclass
class App:
    id: str
    # Of each handler its trigger.
    triggers: dict[str, str]
    # Lets a subscriber in to the second topic; nothing where the node has no realtime, or is to be without.
    subscriber_token: str


def make(node: Node, ttl_s: int, realtime: str) -> App:
    app = node.api("POST", "admin/apps", {"slug": SLUG, "name": "Show"})["id"]
    triggers: dict[str, str] = {}
    for name, script in scripts(ttl_s).items():
        body: dict[str, Any] = {"app_id": app, "name": name, "source": script.source}
        made = node.api("POST", "admin/scripts", body)["id"]
        if script.route:
            node.api("POST", f"admin/scripts/{made}/routes", script.route)
        for kind, what in script.triggers.items():
            # What a fault makes fail is tried again for as long as the fault lasts, and sooner than a person would.
            policy = {"max_attempts": 20, "base_delay_ms": 500, "max_delay_ms": 4_000}
            triggers[name] = node.api("POST", f"admin/apps/{app}/triggers/{kind}", {"script_id": made, **what, **policy})["id"]
    if ttl_s:
        # Records are kept for two weeks: a bound on their day is what holds their table within a run of minutes.
        node.api("PATCH", f"admin/apps/{app}/quota", {"log_bytes_per_day": 4 << 20})
    return App(app, triggers, "" if realtime == "off" else register_topics(node, app, realtime))


def register_topics(node: Node, app: str, realtime: str) -> str:
    """A token of subscribers, where the node has realtime; `on` insists."""
    try:
        node.api("PUT", f"admin/apps/{app}/topics/{TOPIC}", {"access": "public"})
    except Refused as refused:
        if realtime == "on" or refused.status not in (404, 405):
            raise
        return ""
    node.api("PUT", f"admin/apps/{app}/topics/{TOPIC_OF_TOKENS}", {"access": "token"})
    token: str = node.api("POST", f"admin/apps/{app}/subscriber_tokens", {"topics": [TOPIC_OF_TOKENS], "ttl_s": 86_400})["token"]
    return token
