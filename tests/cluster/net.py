"""One namespace for each machine that is played, and a bridge between them: cables that can be cut."""

from __future__ import annotations

import os
import signal

from shell import run

# Several may run beside each other under numbers of their own, 0 to 9.
INSTANCE = int(os.environ.get("PICLOUD_CLUSTER", "0")) % 10
# 198.18.0.0/15 is reserved for benchmarks (RFC 2544): nobody's real network is shadowed.
NET = f"198.18.{70 + INSTANCE}"
PREFIX = f"picloud{INSTANCE}-"
BRIDGE = f"{PREFIX}br"
CUT = "cut"
DATABASE, PROXY, NODES = "db", "lb", ("n1", "n2", "n3")
ADDRESSES = {DATABASE: f"{NET}.10", PROXY: f"{NET}.2", "n1": f"{NET}.11", "n2": f"{NET}.12", "n3": f"{NET}.13"}
CLIENT = f"{NET}.1"


def build() -> None:
    """Everything anew; the client is in the namespace that this runs in."""
    remove()
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{CLIENT}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for name, address in ADDRESSES.items():
        space, link = PREFIX + name, PREFIX + name
        run("ip", "netns", "add", space)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", link, "master", BRIDGE, "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")


def remove() -> None:
    """What is left of this run, or of one that was killed: processes first."""
    for name in ADDRESSES:
        space = PREFIX + name
        for pid in run("ip", "netns", "pids", space, fine=True).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run("ip", "netns", "delete", space, fine=True)
        # A link goes with its namespace, but not at once.
        run("ip", "link", "delete", PREFIX + name, fine=True)
    run("ip", "link", "delete", BRIDGE, fine=True)


def within(name: str, *command: str) -> list[str]:
    """The command in that namespace. It ends with this program, however that ends."""
    return ["ip", "netns", "exec", PREFIX + name, *command]


def cut(name: str, peer: str, how: str) -> None:
    """Between that machine and a peer nothing passes: packets vanish (`drop`), or the peer's kernel answers each with a reset."""
    address, other = ADDRESSES[name], ADDRESSES[peer]
    if how == "drop":
        rules = f"""
            table inet {CUT} {{
              chain into {{ type filter hook input priority 0; ip saddr {other} drop; }}
              chain from {{ type filter hook output priority 0; ip daddr {other} drop; }}
            }}
        """
    else:
        # There, because a reset that is made here does not come in from there.
        name = peer
        rules = f"""
            table inet {CUT} {{
              chain into {{ type filter hook input priority 0; ip saddr {address} meta l4proto tcp reject with tcp reset; }}
            }}
        """
    run(*within(name, "nft", "-f", "-"), stdin=rules)


def heal(name: str, peer: str) -> None:
    for machine in (name, peer):
        run(*within(machine, "nft", "delete", "table", "inet", CUT), fine=True)
