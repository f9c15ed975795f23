"""The load: requests at a stated rate whatever becomes of those before (open loop), over HTTP/1.1 with connections kept alive.

Nothing is ever sent twice. What a request came to is one `Done`; what was acknowledged is a promise that `ledger` holds against
the database.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass

import net
import proxy
from app import HOST

# Parts of a hundred.
MIX = {"hello": 22, "read": 14, "set": 16, "doc": 9, "file": 3, "send": 12, "slow": 4, "publish": 8, "tell": 4, "async": 8}
WITHIN_S = 15.0
IN_FLIGHT_MAX = 2_000
# What was acknowledged is read within this: an entry of the soak lives for two minutes.
READ_WITHIN_S = 60.0
# The proxy closes what rests for two minutes; whoever uses it just then cannot know.
REST_S = 60.0


@dataclass
class Done:
    kind: str
    id: str
    # When it was to be sent, and what it took from then on, by the clock of `time.monotonic`.
    began: float
    took: float
    # 0: no answer.
    status: int
    why: str
    # The node that answered, as the proxy says.
    node: str

    @property
    def is_fine(self) -> bool:
        return 200 <= self.status < 300


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def exchange(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n"
        if method == "POST":
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        await self.writer.drain()
        status, headers = await read_head(self.reader)
        if headers.get("transfer-encoding") == "chunked":
            content = b""
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                content += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readline()
        else:
            content = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return status, headers, content

    def close(self) -> None:
        self.writer.close()


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first = await reader.readline()
    if not first:
        raise ConnectionError("closed")
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(first.split()[1]), headers


class Load:
    def __init__(self, rate: float, mix: dict[str, int] | None = None) -> None:
        self.rate = rate
        mix = mix or MIX
        self.kinds, self.weights = list(mix), list(mix.values())
        self.done: list[Done] = []
        # Ids that were acknowledged, by kind.
        self.acked: dict[str, set[str]] = defaultdict(set)
        # Answered, but not with what was acknowledged before.
        self.untrue: list[str] = []
        self.skipped = 0
        self._recent: deque[tuple[float, str]] = deque(maxlen=500)
        self._idle: list[tuple[float, Connection]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(1)
        self._count = 0

    async def run(self, until: asyncio.Event) -> None:
        """Sends until told to end, then waits for what is under way."""
        began = time.monotonic()
        while not until.is_set():
            due = began + self._count / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self._count += 1
            if len(self._tasks) >= IN_FLIGHT_MAX:
                self.skipped += 1
                continue
            task = asyncio.create_task(self._one(due, self._count))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        for _, connection in self._idle:
            connection.close()

    async def _one(self, due: float, number: int) -> None:
        kind = self._random.choices(self.kinds, self.weights)[0]
        id = uuid.uuid4().hex
        method, path, body = "POST", f"/{kind}", json.dumps({"id": id, "n": number}).encode()
        if kind in ("hello", "read"):
            method, body = "GET", b""
        if kind == "read":
            while self._recent and time.monotonic() - self._recent[0][0] > READ_WITHIN_S:
                self._recent.popleft()
            if not self._recent:
                return
            id = self._random.choice(self._recent)[1]
            path = f"/read?id={id}"
        status, why, node, content = 0, "", "", b""
        try:
            async with asyncio.timeout(WITHIN_S):
                status, headers, content = await self._exchange(method, path, body)
            node = headers.get("x-node", "")
            why = "" if 200 <= status < 300 else content.decode(errors="replace")[:200]
        except TimeoutError:
            why = f"no answer in {WITHIN_S:.0f} s"
        except (OSError, EOFError, ValueError, IndexError) as error:
            why = f"{type(error).__name__}: {error}"
        done = Done(kind, id, due, time.monotonic() - due, status, why, node)
        self.done.append(done)
        if done.is_fine:
            self._acknowledged(done, content)

    def _acknowledged(self, done: Done, content: bytes) -> None:
        if done.kind == "read" and content != b"1":
            self.untrue.append(f"{done.id} was acknowledged, and read as {content[:80]!r}")
        self.acked[done.kind].add(done.id)
        if done.kind == "set":
            self._recent.append((time.monotonic(), done.id))

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = None
        while self._idle and connection is None:
            # Those that rest the longest are at the bottom.
            since, connection = self._idle.pop()
            if time.monotonic() - since > REST_S:
                connection.close()
                connection = None
        if connection is None:
            connection = Connection(*await asyncio.open_connection(net.ADDRESSES[net.PROXY], proxy.PORT))
        try:
            status, headers, content = await connection.exchange(method, path, body)
        except BaseException:
            connection.close()
            raise
        if headers.get("connection") == "close":
            connection.close()
        else:
            self._idle.append((time.monotonic(), connection))
        return status, headers, content


def percentile(values: list[float], part: float) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
