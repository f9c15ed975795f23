"""Debian's Caddy in front, with active health checks."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from pathlib import Path

import net
from node import ADMIN_PORT, DATA_PORT
from shell import Trouble, run

PORT = 8080
# A node that fails is out after this at the latest: one interval, and as long as a check may take.
CHECK_EVERY_S, CHECK_WITHIN_S = 1, 1
# So long a request waits for a node that takes it, when the first one asked does not answer its connection.
TRY_S = 2
NODES = " ".join(f"{net.ADDRESSES[name]}:{DATA_PORT}" for name in net.NODES)

# What the product's own Caddyfile says of balancing, without certificates: here it is about nodes.
CONFIG = f"""
{{
	admin off
	auto_https off
}}
:{PORT} {{
	reverse_proxy {NODES} {{
		lb_policy round_robin
		lb_try_duration {TRY_S}s
		lb_try_interval 100ms
		health_uri /healthz
		health_interval {CHECK_EVERY_S}s
		health_timeout {CHECK_WITHIN_S}s
		fail_duration 2s
		max_fails 2
		flush_interval -1
		header_down x-node {{http.reverse_proxy.upstream.hostport}}
		transport http {{
			dial_timeout 1s
		}}
	}}
	# No node is fit: that is the database's doing, and what needs none is still answered by any of them.
	handle_errors {{
		@none expression {{http.error.status_code}} == 503
		reverse_proxy @none {NODES} {{
			lb_policy round_robin
			lb_try_duration {TRY_S}s
			flush_interval -1
			header_down x-node {{http.reverse_proxy.upstream.hostport}}
		}}
	}}
	log {{
		output discard
	}}
}}
"""


class Proxy:
    def __init__(self, home: Path) -> None:
        self.home = home / "lb"
        self.home.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.home / "Caddyfile"
        config.write_text(CONFIG)
        run("caddy", "validate", "--config", str(config), "--adapter", "caddyfile")
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "XDG_DATA_HOME": str(self.home),
                       "XDG_CONFIG_HOME": str(self.home)}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                net.within(net.PROXY, "setpriv", "--pdeathsig", "KILL", "caddy", "run", "--config", str(config), "--adapter", "caddyfile"),
                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
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


__all__ = ["ADMIN_PORT", "CHECK_EVERY_S", "CHECK_WITHIN_S", "PORT", "Proxy", "TRY_S"]
