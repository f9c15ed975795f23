"""The drill: back up while nodes serve, lose everything, restore to a machine that has nothing, compare. Every step is timed."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from app import HOST
from cluster import Cluster, find_binary
from ledger import settle
from load import Load
from shell import Trouble

MIB = 1 << 20
# What is written while the backup runs: it is consistent at one point, whatever goes on.
RATE = 40
# Rows are compared as text, but for what is another on another server: the directory of files, numbers of transactions, when the schema was made.
ROWS = {"file_volumes": "'a volume'", "executions": "(to_jsonb(t) - 'txid')::text", "_sqlx_migrations": "t.version::text || encode(t.checksum, 'hex')"}
TABLES = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
SECRET = "kept by a key that is in the backup alone"
FILL = """
    let collection = kv::collection("filling");
    let text = "";
    while text.len() < 60000 { text += crypto::sha256(ctx.request.body.id + text.len()) }
    for n in 0..16 { collection.set(ctx.request.body.id + n, text + n); }
    files::collection("filling").create(ctx.request.body.id, text);
"""


def picloud(binary: Path, *command: str, **environment: str) -> str:
    done = subprocess.run([str(binary), *command], env={"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **environment},
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"picloud {' '.join(command)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def has_backup(binary: Path) -> bool:
    return subprocess.run([str(binary), "backup", "--help"], capture_output=True, check=False).returncode == 0


def fill(cluster: Cluster, megabytes: int) -> None:
    """About so much of entries, and a sixteenth of files."""
    node = cluster.nodes[0]
    script = node.api("POST", "admin/scripts", {"app_id": cluster.app.id, "name": "fill", "source": FILL,
                                                "limits": {"fuel": 50_000_000_000, "timeout_ms": 60_000}})["id"]
    for n in range(megabytes):
        node.api("POST", f"execute/{script}", {"id": f"fill-{n}-"})


def digest(cluster: Cluster) -> dict[str, tuple[int, str]]:
    """Of each table its rows and a hash of them."""
    found = {}
    for (table,) in cluster.db.query(TABLES):
        rows = sorted("\t".join(row) for row in cluster.db.query(f"SELECT {ROWS.get(table, 't::text')} FROM {table} AS t"))
        found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


def blobs(files: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.rglob("*") if path.is_file()}


def run(args: argparse.Namespace) -> dict[str, Any]:
    binary = find_binary()
    if not has_backup(binary):
        raise Trouble(f"{binary} has no `picloud backup`: nothing to drill")
    steps: dict[str, float] = {}

    def timed(what: str, began: float) -> None:
        steps[what] = round(time.monotonic() - began, 2)
        print(f"  {what}: {steps[what]} s", flush=True)

    with Cluster(realtime="off", keep=args.keep) as cluster:
        fill(cluster, args.megabytes)
        first = cluster.nodes[0]
        first.api("PUT", f"admin/apps/{cluster.app.id}/secrets/DRILL", {"value": SECRET})
        reader = first.api("POST", "admin/scripts", {"app_id": cluster.app.id, "name": "reader", "source": 'secrets::get("DRILL")'})["id"]
        files = first.home / "data/files"
        settings = {"DATABASE_URL": cluster.db.url, "PICLOUD_SECRET_KEY": first.environment["PICLOUD_SECRET_KEY"],
                    "PICLOUD_DATA_DIR": first.environment["PICLOUD_DATA_DIR"], "PICLOUD_BACKUP_KEY_FILE": str(cluster.home / "backup.key")}
        (cluster.home / "backup.key").write_text(secrets.token_hex(32))
        repository = cluster.home / "backup"
        steps["backup, the first, under load"] = asyncio.run(_backup_under_load(cluster, binary, repository, settings))
        # Nothing is written any more: what this one holds is what must be there again.
        for node in cluster.nodes[1:]:
            node.end()
        _quiet(cluster)
        before, bytes_before = digest(cluster), blobs(files)
        size = cluster.db.number("SELECT pg_database_size(current_database())")
        files_size = sum(path.stat().st_size for path in files.rglob("*") if path.is_file())
        began = time.monotonic()
        picloud(binary, "backup", "create", str(repository), **settings)
        timed("backup, the second: what changed", began)
        began = time.monotonic()
        picloud(binary, "backup", "verify", str(repository), **settings)
        timed("verify", began)

        first.end()
        cluster.db.stop("immediate")
        shutil.rmtree(cluster.db.home)
        shutil.rmtree(first.home / "data")
        lost = time.monotonic()
        cluster.db.make()
        cluster.db.start()
        cluster.db.create()
        timed("a new PostgreSQL", lost)
        began = time.monotonic()
        # The new machine has the backup and its passphrase, and nothing else.
        for environment in (settings, first.environment):
            del environment["PICLOUD_SECRET_KEY"]
        picloud(binary, "restore", str(repository), **settings)
        timed("restore", began)
        began = time.monotonic()
        after, bytes_after = digest(cluster), blobs(files)
        timed("comparing", began)
        began = time.monotonic()
        first.start()
        first.wait()
        _answers(first.address)
        timed("a node, to its first answer", began)
        steps["from nothing to the first answer"] = round(time.monotonic() - lost - steps["comparing"], 2)
        faults = [f"{table}: {before.get(table, (0,))[0]} rows were backed up, {after.get(table, (0,))[0]} are there, or they differ"
                  for table in sorted(before | after) if before.get(table) != after.get(table)]
        if bytes_before != bytes_after:
            faults.append("files differ")
        if first.api("POST", f"execute/{reader}", {}) != SECRET:
            faults.append("a secret cannot be read any more")
        for fault in faults:
            print(f"  FAILED: {fault}")
        compared = sum(count for count, _ in before.values()) + len(bytes_before)
        return {"steps": steps, "database_mib": round(size / MIB), "files_mib": round(files_size / MIB), "compared": compared,
                "faults": faults, "passed": not faults}


async def _backup_under_load(cluster: Cluster, binary: Path, repository: Path, settings: dict[str, str]) -> float:
    load, until = Load(RATE), asyncio.Event()
    sending = asyncio.create_task(load.run(until))
    await asyncio.sleep(2)
    try:
        began = time.monotonic()
        await asyncio.to_thread(picloud, binary, "backup", "create", str(repository), **settings)
        took = round(time.monotonic() - began, 2)
        print(f"  backup, the first, under {RATE} requests/s: {took} s", flush=True)
    finally:
        until.set()
        await sending
    failed = [done for done in load.done if not done.is_fine]
    if failed:
        raise Trouble(f"{len(failed)} requests failed while the backup ran: {failed[0]}")
    return took


def _quiet(cluster: Cluster) -> None:
    tick = f"admin/apps/{cluster.app.id}/triggers/{cluster.app.triggers['on-tick']}"
    cluster.nodes[0].api("PATCH", tick, {"enabled": False})
    settle(cluster.db)
    # Records and usage are written behind the answers.
    time.sleep(2)


def _answers(address: str) -> None:
    request = urllib.request.Request(f"http://{address}:8080/hello", headers={"host": HOST})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
