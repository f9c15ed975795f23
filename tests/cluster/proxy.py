"""Debian's Caddy in front, with the Caddyfile of the repository: without TLS, and told by its environment who the nodes are."""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path

import net
from node import ADMIN_PORT, DATA_PORT
from shell import Trouble, run

PORT = 8080
FILE = Path(__file__).resolve().parents[2] / "caddy/Caddyfile"


def said(option: str) -> float:
    """Of the file, so many seconds."""
    found = re.findall(rf"^\s*{option} (\d+)(ms|s)$", FILE.read_text(), re.MULTILINE)
    if len(found) != 1:
        raise Trouble(f"{FILE} says {option} {len(found)} times")
    number, unit = found[0]
    return int(number) / (1000 if unit == "ms" else 1)


# A node that fails is out after this at the latest: one interval, and as long as a check may take.
CHECK_EVERY_S, CHECK_WITHIN_S = said("health_interval"), said("health_timeout")
# So long a request waits for a node that takes it, when the first one asked does not answer its connection.
TRY_S = said("lb_try_duration")


def upstreams(port: int) -> str:
    return " ".join(f"{net.ADDRESSES[name]}:{port}" for name in net.NODES)


class Proxy:
    def __init__(self, home: Path) -> None:
        self.home = home / "lb"
        self.home.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "XDG_DATA_HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            # Here it is about nodes, not about certificates.
            "PICLOUD_APPS_SITE": f"http://:{PORT}", "PICLOUD_ADMIN_SITE": f"http://:{ADMIN_PORT}",
            "PICLOUD_DATA_UPSTREAMS": upstreams(DATA_PORT), "PICLOUD_ADMIN_UPSTREAMS": upstreams(ADMIN_PORT),
            "CADDY_OPTIONS": "auto_https off",
            # Which node it was, for who reads of a failure.
            "CADDY_PROXY_OPTIONS": "header_down x-node {http.reverse_proxy.upstream.hostport}",
        }

    def start(self) -> None:
        told = ("--config", str(FILE), "--adapter", "caddyfile")
        run("caddy", "validate", *told, environment=self.environment)
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                net.within(net.PROXY, "setpriv", "--pdeathsig", "KILL", "caddy", "run", *told),
                env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://{net.ADDRESSES[net.PROXY]}:{PORT}/healthz", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Trouble(f"caddy does not answer:\n{(self.home / 'log').read_text()[-2000:]}") from None
                time.sleep(0.1)

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


__all__ = ["CHECK_EVERY_S", "CHECK_WITHIN_S", "PORT", "Proxy", "TRY_S"]
