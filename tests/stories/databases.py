"""A PostgreSQL and a MySQL (MariaDB) on a free port of the loopback address, each for as long as a test needs it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, inspect, text

PASSWORD = "q7Xv_not_to_be_seen"


@dataclass(frozen=True)
class Server:
    """A running server."""

    scheme: str
    driver: str
    port: int

    def uri(self, database: str) -> str:
        return f"{self.scheme}://ann:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def rows(self, database: str) -> str:
        """Everything that a database holds, as text."""
        address = self.uri(database).replace("://", f"+{self.driver}://", 1)
        with create_engine(address, poolclass=NullPool).connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote
            tables = inspect(connection).get_table_names()
            found = [connection.execute(text(f"SELECT * FROM {quoted(table)}")).all() for table in tables]
        assert tables
        return "\n".join(map(str, found))


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl: that on the path, or Debian's newest."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def own_folder() -> Iterator[tuple[Path, dict]]:
    """A folder for a server's data, and whom it runs as: both servers refuse to be root."""
    with tempfile.TemporaryDirectory(prefix="srexp-database-") as name:
        other = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(name, nobody.pw_uid, nobody.pw_gid)
        yield Path(name), other


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    if (programs := postgres_programs()) is None:
        pytest.skip("no PostgreSQL on this machine; .ci/run installs it")
    with own_folder() as (folder, other):
        server = Server("postgresql", "psycopg", free_port())
        (folder / "password").write_text(PASSWORD)

        def call(program: str, *words: str) -> None:
            # Its output goes to a file: the server would keep a pipe open.
            with (folder / f"{program}.log").open("wb") as log:
                subprocess.run(
                    [programs / program, "-D", folder / "data", *words],
                    check=True, cwd=folder, stdout=log, stderr=log, timeout=60, **other,
                )  # fmt: skip

        (folder / "password").chmod(0o644)
        call("initdb", "--username=ann", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--no-sync")
        call("pg_ctl", "start", "--wait", "-o", f"-h 127.0.0.1 -p {server.port} -k {folder} -c fsync=off")
        try:
            with create_engine(
                f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:{server.port}/postgres",
                isolation_level="AUTOCOMMIT", poolclass=NullPool,
            ).connect() as connection:  # fmt: skip
                connection.execute(text("CREATE DATABASE study"))
                connection.execute(text("CREATE DATABASE runs"))
            yield server
        finally:
            call("pg_ctl", "stop", "--wait", "-m", "immediate")


@contextlib.contextmanager
def mysql() -> Iterator[Server]:
    if (program := shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        pytest.skip("no MariaDB on this machine; .ci/run installs it")
    with own_folder() as (folder, other):
        server = Server("mysql", "pymysql", free_port())
        start = folder / "start.sql"
        start.write_text(
            f"CREATE USER ann@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO ann@'127.0.0.1';\n"
            "CREATE DATABASE study;\n"
            "CREATE DATABASE runs;\n"
        )
        start.chmod(0o644)
        places = ["--no-defaults", f"--datadir={folder / 'data'}"]
        make = ["mariadb-install-db", *places, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(make, check=True, cwd=folder, capture_output=True, timeout=60, **other)
        command = [
            program, *places, f"--port={server.port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}",
            f"--init-file={start}", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
        ]  # fmt: skip
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **other)
        try:
            await_answer(server, process)
            yield server
        finally:
            process.kill()
            process.wait()


def await_answer(server: Server, process: subprocess.Popen) -> None:
    """Wait until a server that has just been started lets one in."""
    engine = create_engine(server.uri("runs").replace("://", f"+{server.driver}://", 1), poolclass=NullPool)
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(Exception), engine.connect():
            return
        time.sleep(0.1)
    raise TimeoutError(server.uri("runs"))
