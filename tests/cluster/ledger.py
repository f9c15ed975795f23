"""What was acknowledged, held against what is there: one id after the other, and the counts of the platform against each other."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from app import App
from load import Load
from postgres import Postgres

# All that waits is handled within this once the load has ended: longer than a lease and a few retries.
SETTLED_WITHIN_S = 120
HANDLERS = {"work": "on-work", "slow": "on-slow", "news-a": "on-news-a", "news-b": "on-news-b", "heard": "on-set", "ticks": "on-tick"}
SENT_BY = {"work": "send", "slow": "slow", "news-a": "publish", "news-b": "publish", "heard": "set"}
WAITING = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM deliveries WHERE state <> 'dead')"


@dataclass
class Balance:
    # Of each kind: acknowledged, there, lost.
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    # Of each handler: events, runs, runs beyond one for each event, settled as succeeded.
    handlers: dict[str, dict[str, int]] = field(default_factory=dict)
    ticks: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    lost_claims: int = 0
    fenced: int = 0
    settled_after_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return asdict(self)


def settle(db: Postgres) -> float:
    """Waits until nothing waits; seconds, or less than 0 when it takes too long."""
    began = time.monotonic()
    quiet = 0
    while time.monotonic() - began < SETTLED_WITHIN_S:
        quiet = quiet + 1 if db.number(WAITING) == 0 else 0
        if quiet >= 5:
            return time.monotonic() - began
        time.sleep(0.2)
    return -1.0


def entries(db: Postgres, app: App, collection: str) -> dict[str, int]:
    rows = db.query("SELECT key, convert_from(value, 'UTF8') FROM kv_entries "
                    f"WHERE app_id = '{app.id}' AND collection = '{collection}'")
    return {key: int(value) for key, value in rows}


def balance(db: Postgres, app: App, load: Load) -> Balance:
    told = Balance()
    told.settled_after_s = round(settle(db), 1)
    if told.settled_after_s < 0:
        told.faults.append(f"events still wait {SETTLED_WITHIN_S} s after the load: {db.number(WAITING)}")
    there = {
        "set": set(entries(db, app, "acks")),
        "async": set(entries(db, app, "async")),
        "doc": {row[0] for row in db.query(f"SELECT id FROM documents WHERE app_id = '{app.id}' AND collection = 'docs'")},
        "file": {row[0] for row in db.query(f"SELECT name FROM files WHERE app_id = '{app.id}'")},
    }
    handled = {collection: entries(db, app, collection) for collection in HANDLERS}
    there |= {kind: set(handled[collection]) for collection, kind in SENT_BY.items() if collection not in ("heard", "news-b")}
    for kind, found in there.items():
        lost = load.acked[kind] - found
        told.kinds[kind] = {"acknowledged": len(load.acked[kind]), "there": len(found), "lost": len(lost)}
        if lost:
            told.faults.append(f"{kind}: {len(lost)} of {len(load.acked[kind])} acknowledged are lost, such as {sorted(lost)[0]}")
    for collection, handler in HANDLERS.items():
        _handler(db, app, told, collection, handler, handled[collection])
    # A change and its event are one: whoever wrote, heard or not, was told of.
    if there["set"] != set(handled["heard"]):
        told.faults.append(f"{len(there['set'] ^ set(handled['heard']))} writes and their events are not the same")
    for first, second in (("news-a", "news-b"),):
        if set(handled[first]) != set(handled[second]):
            told.faults.append(f"a message of a topic reached one of its handlers: {len(set(handled[first]) ^ set(handled[second]))}")
    told.dead_letters = db.number("SELECT count(*) FROM deliveries WHERE state = 'dead'")
    if told.dead_letters:
        told.faults.append(f"{told.dead_letters} dead letters")
    # An attempt that two nodes ran to its end has two records, and was settled once.
    told.fenced = db.number("SELECT count(*) FROM (SELECT 1 FROM executions WHERE event_id IS NOT NULL "
                            "GROUP BY event_id, script_id, attempt HAVING count(*) > 1) AS twice")
    told.ticks = _ticks(sorted(handled["ticks"]))
    if load.untrue:
        told.faults.append(f"{len(load.untrue)} reads did not show what was acknowledged: {load.untrue[0]}")
    return told


def _handler(db: Postgres, app: App, told: Balance, collection: str, handler: str, handled: dict[str, int]) -> None:
    events = entries(db, app, f"{collection}-events")
    succeeded = db.number("SELECT coalesce(sum(succeeded), 0) FROM trigger_counts "
                          f"WHERE trigger_id = '{app.triggers[handler]}'")
    told.handlers[collection] = {
        "events": len(events), "runs": sum(handled.values()), "again": sum(handled.values()) - len(events), "succeeded": succeeded}
    if len(handled) != len(events):
        told.faults.append(f"{collection}: {len(handled)} messages are {len(events)} events")
    if succeeded != len(events):
        told.faults.append(f"{collection}: {len(events)} events were handled, {succeeded} are counted as succeeded")


def _ticks(ticks: list[str]) -> dict[str, int]:
    if not ticks:
        return {"first_to_last_s": 0, "fired": 0, "missed": 0}
    first, last = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (ticks[0], ticks[-1]))
    span = int((last - first).total_seconds()) + 1
    return {"first_to_last_s": span, "fired": len(ticks), "missed": span - len(ticks)}
