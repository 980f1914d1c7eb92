"""PostgreSQL and Redis for a test: Debian's programs with folders, ports and passwords of their own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

HOST = "127.0.0.1"
_START = 30.0
_STOP = 10.0


class Server:
    """A program that listens on a free loopback port while the ``with`` block runs, and ends with this process.

    :ivar port: where it listens.
    :ivar password: that it asks for.
    """

    def __init__(self) -> None:
        self.port = 0
        self.password = secrets.token_hex(16)
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        """Prepare the folder; what to run."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether a program that listens serves, too."""
        return True

    def __enter__(self) -> Self:
        # Not below pytest's folder: that is closed to the user that the server may have to run as.
        self._folder = Path(tempfile.mkdtemp(prefix="ringevents-cluster-"))
        self.port = _free_port()
        try:
            command = self.command()
            with (self._folder / "log").open("wb") as log:
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection((HOST, self.port), 1):
                if self.is_ready():
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server does not listen:\n{(self._folder / 'log').read_text()}")


class Postgres(Server):
    """A PostgreSQL server with an empty database."""

    def command(self) -> Sequence[str | Path]:
        programs = self._programs()
        prefix: list[str] = ["setpriv", "--pdeathsig=INT"]
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            prefix += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        data, secret = self._folder / "data", self._folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:
            os.chown(secret, user.pw_uid, user.pw_gid)
        made = subprocess.run(
            [
                *(*prefix, programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C"),
                *("--username=airflow", "--auth=scram-sha-256", f"--pwfile={secret}", f"--pgdata={data}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        # What it holds is thrown away: nothing need survive a power cut.
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 200,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*prefix, programs / "postgres", "-D", data, *options]

    def is_ready(self) -> bool:
        question = [self._programs() / "pg_isready", "--quiet", f"--host={HOST}", f"--port={self.port}"]
        return subprocess.run(question, check=False).returncode == 0

    @staticmethod
    def _programs() -> Path:
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parts[-2]))
        if programs is None:
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        return programs

    @property
    def address(self) -> str:
        """For programs that want it without a scheme: ``user:password@host:port/database``."""
        return f"airflow:{self.password}@{HOST}:{self.port}/postgres"


class Redis(Server):
    """A Redis server that keeps nothing."""

    def command(self) -> Sequence[str | Path]:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("Redis is not installed: apt-get install redis-server")
        settings = {
            "bind": HOST,
            "port": self.port,
            "requirepass": self.password,
            "save": "",
            "appendonly": "no",
            "dir": self._folder,
        }
        options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        return ["setpriv", "--pdeathsig=INT", program, *options]

    @property
    def url(self) -> str:
        """With the password."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
