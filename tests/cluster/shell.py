"""Commands of the system, and how their failure is told."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence


class Trouble(Exception):
    """What ends the program with one line for people."""


def run(*command: str, stdin: str | None = None, fine: bool = False, environment: dict[str, str] | None = None) -> str:
    """What the command printed; `fine` says that its failure is nobody's concern."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0 and not fine:
        raise Trouble(f"{' '.join(command)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def need(programs: Sequence[tuple[str, str]]) -> None:
    """Each program with the Debian package that has it."""
    missing = sorted({package for program, package in programs if shutil.which(program) is None})
    if missing:
        raise Trouble(f"please install: apt-get install {' '.join(missing)}")
