"""What was found, for people: on the terminal, and in RESULTS.md."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plots
from faults import FAULTS, Result


def say_fault(result: Result) -> None:
    told = result.balance
    print(f"\n{result.fault}: {result.what}\n  {result.sent} requests in {result.seconds} s, {result.fine} fine; last failure "
          f"{result.last_failure_s} s after the fault; events settled {told.settled_after_s} s after the load", flush=True)
    for why, count in result.allowed.items():
        print(f"  {count} failed and may: {why}")
    for part, latency in result.latency_ms.items():
        print(f"  {part}: p50 {latency['p50']} ms, p99 {latency['p99']} ms")
    for name, value in result.notes.items():
        print(f"  {name}: {value}")
    for kind, counts in (told.kinds | told.handlers).items():
        print(f"  {kind}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    print(f"  ticks: {told.ticks}; runs of attempts that were settled by another: {told.fenced}")
    if result.heard:
        say_heard(result.heard.json())
    for line in result.log[:12]:
        print(f"  log: {line}")
    for fault in result.faults[:20]:
        print(f"  FAILED: {fault}")
    if len(result.faults) > 20:
        print(f"  FAILED: and {len(result.faults) - 20} more")
    print(f"{result.fault}: {'FAILED' if result.faults else 'passed'}", flush=True)


def say_heard(heard: dict[str, Any]) -> None:
    print(f"  {heard['subscribers']} subscribers: {span(heard['messages'])} messages each ({heard['acknowledged']} were acknowledged), "
          f"{heard['missing']} missing, {heard['double']} double, {heard['out_of_order']} out of order; came back {heard['reconnects']} times, "
          f"{heard['silences']} of them after silence; the latest after {heard['latest_s']} s\n"
          f"  streams: {heard['streams']}; refused: {heard['refused']}", flush=True)


def span(pair: Sequence[int]) -> str:
    low, high = pair
    return f"{low}" if low == high else f"{low} to {high}"


RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "RESULTS.md"


def machine() -> str:
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def write(found: dict[str, Any], binary: Path) -> None:
    """Takes what was found into `results/`, beside what other runs found, and makes RESULTS.md of all of it."""
    RESULTS.mkdir(exist_ok=True)
    kind = next(iter(found))
    about = {"at": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine(), "build": build(binary)}
    file = RESULTS / f"{kind}.json"
    if kind == "faults":
        known = {result["fault"]: result for result in (json.loads(file.read_text())["faults"] if file.exists() else [])}
        known |= {result["fault"]: result for result in found["faults"]}
        found = {"faults": [known[name] for name in FAULTS if name in known]}
    file.write_text(json.dumps(found | {"about": about}, indent=1, default=str) + "\n")
    if kind == "soak":
        for name, plot in plots.of_soak(found["soak"]["samples"]).items():
            (RESULTS / f"{name}.svg").write_text(plot)
    PAGE.write_text(page())


def build(binary: Path) -> str:
    return next((part for part in ("release", "debug") if part in binary.parts), "debug")


def page() -> str:
    parts = ["# What was found\n", "Written by the program beside this page (`--write`); [README.md](README.md) says what each word means. "
             "The machine is shared with other work: latencies are for comparing with each other.\n"]
    for kind, show in (("faults", faults_page), ("soak", soak_page), ("restore", restore_page)):
        file = RESULTS / f"{kind}.json"
        if file.exists():
            told = json.loads(file.read_text())
            about = told["about"]
            parts += show(told[kind]) + [f"\n{about['at']}, {about['machine']}, a {about['build']} build.\n"]
    return "\n".join(parts)


def faults_page(results: list[dict[str, Any]]) -> list[str]:
    lines = ["## Faults under load\n",
             "Which requests may fail, and until when after each fault: [README.md](README.md#what-is-held). It is always the first node that is "
             "struck; `rolling` replaces nodes by the same build (a version beside the one before it: `tests/it/cluster.rs`).\n",
             "| fault | requests | failed, and may | failed, and may not | p99 before / during / after, ms | acknowledged writes and messages lost "
             "| handler runs beyond one for an event | verdict |", "|---|---|---|---|---|---|---|---|"]
    for result in results:
        told, latency = result["balance"], result["latency_ms"]
        allowed = "; ".join(f"{count} {why}" for why, count in result["allowed"].items()) or "none"
        acked = sum(kind["acknowledged"] for kind in told["kinds"].values())
        again = sum(handler["again"] for handler in told["handlers"].values())
        lost = sum(kind["lost"] for kind in told["kinds"].values())
        cells = [f"`{result['fault']}`: {result['what']}", f"{result['sent']} at {result['rate']:.0f}/s", allowed, len(result["failed"]),
                 " / ".join(f"{latency[part]['p99']}" for part in ("before", "during", "after")), f"{lost} of {acked}", again,
                 "passed" if result["passed"] else "FAILED"]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines.append("")
    for result in results:
        lines += [f"- `{result['fault']}`: {name}: {value}" for name, value in result["notes"].items()]
        if result["balance"]["fenced"]:
            lines.append(f"- `{result['fault']}`: {result['balance']['fenced']} attempts came to an end on two nodes, and were settled by one")
        if result["balance"]["ticks"].get("missed"):
            ticks = result["balance"]["ticks"]
            lines.append(f"- `{result['fault']}`: of {ticks['first_to_last_s']} ticks {ticks['missed']} fell into the time without a database "
                         "and fired as one")
    # What was found before there were any has none.
    heard = [(f"`{result['fault']}`", result["heard"]) for result in results if result.get("heard")]
    return [*lines, "", *heard_page("fault", heard)] if heard else lines


def heard_page(of: str, told: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = [f"| {of} | subscribers | messages each | acknowledged | reconnects, of them after silence | missing | double | out of order "
             "| the latest after, s |", "|---|---|---|---|---|---|---|---|---|"]
    for name, heard in told:
        cells = [name, heard["subscribers"], span(heard["messages"]), heard["acknowledged"], f"{heard['reconnects']}, {heard['silences']}",
                 heard["missing"], heard["double"], heard["out_of_order"], heard["latest_s"]]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def soak_page(soak: dict[str, Any]) -> list[str]:
    lines = [f"\n## Soak: {soak['minutes']:g} minutes at {soak['rate']:g} requests/s\n", f"{soak['requests']} requests.\n",
             "| criterion | found | at most | |", "|---|---|---|---|"]
    lines += [f"| {line['what']} | {line['found']} {line['unit']} | {line['at most']} {line['unit']} | {'holds' if line['holds'] else 'FAILED'} |"
              for line in soak["verdict"]]
    if soak.get("heard"):
        lines += ["", *heard_page("run", [("soak", soak["heard"])])]
    return [*lines, "", *(f"![{name}](results/{name}.svg)" for name in ("memory", "latency", "tables", "waiting"))]


def restore_page(drill: dict[str, Any]) -> list[str]:
    lines = [f"\n## Restore drill: {drill['database_mib']} MiB of database, {drill['files_mib']} MiB of files\n", "| step | s |", "|---|---|"]
    lines += [f"| {step} | {took} |" for step, took in drill["steps"].items()]
    return [*lines, "", f"Verdict: {'passed' if drill['passed'] else 'FAILED'}: {drill['compared']} rows and files compared."]
