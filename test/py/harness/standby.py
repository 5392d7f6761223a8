"""A standby of a private PostgreSQL: a base backup that follows by streaming replication, and can be promoted."""
import os
import pathlib
import pwd
import tempfile
import time

from .postgres import Postgres, free_port, programs
from .proxy import Proxy


class Standby(Postgres):
    def __init__(self, primary):  # pylint: disable=super-init-not-called
        self.primary, self.wire = primary, Proxy(primary.port)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="th-standby-"))
        self.bin, self.port, self.process = programs(), free_port(), None
        self.log = self.folder / "log"
        if os.getuid() == 0:
            user = pwd.getpwnam(self.USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run(str(self.bin / "pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d",
                  primary.url("postgres", user="owner", port=self.wire.port))
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"port={self.port}\nunix_socket_directories='{self.folder}'\nhot_standby=on\n")
        self.start()
        self.until_streaming()

    def until_streaming(self):
        for _ in range(600):
            if self.primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state='streaming'", database="postgres") == [["1"]]:
                return
            time.sleep(0.1)
        raise RuntimeError("the standby does not follow: " + self.log.read_text(errors="replace")[-2000:])

    def hold(self):
        """From now on nothing arrives, although the connection is there."""
        self.wire.swallows = True

    def close(self):
        self.wire.close()
        super().close()

    def promote(self):
        self.sql("SELECT pg_promote(true, 60)", database="postgres")

    def both(self, database, more=""):
        """The address of the pair, the standby first."""
        return f"postgresql://tenterhook@127.0.0.1:{self.port},127.0.0.1:{self.primary.port}/{database}{more}"
