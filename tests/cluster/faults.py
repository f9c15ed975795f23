"""The faults, each under load: what is done, and which requests may fail for it.

A request may fail only while a `Window` says so, and the window says why. Everything else is a failure of the run.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import net
import proxy
from cluster import Cluster
from ledger import Balance, balance
from load import Done, Load, percentile
from node import DRAIN_DELAY_MS, Node
from shell import Trouble
from subscribe import SILENT_S, Heard, Subscribers

LEASE_S = 15
# A node that is dead or hangs is out of the rotation.
CHECKED_S = proxy.CHECK_EVERY_S + proxy.CHECK_WITHIN_S
# One that is cut off knows it, says so, and is out: `DATABASE_UNREACHABLE_MS` of the host, and a check.
CUT_OFF_S = 3 + CHECKED_S
# PostgreSQL is back: pools try again after 2 s at most, and what waited for them is done first.
RECONNECTED_S = 5
WARM_S, TAIL_S = 8, 12
# Half of all requests take longer than this before anything is done: what fails later would be the machine's doing.
BUSY_S = 0.25


@dataclass
class Window:
    """Requests that begin from then until then may fail, by the clock of `time.monotonic`."""

    since: float
    until: float
    why: str


@dataclass
class Course:
    """What happened when."""

    struck: float = 0.0
    healed: float = 0.0
    # What is under way when it strikes may fail.
    is_sudden: bool = True
    windows: list[Window] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    # What went wrong with the fault itself, such as a node that does not end as it should.
    faults: list[str] = field(default_factory=list)

    def allow(self, since: float, until: float, why: str) -> None:
        self.windows.append(Window(since, until, why))


Fault = Callable[[Cluster, Course, float], Awaitable[None]]


async def kill(cluster: Cluster, course: Course, seconds: float) -> None:
    """SIGKILL of a node; started anew when its leases have ended."""
    node = cluster.nodes[0]
    course.struck = time.monotonic()
    node.tell(signal.SIGKILL)
    course.allow(course.struck, course.struck + CHECKED_S, "tried at the dead node first: a body that went with the connection, or one that was kept")
    await asyncio.sleep(max(seconds, LEASE_S + 5))
    node.start()
    await ready(node)
    course.healed = time.monotonic()


async def pause(cluster: Cluster, course: Course, seconds: float) -> None:
    """SIGSTOP of a node for longer than leases and subscribers wait, then SIGCONT: what it settles late is fenced off."""
    node = cluster.nodes[0]
    lasts = max(seconds, LEASE_S + 8, SILENT_S + 5 if cluster.app.subscriber_token else 0)
    course.struck = time.monotonic()
    node.tell(signal.SIGSTOP)
    course.allow(course.struck, course.struck + CHECKED_S, "sent to a node that hangs, until the check finds it")
    await asyncio.sleep(1)
    # What others hold is settled in a moment; what is still claimed under the same number is the paused node's.
    before = claims(cluster)
    await asyncio.sleep(3)
    still = claims(cluster)
    held = {id: number for id, number in before.items() if still.get(id) == number}
    course.notes["claims of the paused node"] = len(held)
    await asyncio.sleep(lasts - 4)
    after = claims(cluster)
    course.notes["of these taken over by others"] = sum(1 for id, number in held.items() if after.get(id, number + 1) > number)
    course.notes["of these left"] = sum(1 for id, number in held.items() if after.get(id) == number)
    node.tell(signal.SIGCONT)
    course.healed = time.monotonic()


def cut(how: str) -> Fault:
    async def cutting(cluster: Cluster, course: Course, seconds: float) -> None:
        node = cluster.nodes[0]
        course.struck = time.monotonic()
        net.cut(node.name, net.DATABASE, how)
        course.allow(course.struck, course.struck + CUT_OFF_S, "sent to a node that has no database, until it is out")
        await asyncio.sleep(max(seconds, LEASE_S + 10))
        net.heal(node.name, net.DATABASE)
        course.healed = time.monotonic()

    cutting.__doc__ = {"drop": "A node's packets to and from PostgreSQL vanish.",
                       "reset": "A node's connections to PostgreSQL are reset, and refused."}[how]
    return cutting


def restart(mode: str) -> Fault:
    async def restarting(cluster: Cluster, course: Course, seconds: float) -> None:
        course.struck = time.monotonic()
        await asyncio.to_thread(cluster.db.stop, mode)
        await asyncio.sleep(min(seconds, 2))
        await asyncio.to_thread(cluster.db.start)
        course.healed = time.monotonic()
        course.notes["database away, s"] = round(course.healed - course.struck, 2)
        course.allow(course.struck, course.healed + RECONNECTED_S, "there is no database, or those who wait for it hold the app's places")

    restarting.__doc__ = {"fast": "PostgreSQL is restarted in order.", "immediate": "PostgreSQL crashes and recovers."}[mode]
    return restarting


async def rolling(cluster: Cluster, course: Course, seconds: float) -> None:
    """Every node is restarted, one after the other: SIGTERM, drained, started, ready."""
    course.struck, course.is_sudden = time.monotonic(), False
    course.notes["drained in, s"], course.notes["exit codes"] = [], []
    for node in cluster.nodes:
        began = time.monotonic()
        node.tell(signal.SIGTERM)
        course.notes["exit codes"].append(await asyncio.to_thread(node.end, signal.SIGCONT, 30 + DRAIN_DELAY_MS / 1000))
        course.notes["drained in, s"].append(round(time.monotonic() - began, 2))
        node.start()
        await ready(node)
        # As an operator waits for the balancer to have it back: two checks at least.
        await asyncio.sleep(CHECKED_S + 1)
    course.healed = time.monotonic()
    if any(course.notes["exit codes"]):
        course.faults.append(f"a node that was told to end failed: {course.notes['exit codes']}")


FAULTS: dict[str, Fault] = {
    "kill": kill, "cut": cut("drop"), "cut-reset": cut("reset"), "pause": pause,
    "restart": restart("fast"), "crash": restart("immediate"), "rolling": rolling,
}


async def ready(node: Node) -> None:
    deadline = time.monotonic() + 120
    while not node.is_ready():
        if time.monotonic() > deadline:
            raise Trouble(f"{node.name} is not ready:\n{node.tail()}")
        await asyncio.sleep(0.1)


def claims(cluster: Cluster) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in cluster.db.query("SELECT id, claims FROM deliveries WHERE state = 'claimed'")}


@dataclass
class Result:
    fault: str
    what: str
    rate: float
    seconds: float
    sent: int
    fine: int
    # By why they may.
    allowed: dict[str, int]
    excused: list[str]
    # Of seconds since the fault, what may not be.
    failed: list[str]
    last_failure_s: float | None
    latency_ms: dict[str, dict[str, float]]
    notes: dict[str, Any]
    balance: Balance
    heard: Heard | None
    log: list[str]

    @property
    def faults(self) -> list[str]:
        return [*self.failed, *self.balance.faults, *(self.heard.faults if self.heard else [])]

    def json(self) -> dict[str, Any]:
        heard = self.heard.json() if self.heard else None
        return {**self.__dict__, "balance": self.balance.json(), "heard": heard, "passed": not self.faults}


async def under_load(cluster: Cluster, name: str, rate: float, seconds: float) -> Result:
    load, course, until = Load(rate), Course(), asyncio.Event()
    subscribers = Subscribers(cluster.app) if cluster.app.subscriber_token else None
    if subscribers:
        await subscribers.open()
    began = time.monotonic()
    sending = asyncio.create_task(load.run(until))
    try:
        await asyncio.sleep(WARM_S)
        await FAULTS[name](cluster, course, seconds)
        await asyncio.sleep(TAIL_S)
    finally:
        until.set()
        await sending
    took = time.monotonic() - began
    # Ticks end here, so that they can be counted.
    tick = f"admin/apps/{cluster.app.id}/triggers/{cluster.app.triggers['on-tick']}"
    await asyncio.to_thread(cluster.nodes[-1].api, "PATCH", tick, {"enabled": False})
    told = await asyncio.to_thread(balance, cluster.db, cluster.app, load)
    heard = None
    if subscribers:
        await subscribers.catch_up(cluster.db)
        await subscribers.close()
        heard = subscribers.heard(cluster.db, load)
    early = [done for done in load.done if done.began + done.took < course.struck]
    if not all(done.is_fine for done in early) or percentile([done.took for done in early], 0.5) > BUSY_S:
        raise Trouble(f"{name}: this machine has no room for {rate:g} requests/s now: of {len(early)} before the fault "
                      f"{sum(not done.is_fine for done in early)} failed, p50 {percentile([d.took for d in early], 0.5):.2f} s. Nothing is said")
    return judge(name, rate, took, load, course, told, heard, cluster.complaints())


def judge(name: str, rate: float, took: float, load: Load, course: Course, books: Balance,
          heard: Heard | None, log: list[str]) -> Result:
    allowed: dict[str, int] = {}
    excused: list[str] = []
    failed: list[str] = list(course.faults)
    last: float | None = None
    for done in sorted(load.done, key=lambda done: done.began):
        if done.is_fine:
            continue
        why = excuse(done, course)
        told = (f"{done.kind} sent {done.began - course.struck:+.2f} s after the fault, {done.began - course.healed:+.2f} s "
                f"after its end, failed after {done.took:.2f} s: {done.status or ''} {done.why} {done.node}")
        if why:
            allowed[why] = allowed.get(why, 0) + 1
            excused.append(told)
        else:
            failed.append(told)
        last = done.began - course.struck
    if load.skipped:
        failed.append(f"{load.skipped} requests were not sent, so many were under way")
    parts = {
        "before": [d.took for d in load.done if d.is_fine and d.began < course.struck],
        "during": [d.took for d in load.done if d.is_fine and course.struck <= d.began < course.healed],
        "after": [d.took for d in load.done if d.is_fine and d.began >= course.healed],
    }
    latency = {part: {"p50": round(percentile(took, 0.5) * 1000, 1), "p99": round(percentile(took, 0.99) * 1000, 1)}
               for part, took in parts.items()}
    return Result(name, (FAULTS[name].__doc__ or "").strip(), rate, round(took, 1), len(load.done), sum(d.is_fine for d in load.done),
                  allowed, excused[:5], failed[:200], None if last is None else round(last, 2), latency, course.notes, books, heard, log)


def excuse(done: Done, course: Course) -> str | None:
    if course.is_sudden and done.began < course.struck <= done.began + done.took:
        return "under way when it struck"
    return next((window.why for window in course.windows if window.since <= done.began <= window.until), None)
