"""A PostgreSQL server of one's own: Debian's programs, a folder, a socket, no port."""

import getpass
import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

PROGRAMS = "/usr/lib/postgresql"
PACKAGE = "PostgreSQL is not installed: apt-get install postgresql"
UNPRIVILEGED = ("postgres", "nobody")
_numbers = count()


def programs():
    """Return the folder of initdb and pg_ctl, newest version first; None without them."""
    found = sorted(Path(PROGRAMS).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class PostgreSQL:
    """A server that can be stopped and started again."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = programs()
        self._as = [] if os.getuid() else ["runuser", "-u", self._user(), "--"]
        self._run("initdb", "-U", "cds", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def _user(self):
        for name in UNPRIVILEGED:
            if subprocess.run(["id", name], capture_output=True, check=False).returncode == 0:
                shutil.chown(self.folder, name)
                return name
        raise RuntimeError(f"no user to run PostgreSQL as, {getpass.getuser()} may not")

    def _run(self, program, *arguments):
        command = [*self._as, self.bin / program, "-D", self.folder / "data", *arguments]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

    def start(self):
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        log = self.folder / "log"
        self._run("pg_ctl", "-w", "-o", options, "-l", log, "start")

    def stop(self):
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def url(self, name):
        return f"postgresql://cds@/{name}?host={self.folder}"

    def new_database(self):
        """Return the URL of an empty database."""
        name = f"cds_{next(_numbers)}"
        command = [self.bin / "createdb", "-U", "cds", "-h", self.folder, name]
        subprocess.run(command, check=True)
        return self.url(name)


def started():
    """Yield a server, and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="cds-postgresql-"))
    server = PostgreSQL(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
