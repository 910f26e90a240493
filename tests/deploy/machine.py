"""Run the containers' exact commands on this machine, with other addresses and folders."""

import os
import shutil
import subprocess
import sys
import time

from chatgenimage.factory.broker.embedded_redis import find_server
from tests import s3
from tests.deploy.composed import ROOT, SECRETS, read_services, read_targets
from tests.ports import free_port
from tests.postgres import QUICK, PostgresServer

STOP_S = 90
PAGES = ("flower", "gallery", "metrics")
PORTS = ("redis", "postgres", "s3", *PAGES)


class Machine:
    """The services of docker-compose.yml as processes with the environment of a container.

    Attributes:
        folder: What the volumes are; `logs` has what each service wrote.
    """

    def __init__(self, folder, postgres_binaries, **settings):
        self.folder = folder
        self.services = read_services(secrets=SECRETS | settings)
        self._targets = read_targets()
        self._ports = {name: free_port() for name in PORTS}
        self._running = {}
        self._binaries = postgres_binaries
        self._postgres = PostgresServer(postgres_binaries, QUICK, self._ports["postgres"])
        for name in ("logs", "data", "buckets/factory", "redis", "tmp"):
            (folder / name).mkdir(parents=True)

    def start_servers(self):
        """Start the third-party servers, each with its service's command."""
        password = self.services["postgres"]["environment"]["POSTGRES_PASSWORD"]
        self._postgres.start()
        self._postgres.demand_password(password)
        self._postgres.execute("CREATE DATABASE factory")  # as the image does, with the user's name
        redis = self.services["redis"]
        place = ["--bind", "127.0.0.1", "--port", self._ports["redis"], "--dir", "redis"]
        self._start(
            "redis", [*self._redis_start(), *redis["command"], *place], redis["environment"]
        )
        words = self._here(self.services["s3"]["command"])
        self._start("s3", [s3.find_server(), *words], self.services["s3"]["environment"])

    def start(self, *names):
        """Start services in the background."""
        for name in names:
            self._start(name, self._command(name), self._environment(name))

    def run(self, name, *words):
        """Run a service to its end, as `docker compose run` does; return its output."""
        command = self._command(name, words)
        return self._call(command, self._environment(name))

    def check_health(self, name):
        """Run a service's health check once."""
        service = self.services[name]
        if name not in self._targets:
            program, *words = service["healthcheck"]["test"][1:]
            port = ["-p", self._ports[name]] if name == "redis" else []
            return self._call([self._program(program), *port, *words], self._address_of(name))
        return self._call(self._ours(name, self._targets[name].health), self._environment(name))

    def wait_until_healthy(self, *names, patience_s=300):
        """Wait until the health checks of the services pass."""
        deadline = time.monotonic() + patience_s
        waiting = set(names)
        while waiting:
            waiting = {name for name in waiting if self.check_health(name).returncode != 0}
            assert time.monotonic() < deadline, self.tell(waiting)

    def stop(self):
        """Stop the factory's services as Docker does; return the exit code of each."""
        ours = {name: process for name, process in self._running.items() if name in self._targets}
        for process in ours.values():
            process.terminate()
        codes = {name: process.wait(STOP_S) for name, process in ours.items()}
        self._running = {n: p for n, p in self._running.items() if n not in ours}
        return codes

    def remove(self):
        """Stop everything that still runs."""
        for process in self._running.values():
            process.kill()
            process.wait()
        self._postgres.stop()
        self._postgres.remove()

    def tell(self, names):
        """Return the last lines of the services' logs."""
        return "\n".join(f"{name}: {self.read_logs().get(name, '')[-2000:]}" for name in names)

    def read_logs(self):
        """Return the complete output of the services, by name."""
        return {path.name: path.read_text() for path in (self.folder / "logs").iterdir()}

    def url(self, name):
        """Return the URL of a page."""
        return f"http://127.0.0.1:{self._ports[name]}"

    @property
    def database_url(self):
        """URL of the database through its socket, which needs no password."""
        return f"{self._postgres.url('factory')}&port={self._ports['postgres']}"

    def _start(self, name, command, environment):
        with (self.folder / "logs" / name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env=self._inside(environment),
                stdout=log,
                stderr=log,
            )

    def _call(self, command, environment):
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=self._inside(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def _command(self, name, words=()):
        image, service = self._targets[name], self.services[name]
        entrypoint = service.get("entrypoint") or image.entrypoint
        words = [*entrypoint, *(words or service.get("command") or image.command)]
        return [
            *self._ours(name, words),
            *([f"--port={self._ports[name]}"] if name in PAGES else []),
        ]

    def _ours(self, name, words):
        """Return a command with this machine's interpreter; torch only if the image has it."""
        factory = "chatgenimage" if "gpu" in self._targets[name].ancestors else "tests.deploy.slim"
        modules = {"python": [], "factory": ["-m", factory]}
        program, *rest = words
        return [sys.executable, *modules.get(program, ["-m", program]), *self._here(rest)]

    def _redis_start(self):
        """Return the entrypoint of Redis, with the program and the folder of this machine."""
        folder = f"{self.folder / 'tmp'}/"
        places = {"valkey-server": str(find_server()), "/tmp/": folder, "$$": "$"}  # noqa: S108
        words = self.services["redis"]["entrypoint"]
        for theirs, ours in places.items():
            words = [word.replace(theirs, ours) for word in words]
        return words

    def _program(self, program):
        """Return this machine's path of a program in a server's image."""
        if program == "rclone":
            return s3.find_server()
        of_postgres = self._binaries / program
        found = shutil.which(program) or shutil.which(program.replace("valkey", "redis"))
        return of_postgres if of_postgres.exists() else found or program

    def _address_of(self, server):
        """Return the environment of a server, and its address on this machine."""
        here = {"PGHOST": "127.0.0.1", "PGPORT": str(self._ports["postgres"])}
        return self.services[server].get("environment", {}) | here

    def _environment(self, name):
        return self._targets[name].environment | self.services[name]["environment"]

    def _inside(self, environment):
        """Return a container's environment, and variables so that Python finds the code."""
        values = {key: self._here([value])[0] for key, value in environment.items()}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **values}

    def _here(self, words):
        """Return words with the containers' addresses and folders replaced by this machine's."""
        ports = self._ports
        places = {
            "@postgres/": f"@127.0.0.1:{ports['postgres']}/",
            "redis:6379": f"127.0.0.1:{ports['redis']}",
            "http://s3:9000": self.url("s3"),
            "127.0.0.1:9000": f"127.0.0.1:{ports['s3']}",
            "127.0.0.1:5555": f"127.0.0.1:{ports['flower']}",
            "127.0.0.1:8484": f"127.0.0.1:{ports['gallery']}",
            "127.0.0.1:9478": f"127.0.0.1:{ports['metrics']}",
        }
        whole = {
            ":9000": f"127.0.0.1:{ports['s3']}",
            "0.0.0.0": "127.0.0.1",  # noqa: S104  # the port is not open at all
            "/tmp": str(self.folder / "tmp"),  # noqa: S108  # a container's own
        }
        return [whole.get(word) or self._replace(places, word) for word in map(str, words)]

    def _replace(self, places, word):
        for theirs, ours in places.items():
            word = word.replace(theirs, ours)
        return f"{self.folder}{word}" if word.startswith(("/data", "/buckets")) else word
