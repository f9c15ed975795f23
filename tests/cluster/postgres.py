"""The one PostgreSQL, in a namespace of its own. Asked here by its socket, which no cut reaches."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import net
from shell import Trouble, run

PASSWORD = "cluster-of-three"
DATABASE = "picloud"


def binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    path = os.environ.get("PICLOUD_POSTGRES_BIN") or (found[-1] if found else os.path.dirname(shutil.which("initdb") or ""))
    if not path or not Path(path, "initdb").exists():
        raise Trouble("please install: apt-get install postgresql")
    return Path(path)


class Postgres:
    def __init__(self, home: Path) -> None:
        self.home = home / "db"
        self.data = self.home / "data"
        self.bin = binaries()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://picloud:{PASSWORD}@{net.ADDRESSES[net.DATABASE]}:5432/{DATABASE}"

    def _as_owner(self, *command: str) -> list[str]:
        return ["setpriv", "--reuid", "postgres", "--regid", str(pwd.getpwnam("postgres").pw_gid), "--clear-groups",
                "--pdeathsig", "KILL", *command]

    def make(self) -> None:
        self.home.mkdir()
        secret = self.home / "password"
        secret.write_text(PASSWORD)
        owner = pwd.getpwnam("postgres")
        for path in (self.home, secret):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        run(*self._as_owner(str(self.bin / "initdb"), "-D", str(self.data), "-U", "picloud", "-A", "scram-sha-256",
                            f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--locale=C"))
        secret.unlink()
        # The socket is in a directory that only its user and root may enter.
        (self.data / "pg_hba.conf").write_text(
            f"local all all trust\nhost all all {net.NET}.0/24 scram-sha-256\n")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '{net.ADDRESSES[net.DATABASE]}'\nunix_socket_directories = '{self.home}'\n"
                           "max_connections = 100\nshared_buffers = 128MB\nlogging_collector = off\n"
                           "log_line_prefix = '%m [%p] %a '\n")

    def start(self) -> None:
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            net.within(net.DATABASE, *self._as_owner(str(self.bin / "postgres"), "-D", str(self.data))),
            stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.query("SELECT 1", "postgres")
                break
            except Trouble as trouble:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Trouble(f"PostgreSQL does not start: {trouble}\n{self.tail()}") from None
                time.sleep(0.1)

    def create(self) -> None:
        self.query(f"CREATE DATABASE {DATABASE}", "postgres")

    def stop(self, mode: str) -> None:
        """`fast` ends every connection and writes everything down; `immediate` is a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
            self.process.wait(60)

    def query(self, statement: str, database: str = DATABASE) -> list[list[str]]:
        """Rows as text; reads only, but for what makes the database."""
        told = run("psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", str(self.home), "-U", "picloud",
                   "-d", database, "-c", statement)
        return [line.split("\t") for line in told.splitlines()]

    def number(self, statement: str) -> int:
        return int(self.query(statement)[0][0])

    def tail(self) -> str:
        try:
            return "\n".join((self.home / "log").read_text(errors="replace").splitlines()[-15:])
        except FileNotFoundError:
            return ""
