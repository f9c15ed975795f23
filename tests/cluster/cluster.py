"""Three nodes, one PostgreSQL, one Caddy: put together, and taken down whatever happens."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO

import app
import net
import shell
from node import Node
from postgres import Postgres
from proxy import Proxy
from shell import Trouble

LOCK = f"/run/picloud-cluster-{net.INSTANCE}.lock"
PROGRAMS = [("ip", "iproute2"), ("nft", "nftables"), ("caddy", "caddy"), ("psql", "postgresql-client"), ("setpriv", "util-linux")]


def find_binary() -> Path:
    """`PICLOUD`, else the newest that was built here."""
    root = Path(__file__).resolve().parents[2]
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    named = os.environ.get("PICLOUD")
    found = [Path(named)] if named else [path for path in (target / "release/picloud", target / "debug/picloud") if path.exists()]
    if not found or not found[0].exists():
        raise Trouble("there is no picloud: build it first (`make build`, or `cargo test --no-run`), or name one in PICLOUD")
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


class Cluster:
    def __init__(self, *, ttl_s: int = 0, realtime: str = "on", keep: bool = False) -> None:
        self.ttl_s, self.realtime, self.keep = ttl_s, realtime, keep
        self.binary = find_binary()
        self.nodes: list[Node] = []
        self._lock: IO[str] | None = None

    def __enter__(self) -> Cluster:
        if os.geteuid() != 0:
            raise Trouble("network namespaces need root: run this as root")
        shell.need(PROGRAMS)
        # Names the directory of the run, so that the next one can remove what a killed one left.
        self._lock = open(LOCK, "a+", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble("another cluster runs on this machine: wait for it, or set PICLOUD_CLUSTER to another number, 0 to 9") from None
        self._lock.seek(0)
        if left := self._lock.read().strip():
            net.remove()
            shutil.rmtree(left, ignore_errors=True)
        self.home = Path(tempfile.mkdtemp(prefix="picloud-cluster-"))
        self._note(str(self.home))
        # PostgreSQL's user passes through.
        self.home.chmod(0o711)
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def _note(self, home: str) -> None:
        assert self._lock is not None
        self._lock.truncate(0)
        self._lock.write(home)
        self._lock.flush()

    def _start(self) -> None:
        net.build()
        self.db = Postgres(self.home)
        self.db.make()
        self.db.start()
        self.db.create()
        key = secrets.token_hex(32)
        self.nodes = [Node(name, self.binary, self.home, self.db.url, key) for name in net.NODES]
        first = self.nodes[0]
        first.start()
        first.wait(600)
        files = first.home / "data/files"
        for node in self.nodes[1:]:
            # What was compiled once need not be again, and files are on one disk for all: as on a network file system.
            data = node.home / "data"
            data.mkdir(mode=0o700)
            shutil.copytree(first.home / "data/artifacts", data / "artifacts")
            shutil.copy(first.home / "data/picloud-data", data / "picloud-data")
            (data / "files").symlink_to(files)
            node.start()
        for node in self.nodes[1:]:
            node.wait()
        self.app = app.make(first, self.ttl_s, self.realtime)
        self.proxy = Proxy(self.home)
        self.proxy.start()
        self._until_all_know()

    def _until_all_know(self) -> None:
        """Until a node that was told last has heard of the app's routes."""
        for node in self.nodes:
            request = urllib.request.Request(f"http://{node.address}:8080/hello", headers={"host": app.HOST})
            for attempt in range(100):
                try:
                    with urllib.request.urlopen(request, timeout=10):
                        break
                except OSError:
                    if attempt == 99:
                        raise Trouble(f"{node.name} does not answer for the app:\n{node.tail()}") from None
                    time.sleep(0.1)

    def _end(self) -> None:
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.kill()
        net.remove()
        self._note("")
        if self.keep:
            print(f"kept: {self.home}", flush=True)
        else:
            shutil.rmtree(self.home, ignore_errors=True)
        if self._lock:
            self._lock.close()

    def complaints(self) -> list[str]:
        """Errors of nodes' logs, without their time, each kind once with its number."""
        found: dict[str, int] = {}
        for node in self.nodes:
            for line in node.log.read_text(errors="replace").splitlines():
                for level in (" ERROR ", " WARN "):
                    if level in line:
                        text = level.strip() + " " + line.split(level, 1)[1].strip()[:160]
                        found[text] = found.get(text, 0) + 1
        return [f"{count} × {text}" for text, count in sorted(found.items(), key=lambda item: -item[1])]
