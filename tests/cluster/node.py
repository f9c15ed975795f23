"""One `picloud serve`, in its namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import net
from shell import Trouble

OWNER, PASSWORD = "owner", "cluster-of-three-owner"
# So long a node that is told to end says so and goes on: the proxy finds out within two seconds (a check's interval, and the time it
# has), and the third one is a busy machine's.
DRAIN_DELAY_MS = 3_000
DATA_PORT, ADMIN_PORT = 8080, 8081


class Node:
    def __init__(self, name: str, binary: Path, home: Path, database_url: str, secret_key: str) -> None:
        self.name, self.binary = name, binary
        self.home = home / name
        self.home.mkdir()
        self.log = self.home / "log"
        self.ready = self.home / "ready.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""
        self.environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "DATABASE_URL": database_url,
            "PICLOUD_SECRET_KEY": secret_key, "PICLOUD_DATA_DIR": str(self.home / "data"),
            "PICLOUD_ADMIN_USERNAME": OWNER, "PICLOUD_ADMIN_PASSWORD": PASSWORD,
            "PICLOUD_BIND": f"{self.address}:{DATA_PORT}", "PICLOUD_ADMIN_BIND": f"{self.address}:{ADMIN_PORT}",
            "PICLOUD_DRAIN_DELAY_MS": str(DRAIN_DELAY_MS), "PICLOUD_LOG": os.environ.get("PICLOUD_LOG", "info"),
            "PICLOUD_NODE_NAME": name, "PICLOUD_TRUSTED_PROXIES": net.ADDRESSES[net.PROXY],
        }

    @property
    def address(self) -> str:
        return net.ADDRESSES[self.name]

    def start(self) -> None:
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                net.within(self.name, "setpriv", "--pdeathsig", "KILL", str(self.binary), "serve", "--ready-file", str(self.ready)),
                env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise Trouble(f"node {self.name} ended:\n{self.tail()}")
        return self.ready.exists() and self.ready.stat().st_size > 0

    def wait(self, within_s: float = 180) -> None:
        deadline = time.monotonic() + within_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise Trouble(f"node {self.name} was not ready in {within_s:.0f} s:\n{self.tail()}")
            time.sleep(0.1)

    def tell(self, number: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 30) -> int:
        """Its exit code; killed when it takes too long."""
        if self.process is None:
            return 0
        self.tell(number)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def resident_bytes(self) -> int:
        if self.process is None or self.process.poll() is not None:
            return 0
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """The control plane, as its owner."""
        if not self.token and path != "admin/auth/login":
            self.token = self.api("POST", "admin/auth/login", {"username": OWNER, "password": PASSWORD})["token"]
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        data = None if body is None else json.dumps(body).encode()
        url = f"http://{self.address}:{ADMIN_PORT}/api/v1/{path}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}", error.code) from None
        except OSError as error:
            raise Trouble(f"{method} {path} of {self.name}: {error}") from None

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Refused(Trouble):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
