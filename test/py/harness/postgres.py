"""A private PostgreSQL: its own folder, a Unix socket there and a port on loopback, run by an ordinary user, gone at the end.

As a program it starts one for tests that are written in C: `python3 -m harness.postgres FOLDER` prints its address and keeps it
up until standard input ends.
"""
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from . import watch


def programs():
    """The folder of the newest PostgreSQL server that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if not on_path:
        raise FileNotFoundError("no PostgreSQL server is installed: apt-get install postgresql")
    return pathlib.Path(on_path).parent


def free_port():
    """Below the range of ports that connections get: a client that tries again and again could else meet itself."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no free port between 20000 and 32000")


class Postgres:
    """One server. `settings` are lines of postgresql.conf beside those that make it small."""

    USER = "nobody"  # initdb refuses root

    def __init__(self, settings=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="th-postgres-"))
        self.bin, self.port, self.process = programs(), free_port(), None
        self.log = self.folder / "log"
        if os.getuid() == 0:
            user = pwd.getpwnam(self.USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run(str(self.bin / "initdb"), "-D", str(self.data), "-U", "owner", "-A", "trust", "-E", "UTF8",
                  "--locale=C", "--no-sync")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories='{self.folder}'\n"
                       "shared_buffers=32MB\nmax_connections=60\nlog_min_messages=warning\nautovacuum_naptime=5\n"
                       "jit=off\nmax_wal_size=256MB\n")
            for line in settings:
                conf.write(line + "\n")
        try:
            self.start()
            self.sql("CREATE ROLE tenterhook LOGIN PASSWORD 'a b/c'", database="postgres")
            self.fresh("tenterhook")
        except BaseException:
            self.close()
            raise

    @property
    def data(self):
        return self.folder / "data"

    def _as_user(self, command):
        if os.getuid() != 0:
            return command
        return ["setpriv", "--reuid", self.USER, "--regid", "nogroup", "--clear-groups", *command]

    def _run(self, *command):
        done = subprocess.run(self._as_user(list(command)), capture_output=True, text=True, cwd="/", check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        """Starts it and waits until it takes connections."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self._as_user([str(self.bin / "postgres"), "-D", str(self.data)]),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        watch.over(self.process, self.folder, signal.SIGQUIT)
        for _ in range(2400):  # recovery takes its time on a crowded machine
            ready = subprocess.run([str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                                   check=False)
            if ready.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL does not start:\n" + self.log.read_text(errors="replace")[-2000:])

    def stop(self, how=signal.SIGINT):
        """SIGINT: at once, in order; SIGQUIT: as after a crash; SIGKILL: without a word."""
        if self.process and self.process.poll() is None:
            if how == signal.SIGKILL:  # the children would go on for a moment
                for pid in self.children():
                    self._signal(pid, signal.SIGKILL)
            self._signal(self.process.pid, how)
            self.process.wait(120)  # its last checkpoint may be long on a disk that is busy
        if how == signal.SIGKILL:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def children(self):
        """Process ids of its backends and helpers."""
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def freeze(self, on=True):
        """Stops or continues every process of it: a server that hangs."""
        for pid in [self.process.pid, *self.children()]:
            self._signal(pid, signal.SIGSTOP if on else signal.SIGCONT)

    def close(self):
        try:
            if self.process and self.process.poll() is None:
                self.freeze(False)
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="tenterhook", port=None, user="tenterhook", more=""):
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}{more}"

    def sql(self, text, database="tenterhook", user="owner"):
        """Runs SQL; gives the rows as lists of texts."""
        done = subprocess.run([str(self.bin / "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
                               self.url(database, user=user), "-c", text], capture_output=True, text=True, check=False,
                              cwd="/")
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def session(self, text, database="tenterhook", user="owner"):
        """A process that runs SQL."""
        return subprocess.Popen([str(self.bin / "psql"), "-X", "-q", self.url(database, user=user), "-c", text],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def fresh(self, name):
        """Another empty database; its address."""
        self.sql(f"CREATE DATABASE {name} OWNER tenterhook", database="postgres")
        return self.url(name)


class PgBouncer:
    """The pooler in front of a server, in transaction mode."""

    def __init__(self, postgres, settings=(), user="tenterhook"):
        self.postgres, self.port = postgres, free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="th-pgbouncer-"))
        (self.folder / "users").write_text('"tenterhook" ""\n', encoding="utf-8")
        lines = ["[databases]", f"* = host=127.0.0.1 port={postgres.port} user={user}", "[pgbouncer]",
                 "listen_addr=127.0.0.1", f"listen_port={self.port}", "auth_type=any", "pool_mode=transaction",
                 "server_reset_query=", "default_pool_size=8", "unix_socket_dir=", *settings]
        (self.folder / "ini").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-q", str(self.folder / "ini")]
        if os.getuid() == 0:
            user = pwd.getpwnam(Postgres.USER)
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
            command = ["setpriv", "--reuid", Postgres.USER, "--regid", "nogroup", "--clear-groups", *command]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "log", "wb"), cwd="/")
        watch.over(self.process, self.folder)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("PgBouncer does not start: " + (self.folder / "log").read_text(errors="replace"))

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    server = Postgres(settings=["fsync=off", "synchronous_commit=on"])
    pooler = PgBouncer(server, user="owner") if "--pooler" in sys.argv[1:] else None
    try:
        sys.stdout.write(server.url("postgres", user="owner", port=pooler.port if pooler else None) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        if pooler:
            pooler.close()
        server.close()


if __name__ == "__main__":
    main()
