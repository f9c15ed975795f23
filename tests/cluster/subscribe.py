"""Subscribers of topics on the data plane, over server-sent events: each comes back with `Last-Event-ID` whenever its stream ends,
breaks, or says nothing for three heartbeats. What came over all of its streams together is held against what was acknowledged."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import net
import proxy
from app import HOST, TOPIC, TOPIC_OF_TOKENS, App
from load import Load, read_head
from postgres import Postgres

# `SUBSCRIBE_HEARTBEAT_MS` of the host.
HEARTBEAT_S = 15.0
SILENT_S = 3 * HEARTBEAT_S
# A stream that is not opened in this time is none.
OPENED_WITHIN_S = 15.0
# From the first try to come back on, and at most; twice as long after each that fails.
BACK_OFF_S = (0.25, 5.0)
# Whoever subscribes for everybody's topic, beside one with a token.
PUBLIC = 6
# After the load: longer than a silence, the way back, and what was missed.
CAUGHT_UP_WITHIN_S = SILENT_S + OPENED_WITHIN_S + 15


class Subscriber:
    def __init__(self, topic: str, token: str = "") -> None:
        self.topic, self.token = topic, token
        self.is_open = asyncio.Event()
        # The number that the first stream began with.
        self.begun: int | None = None
        # What goes with the next request.
        self.last: str | None = None
        # As they came, over all streams: numbers, ids, when.
        self.numbers: list[int] = []
        self.ids: list[str] = []
        self.at: list[float] = []
        # The node of each stream, as the proxy says.
        self.nodes: list[str] = []
        # Tries that came to no stream, by why.
        self.refused: Counter[str] = Counter()
        self.silences = 0
        # Messages that are not kept any more, numbers that were never given out, and what is no event at all.
        self.gaps: list[str] = []
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        wait = BACK_OFF_S[0]
        while True:
            streams = len(self.nodes)
            try:
                await self._follow()
            except (OSError, EOFError, ValueError, IndexError, TimeoutError) as error:
                if len(self.nodes) == streams:
                    self.refused[type(error).__name__] += 1
            wait = BACK_OFF_S[0] if len(self.nodes) > streams else min(2 * wait, BACK_OFF_S[1])
            await asyncio.sleep(random.uniform(wait / 2, wait))

    async def _follow(self) -> None:
        head = f"GET /realtime/topics/{self.topic} HTTP/1.1\r\nhost: {HOST}\r\naccept: text/event-stream\r\n"
        if self.token:
            head += f"authorization: Bearer {self.token}\r\n"
        if self.last is not None:
            head += f"last-event-id: {self.last}\r\n"
        reader, writer = await asyncio.open_connection(net.ADDRESSES[net.PROXY], proxy.PORT)
        try:
            writer.write(head.encode() + b"\r\n")
            status, headers = await asyncio.wait_for(read_head(reader), OPENED_WITHIN_S)
            if status != 200:
                self.refused[str(status)] += 1
                return
            self.nodes.append(headers.get("x-node", ""))
            await self._read(reader, headers.get("transfer-encoding") == "chunked")
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, is_chunked: bool) -> None:
        text = b""
        while True:
            try:
                piece = await asyncio.wait_for(_piece(reader, is_chunked), SILENT_S)
            except TimeoutError:
                self.silences += 1
                return
            if not piece:
                return
            text += piece
            # What is not there whole when a stream breaks never was.
            while b"\n\n" in text:
                block, text = text.split(b"\n\n", 1)
                self._take(block.decode())

    def _take(self, block: str) -> None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        if self.begun is None and "id" in fields:
            self.begun = int(fields["id"])
            self.is_open.set()
        kind = fields.get("event", "")
        if kind == "message":
            data = json.loads(fields["data"])
            if fields.get("id") != str(data["seq"]) or data["topic"] != self.topic:
                self.wrong.append(f"a message is not what its event says: {block[:200]}")
            self.numbers.append(int(data["seq"]))
            self.ids.append(data["message"]["id"])
            self.at.append(time.monotonic())
        elif kind == "gap":
            self.gaps.append(fields.get("data", ""))
        elif kind:
            # A reset, of numbers that were given out: they went back.
            self.wrong.append(f"{kind}: {fields.get('data', '')}")
        if "id" in fields:
            self.last = fields["id"]

    @property
    def reconnects(self) -> int:
        return max(0, len(self.nodes) - 1)


async def _piece(reader: asyncio.StreamReader, is_chunked: bool) -> bytes:
    if not is_chunked:
        return await reader.read(65536)
    size = int((await reader.readline()).split(b";")[0], 16)
    piece = await reader.readexactly(size)
    await reader.readline()
    return piece


@dataclass
class Heard:
    """What all of them came to."""

    subscribers: int
    # Messages of the one that had the fewest, and of the one that had the most.
    messages: tuple[int, int]
    acknowledged: int
    reconnects: int
    silences: int
    # Acknowledged, or given a number between two that came, and never there.
    missing: int
    double: int
    out_of_order: int
    # The longest that one which was acknowledged took from then on.
    latest_s: float
    # Streams of each node, and tries that came to none.
    streams: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return asdict(self)


class Subscribers:
    """Of the topic that is everybody's, and one with a token of the other."""

    def __init__(self, app: App) -> None:
        self.each = [Subscriber(TOPIC) for _ in range(PUBLIC)] + [Subscriber(TOPIC_OF_TOKENS, app.subscriber_token)]
        self.app = app
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Each has a stream: what is published from here on is theirs."""
        self._tasks = [asyncio.create_task(subscriber.run()) for subscriber in self.each]
        for subscriber in self.each:
            await asyncio.wait_for(subscriber.is_open.wait(), 2 * OPENED_WITHIN_S)

    async def catch_up(self, db: Postgres) -> None:
        """Until each has the last message, or too long."""
        until = time.monotonic() + CAUGHT_UP_WITHIN_S
        last = await asyncio.to_thread(_last_numbers, db, self.app)
        while time.monotonic() < until and any(int(one.last or 0) < last.get(one.topic, 0) for one in self.each):
            await asyncio.sleep(0.2)
        # One that came twice would come now.
        await asyncio.sleep(1)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for one, ended in zip(self.each, await asyncio.gather(*self._tasks, return_exceptions=True), strict=True):
            if isinstance(ended, Exception):
                one.wrong.append(f"what came was not understood: {ended!r}")

    def heard(self, db: Postgres, load: Load) -> Heard:
        answered = {done.id: done.began + done.took for done in load.done if done.kind == "tell" and done.is_fine}
        last, kept = _last_numbers(db, self.app), _kept(db, self.app)
        told = Heard(len(self.each), (min(len(one.ids) for one in self.each), max(len(one.ids) for one in self.each)), len(answered),
                     sum(one.reconnects for one in self.each), sum(one.silences for one in self.each), 0, 0, 0, 0.0)
        for n, one in enumerate(self.each):
            name = f"subscriber {n} of {one.topic}"
            found = judge(one, answered, last.get(one.topic, 0), kept.get(one.topic, {}))
            told.missing += found["missing"]
            told.double += found["double"]
            told.out_of_order += found["out of order"]
            told.faults += [f"{name}: {count} {what}" for what, count in found.items() if count]
            told.faults += [f"{name}: {text}" for text in one.wrong[:3]] + [f"{name}: a gap was told: {gap}" for gap in one.gaps[:3]]
            late = [at - answered[id] for id, at in zip(one.ids, one.at, strict=True) if id in answered]
            told.latest_s = round(max([told.latest_s, *late]), 2)
            for node in one.nodes:
                told.streams[node] = told.streams.get(node, 0) + 1
            for why, count in one.refused.items():
                told.refused[why] = told.refused.get(why, 0) + count
        return told


def judge(one: Subscriber, answered: dict[str, float], last: int, kept: dict[int, str]) -> dict[str, int]:
    """Of one subscriber, what is not there, what is there twice, what is not in its place, and what is another one than is stored."""
    seen: set[int] = set()
    highest, out_of_order = one.begun or 0, 0
    for number in one.numbers:
        out_of_order += number not in seen and number < highest
        seen.add(number)
        highest = max(highest, number)
    # Numbers have no gap, so one that did not come is one that is missing, acknowledged or not.
    numbers = set(range((one.begun or 0) + 1, max(last, highest) + 1)) - seen
    # One that was acknowledged and is nowhere has no number, or one that is missing anyway.
    lost = len(answered.keys() - set(one.ids))
    return {
        "missing": max(len(numbers), lost),
        "double": len(one.ids) - min(len(set(one.ids)), len(seen)),
        "out of order": out_of_order,
        "not as stored": sum(1 for number, id in zip(one.numbers, one.ids, strict=True) if kept.get(number, id) != id),
    }


def _last_numbers(db: Postgres, app: App) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in db.query(f"SELECT name, last_seq FROM registered_topics WHERE app_id = '{app.id}'")}


def _kept(db: Postgres, app: App) -> dict[str, dict[int, str]]:
    """Of each topic the newest messages, which are what the window holds."""
    found: dict[str, dict[int, str]] = {}
    for topic, seq, message in db.query(f"SELECT topic, seq, message FROM topic_messages WHERE app_id = '{app.id}'"):
        found.setdefault(topic, {})[int(seq)] = json.loads(message)["id"]
    return found
