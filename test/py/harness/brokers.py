"""Private message brokers on loopback, each in a folder of its own and gone at the end: RabbitMQ, Redis and NATS of Debian's packages, Apache
Kafka of its Maven artifacts. And clients for them (PyPI packages in a virtual environment)."""
import base64
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

from . import programs, watch
from .postgres import free_port

PACKAGES = {"pika": "1.3.2", "redis": "5.2.1", "nats-py": "2.9.0", "kafka-python": "2.2.15"}
KAFKA = "4.1.2"


def clients():
    """Makes the clients' packages importable."""
    folder = programs.work_folder("brokers")
    with programs.fresh(folder, str(PACKAGES), programs.version(sys.executable, "--version")) as stale:
        if stale:
            wanted = [f"{name}=={version}" for name, version in PACKAGES.items()]
            made = programs.run([sys.executable, "-m", "venv", folder], folder)
            if made.returncode:
                programs.missing("python3 has no venv (Debian package python3-venv)")
            if programs.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *wanted], folder).returncode:
                programs.missing("pip cannot install the brokers' clients")
    (packages,) = pathlib.Path(folder).glob("lib/python*/site-packages")
    if str(packages) not in sys.path:
        sys.path.append(str(packages))


def program(name, package, *places):
    found = next((place for place in places if os.path.exists(place)), None) or shutil.which(name)
    if not found:
        programs.missing(f"{name} is not installed (Debian package {package})")
    return found


class Broker:
    """A process on a port. kill() is kill -9; start() again keeps what is on its disk."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"th-{type(self).__name__.lower()}-"))
        self.port, self.process = free_port(), None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def environment(self):
        return os.environ

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, process_group=0)
        watch.over(self.process, self.folder)
        end = time.monotonic() + 90
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{type(self).__name__} does not start\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.1)
        return self

    def answers(self):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(30)
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RabbitMQ(Broker):
    """With a port mapper (epmd) of its own, which Erlang would else start for the whole machine."""

    def __init__(self):
        self.mapper_port, self.inner_port = free_port(), free_port()
        self.server = program("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
        self.mapper = subprocess.Popen([program("epmd", "erlang-base"), "-port", str(self.mapper_port), "-address", "127.0.0.1"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        watch.over(self.mapper)
        super().__init__()

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"

    def command(self):
        return [self.server]

    def environment(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")}
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text("log.console = true\nlog.file = false\ndisk_free_limit.absolute = 50MB\n")
        env.update({"HOME": str(self.folder), "RABBITMQ_NODENAME": "tenterhook@localhost", "ERL_EPMD_PORT": str(self.mapper_port),
                    "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
                    "RABBITMQ_DIST_PORT": str(self.inner_port), "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
                    "RABBITMQ_LOG_BASE": str(self.folder), "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
                    "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"), "RABBITMQ_PID_FILE": str(self.folder / "pid"),
                    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
                    "RABBITMQ_IO_THREAD_POOL_SIZE": "16"})
        return env

    def answers(self):
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
            probe.sendall(b"AMQP\0\0\x09\x01")
            try:
                return probe.recv(1) == b"\x01"
            except OSError:
                return False

    def close(self):
        super().close()
        self.mapper.kill()
        self.mapper.wait(10)


class Redis(Broker):
    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def command(self):
        return [program("redis-server", "redis-server"), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder),
                "--appendonly", "yes", "--appendfsync", "always", "--save", ""]

    def answers(self):
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
            probe.sendall(b"PING\r\n")
            return probe.recv(5) == b"+PONG"


class Nats(Broker):
    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def command(self):
        return [program("nats-server", "nats-server", "/usr/sbin/nats-server"), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd",
                str(self.folder / "data")]


class Kafka(Broker):
    """Apache Kafka, broker and controller in one process, without ZooKeeper. Maven fetches it once into the build folder."""

    POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tenterhook</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>"""

    def __init__(self):
        self.java, self.jars, self.controller_port = programs.tool("java", "default-jdk-headless"), self.fetch(), free_port()
        super().__init__()

    @classmethod
    def fetch(cls):
        maven, folder = programs.tool("mvn", "maven"), programs.work_folder("kafka")
        with programs.fresh(folder, cls.POM) as stale:
            if stale:
                shutil.rmtree(folder / "lib", ignore_errors=True)
                (folder / "pom.xml").write_text(cls.POM)
                made = programs.run([maven, "-B", "-q", "-ntp", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"],
                                    folder, timeout_s=600)
                if made.returncode:
                    programs.missing(f"Maven cannot fetch Kafka: {made.stdout[-500:]}")
        return folder / "lib" / "*"

    @property
    def url(self):
        return f"kafka://127.0.0.1:{self.port}"

    def run(self, memory, *what):
        return [self.java, f"-Xmx{memory}m", "-XX:TieredStopAtLevel=1", "-cp", str(self.jars), *what]

    def start(self):
        settings = self.folder / "server.properties"
        if not settings.exists():
            settings.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self.controller_port}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={self.folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
""")
            name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            made = programs.run(self.run(128, "kafka.tools.StorageTool", "format", "-t", name, "-c", settings), self.folder)
            assert made.returncode == 0, made.stdout[-3000:]
        return super().start()

    def command(self):
        return self.run(512, "kafka.Kafka", str(self.folder / "server.properties"))
