"""Lines over time as SVG, without anything that would have to be installed. Readable on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 240, 64, 150, 34, 34
COLOURS = ("#2f6fde", "#d9822b", "#2e9e6b", "#b0468f", "#7a6ee0", "#8a8f98")


def ticks(highest: float) -> list[float]:
    """Round steps, four or so."""
    step = 10.0 ** len(str(int(max(highest, 1))))
    while highest / step < 3:
        step /= 2 if highest / step < 1.5 else 2.5
        if step < 1e-6:
            break
    return [step * n for n in range(int(highest / step) + 2)]


def lines(title: str, unit: str, times_s: Sequence[float], series: dict[str, Sequence[float]]) -> str:
    highest = max((max(values) for values in series.values() if values), default=1.0) or 1.0
    marks = ticks(highest)
    top, span = marks[-1], max(times_s[-1], 1.0)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(at: float) -> float:
        return LEFT + at / span * width

    def y(value: float) -> float:
        return TOP + height - value / top * height

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
             'font-size="12" fill="#8a8f98">',
             f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}, {escape(unit)}</text>']
    for mark in marks:
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + width}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#8a8f98" stroke-opacity="0.25"/>'
                     f'<text x="{LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for part in range(5):
        at = span * part / 4
        parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{at / 60:.1f} min</text>')
    for index, (name, values) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in zip(times_s, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
                     f'<text x="{LEFT + width + 10}" y="{TOP + 14 + index * 16}" fill="{colour}">{escape(name)}</text>')
    parts.append("</svg>\n")
    return "\n".join(parts)


def of_soak(samples: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By file name."""
    times = [sample["at_s"] for sample in samples]
    nodes = {f"node {n + 1}": [sample["nodes_mib"][n] for sample in samples] for n in range(len(samples[0]["nodes_mib"]))}
    return {
        "memory": lines("Resident memory", "MiB", times, nodes | {"PostgreSQL": [s["postgres_mib"] for s in samples]}),
        "latency": lines("Latency through the proxy", "ms", times, {name: [s[f"{name}_ms"] for s in samples] for name in ("p50", "p99")}),
        "tables": lines("Rows", "rows", times, {table: [s["rows"][table] for s in samples]
                                                for table in ("kv_entries", "executions", "documents", "events", "logs", "usage")}),
        "waiting": lines("Events that wait", "events", times, {"waiting": [s["waiting"] for s in samples]}),
    }
