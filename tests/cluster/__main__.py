"""PiCloud's cluster under faults, and the soak: README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import types
from typing import Any

import faults
import report
import restore
import soak
from cluster import Cluster, find_binary
from shell import Trouble


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", metavar="FILE", help="write what was found there, too (- for standard output)")
    common.add_argument("--realtime", choices=("auto", "on", "off"), default="on", help="subscribers on the data plane (on)")
    common.add_argument("--keep", action="store_true", help="leave data and logs behind, and say where")
    common.add_argument("--write", action="store_true", help="write RESULTS.md beside this program")
    common.add_argument("--rate", type=float, default=60, help="requests per second (60)")
    under = commands.add_parser("faults", parents=[common], help="faults under load")
    under.add_argument("--fault", choices=[*faults.FAULTS, "all"], action="append", help="which (all)")
    under.add_argument("--seconds", type=float, default=20, help="how long a fault lasts at least (20)")
    long = commands.add_parser("soak", parents=[common], help="mixed load for a long time")
    long.add_argument("--minutes", type=float, default=30, help="how long (30)")
    drill = commands.add_parser("restore", parents=[common], help="back up, lose everything, restore: timed")
    drill.add_argument("--megabytes", type=int, default=64, help="size of the data (64)")
    return parser.parse_args()


def stop(number: int, _: types.FrameType | None) -> None:
    """As Ctrl-C: everything is taken down on the way out."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def run_faults(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    names = args.fault or ["all"]
    names = list(faults.FAULTS) if "all" in names else names
    results = []
    unsaid = []
    for name in names:
        try:
            # A cluster of its own for each: one fault leaves nothing for the next to trip over, or to hide behind.
            with Cluster(realtime=args.realtime, keep=args.keep) as cluster:
                result = asyncio.run(faults.under_load(cluster, name, args.rate, args.seconds))
        except Trouble as trouble:
            print(f"\n{name}: not tried: {trouble}", file=sys.stderr, flush=True)
            unsaid.append(name)
            continue
        report.say_fault(result)
        results.append(result.json())
    if not results:
        raise Trouble(f"nothing is said of {', '.join(unsaid)}")
    return results, unsaid


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    if os.geteuid() == 0:
        # Whatever else the machine does is not what is looked at; everything that is started from here inherits it.
        os.nice(-10)
    unsaid: list[str] = []
    try:
        found: dict[str, Any]
        if args.command == "faults":
            results, unsaid = run_faults(args)
            found = {"faults": results}
            passed = all(result["passed"] for result in found["faults"])
        elif args.command == "soak":
            found = {"soak": soak.run(args)}
            passed = found["soak"]["passed"]
        else:
            found = {"restore": restore.run(args)}
            passed = found["restore"]["passed"]
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; everything is taken down", file=sys.stderr)
        return 130
    if args.json:
        text = json.dumps(found, indent=2, default=str) + "\n"
        if args.json == "-":
            print(text, end="")
        else:
            with open(args.json, "w", encoding="utf-8") as file:
                file.write(text)
    if args.write:
        report.write(found, find_binary())
    return 1 if not passed else 2 if unsaid else 0


if __name__ == "__main__":
    sys.exit(main())
