"""Mixed load for a long time: what must stay flat, sampled every ten seconds and judged at the end."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster import Cluster
from ledger import WAITING
from load import Load, percentile
from node import Node
from postgres import Postgres
from report import say_heard
from subscribe import Heard, Subscribers

SAMPLE_S = 10
# What is written is gone after this, so that the tables come to a level within minutes.
TTL_S = 120
# Until pools, caches and tables are what they come to be: a third of a short soak, five minutes of a long one.
WARM_S_MAX = 300
MIB = 1 << 20

# The verdict. What a node holds may step up once, as allocators do: the last third of the time may have so much more than the first.
# What grows on is a leak however small the step: so much an hour, over the whole time and in its last third too.
NODE_GROWTH_MIB, NODE_GROWTH_PART = 12.0, 0.05
NODE_MIB_PER_H_MAX = 16.0
LATENCY_RATIO_MAX = 1.5
# Below this a ratio says nothing but how busy the machine was, ms.
LATENCY_FLOOR_MS = 25.0
WAITING_MAX = 500
ROWS_RATIO_MAX = 1.25
DATABASE_RATIO_MAX, DATABASE_GROWTH_MIB = 1.25, 8
# `DATABASE_CONNECTIONS_MAX` and `DATABASE_SCRIPT_CONNECTIONS_MAX` of the host, and the one that asks whether it is there.
CONNECTIONS_MAX = 3 * (9 + 12 + 1)

# `TOPIC_MESSAGES_KEPT_MAX` of the host, and what goes with the next message, of two topics.
TOPIC_MESSAGES_MAX = 2 * (1_000 + 64)
# A stream ends by itself after this (`SUBSCRIBE_STREAM_MS` of the host).
STREAM_MINUTES = 60
# So many samples of a whole are enough for the slope between any two.
SLOPE_SAMPLES_MAX = 400

TABLES = ("kv_entries", "documents", "files", "events", "outbox", "deliveries", "attempts", "executions", "logs", "usage")


@dataclass
class Sample:
    at_s: float
    # Resident, of each node.
    nodes_mib: list[float]
    postgres_mib: float
    p50_ms: float
    p99_ms: float
    requests: int
    errors: int
    waiting: int
    connections: int
    database_mib: float
    rows: dict[str, int]
    # Kept for subscribers.
    messages: int


def take(db: Postgres, nodes: list[Node], load: Load, since: int, began: float) -> Sample:
    recent = load.done[since:]
    took = [done.took for done in recent if done.is_fine]
    rows = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in TABLES)
    return Sample(
        at_s=round(time.monotonic() - began, 1),
        nodes_mib=[round(node.resident_bytes() / MIB, 1) for node in nodes],
        postgres_mib=round(_postgres_bytes(db) / MIB, 1),
        p50_ms=round(percentile(took, 0.5) * 1000, 2), p99_ms=round(percentile(took, 0.99) * 1000, 2),
        requests=len(recent), errors=sum(not done.is_fine for done in recent),
        waiting=db.number(WAITING),
        connections=db.number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'picloud%'"),
        database_mib=round(db.number("SELECT pg_database_size(current_database())") / MIB, 1),
        rows={row[0]: int(row[1]) for row in db.query(rows)},
        messages=db.number("SELECT count(*) FROM topic_messages"))


def _postgres_bytes(db: Postgres) -> int:
    """What its processes hold for themselves; pages that they share are counted once each, by their share."""
    assert db.process is not None
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, parent = path.parent.name, int(path.read_text().rsplit(")", 1)[1].split()[1])
            if db.process.pid in (int(pid), parent):
                rollup = (path.parent / "smaps_rollup").read_text()
                total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


async def soak(cluster: Cluster, rate: float, minutes: float) -> dict[str, Any]:
    load, until = Load(rate), asyncio.Event()
    subscribers = Subscribers(cluster.app) if cluster.app.subscriber_token else None
    if subscribers:
        await subscribers.open()
    began = time.monotonic()
    sending = asyncio.create_task(load.run(until))
    samples: list[Sample] = []
    since = 0
    try:
        while time.monotonic() - began < minutes * 60:
            await asyncio.sleep(SAMPLE_S - (time.monotonic() - began) % SAMPLE_S)
            sample = await asyncio.to_thread(take, cluster.db, cluster.nodes, load, since, began)
            since += sample.requests
            samples.append(sample)
            if len(samples) % 6 == 0:
                print(f"  {sample.at_s / 60:.0f} min: nodes {sample.nodes_mib} MiB, p50 {sample.p50_ms} ms, p99 {sample.p99_ms} ms, "
                      f"{sample.errors} errors, {sample.waiting} waiting, database {sample.database_mib} MiB", flush=True)
    finally:
        until.set()
        await sending
    heard = None
    if subscribers:
        await subscribers.catch_up(cluster.db)
        await subscribers.close()
        heard = subscribers.heard(cluster.db, load)
    failed = [f"{done.kind} at {done.began - began:.1f} s: {done.status or ''} {done.why}" for done in load.done if not done.is_fine]
    return judge(rate, minutes, samples, load, failed, heard, cluster.complaints())


def slope_per_h(times_s: list[float], values: list[float]) -> float:
    """The median of the slopes between any two (Theil and Sen): one step, wherever it is, is no slope; what grows all the time is."""
    step = max(1, len(values) // SLOPE_SAMPLES_MAX)
    points = list(zip(times_s, values, strict=True))[::step]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) * 3600 for n, a in enumerate(points) for b in points[n + 1:] if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


def median(values: list[float]) -> float:
    return percentile(values, 0.5)


def judge(rate: float, minutes: float, samples: list[Sample], load: Load, failed: list[str], heard: Heard | None,
          log: list[str]) -> dict[str, Any]:
    warm_s = min(WARM_S_MAX, minutes * 60 / 3)
    warm = [sample for sample in samples if sample.at_s >= warm_s] or samples
    third = max(1, len(warm) // 3)
    first, last = warm[:third], warm[-third:]
    verdict: list[dict[str, Any]] = []

    def hold(what: str, found: float, bound: float, unit: str) -> None:
        verdict.append({"what": what, "found": round(found, 2), "at most": round(bound, 2), "unit": unit, "holds": found <= bound})

    hold("requests that failed", len(failed), 0, "")
    hold("requests that were not sent", load.skipped, 0, "")
    hold("reads that did not show what was acknowledged", len(load.untrue), 0, "")
    for n in range(len(samples[0].nodes_mib)):
        early, late = (median([sample.nodes_mib[n] for sample in part]) for part in (first, last))
        hold(f"memory of node {n + 1}, last third (first: {early} MiB)", late, early + max(NODE_GROWTH_MIB, NODE_GROWTH_PART * early), "MiB")
        whole, ending = (slope_per_h([sample.at_s for sample in part], [sample.nodes_mib[n] for sample in part]) for part in (warm, last))
        hold(f"memory of node {n + 1} grows on (over the whole {whole:.1f}, in the last third {ending:.1f})", min(whole, ending),
             NODE_MIB_PER_H_MAX, "MiB/h")
    p99 = [median([sample.p99_ms for sample in part]) for part in (first, last)]
    hold("p99 of the last third", p99[1], max(LATENCY_FLOOR_MS, LATENCY_RATIO_MAX * p99[0]), "ms")
    hold("events that wait, at any sample", max(sample.waiting for sample in warm), WAITING_MAX, "")
    hold("connections to the database", max(sample.connections for sample in samples), CONNECTIONS_MAX, "")
    early, late = (max(sample.database_mib for sample in part) for part in (first, last))
    hold(f"size of the database, last third (first: {early} MiB)", late, early * DATABASE_RATIO_MAX + DATABASE_GROWTH_MIB, "MiB")
    for table in TABLES:
        early, late = (max(sample.rows[table] for sample in part) for part in (first, last))
        # `usage` has a row for each minute by design; it is kept for a stated time.
        bound = early * ROWS_RATIO_MAX + 200 + (3 * 16 * minutes if table == "usage" else 0)
        hold(f"rows of {table}, last third", late, bound, "")
    if heard:
        hold("messages kept for subscribers, at any sample", max(sample.messages for sample in samples), TOPIC_MESSAGES_MAX, "")
        hold("messages that are missing, double or out of order", heard.missing + heard.double + heard.out_of_order, 0, "")
        hold("other faults of subscriptions", len(heard.faults), 0, "")
        hold("times that subscribers had to come back", heard.reconnects, heard.subscribers * (minutes // STREAM_MINUTES), "")
    return {
        "rate": rate, "minutes": minutes, "requests": len(load.done), "failed": failed[:20], "samples": [asdict(s) for s in samples],
        "verdict": verdict, "passed": all(line["holds"] for line in verdict), "log": log[:20], "ttl_s": TTL_S,
        "heard": heard.json() if heard else None, "failed_by_kind": by_kind(load),
        "p99_ms": {"first third": p99[0], "last third": p99[1]},
    }


def by_kind(load: Load) -> dict[str, int]:
    """Which requests failed with what."""
    return dict(Counter(f"{done.kind} {done.status or 'no answer'}" for done in load.done if not done.is_fine).most_common())


def run(args: argparse.Namespace) -> dict[str, Any]:
    with Cluster(ttl_s=TTL_S, realtime=args.realtime, keep=args.keep) as cluster:
        found = asyncio.run(soak(cluster, args.rate, args.minutes))
    for line in found["verdict"]:
        print(f"  {'ok    ' if line['holds'] else 'FAILED'} {line['what']}: {line['found']} {line['unit']} (at most {line['at most']})")
    if found["heard"]:
        say_heard(found["heard"])
    for line in (found["heard"] or {}).get("faults", [])[:20]:
        print(f"  FAILED: {line}")
    print(f"  failed, by kind: {found['failed_by_kind'] or 'none'}")
    for line in found["failed"]:
        print(f"  FAILED: {line}")
    print(f"soak: {'passed' if found['passed'] else 'FAILED'}", flush=True)
    return found
