"""Subscribers of a topic on the data plane, over server-sent events, who come back with `Last-Event-ID`."""

from __future__ import annotations

import asyncio
import json
import random

import net
import proxy
from app import HOST, TOPIC
from load import read_head

# Heartbeats come every 15 s.
SILENT_S = 45.0
AGAIN_S = (0.2, 2.0)


class Subscriber:
    def __init__(self) -> None:
        # In the order they came.
        self.ids: list[str] = []
        self.numbers: list[int] = []
        self.gaps: list[str] = []
        self.connections = 0
        self.refused: list[str] = []
        self.last: str | None = None
        self.is_open = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, EOFError, ValueError, IndexError, TimeoutError):
                pass
            await asyncio.sleep(random.uniform(*AGAIN_S))

    async def _follow(self) -> None:
        reader, writer = await asyncio.open_connection(net.ADDRESSES[net.PROXY], proxy.PORT)
        try:
            resume = f"last-event-id: {self.last}\r\n" if self.last is not None else ""
            writer.write(f"GET /realtime/topics/{TOPIC} HTTP/1.1\r\nhost: {HOST}\r\naccept: text/event-stream\r\n{resume}\r\n".encode())
            status, headers = await asyncio.wait_for(read_head(reader), 15)
            if status != 200:
                self.refused.append(str(status))
                return
            self.connections += 1
            self.is_open.set()
            chunked = headers.get("transfer-encoding") == "chunked"
            text = b""
            while piece := await asyncio.wait_for(self._piece(reader, chunked), SILENT_S):
                text += piece
                while b"\n\n" in text:
                    block, text = text.split(b"\n\n", 1)
                    self._take(block.decode())
        finally:
            writer.close()

    @staticmethod
    async def _piece(reader: asyncio.StreamReader, chunked: bool) -> bytes:
        if not chunked:
            return await reader.read(65536)
        size = int((await reader.readline()).split(b";")[0], 16)
        piece = await reader.readexactly(size)
        await reader.readline()
        return piece

    def _take(self, block: str) -> None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        if "id" in fields:
            self.last = fields["id"]
        if fields.get("event") == "gap":
            self.gaps.append(fields.get("data", ""))
        elif fields.get("event") == "message":
            data = json.loads(fields["data"])
            self.ids.append(data["message"]["id"])
            self.numbers.append(int(data["seq"]))

    def faults(self, acked: set[str]) -> list[str]:
        """What is not once, in order, and all."""
        found = []
        missing = acked - set(self.ids)
        if missing:
            found.append(f"{len(missing)} of {len(acked)} acknowledged messages never came")
        if len(set(self.ids)) < len(self.ids):
            found.append(f"{len(self.ids) - len(set(self.ids))} messages came twice")
        if self.numbers != list(range(self.numbers[0], self.numbers[0] + len(self.numbers))) if self.numbers else False:
            found.append("sequence numbers are not one after the other")
        if self.gaps:
            found.append(f"gaps were told: {self.gaps[:3]}")
        return found
