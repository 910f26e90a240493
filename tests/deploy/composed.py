"""Services of docker-compose.yml and targets of the Dockerfile, as Compose reads them."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
SECRETS = {
    "POSTGRES_PASSWORD": "postgresSecret",
    "REDIS_PASSWORD": "redisSecret",
    "S3_ACCESS_KEY": "factory",
    "S3_SECRET_KEY": "bucketSecret",
    "FLOWER_BASIC_AUTH": "watcher:flowerSecret",
    "GALLERY_TOKEN": "gallerySecretOf25Letters",
    "METRICS_TOKEN": "metricsSecretOf25Letters",
    "GRAFANA_PASSWORD": "grafanaSecret",
    "OPENAI_API_KEY": "endpointSecret",
}


@dataclass
class Image:
    """A target of the Dockerfile: its command and its base."""

    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    folder: str = "/"
    ancestors: tuple[str, ...] = ()


def read_targets(path=ROOT / "Dockerfile"):
    """Return the targets by name; instructions that start a process must be JSON lists."""
    images, image = {}, Image()
    for line in _instructions(path):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            below = images.get(parent, Image())
            image = Image(**vars(below) | {"environment": dict(below.environment)})
            image.ancestors = (*below.ancestors, parent)
            images[name] = image
        elif word == "ENTRYPOINT":
            image.entrypoint, image.command = json.loads(rest), []
        elif word == "CMD":
            image.command = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif word == "ENV":
            image.environment |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word == "USER":
            image.user = rest
        elif word == "WORKDIR":
            image.folder = rest
    return images


def read_services(*files, secrets=SECRETS, tools=True):
    """Return the services by name, as Compose reads the files with test secrets."""
    words = [word for file in files or ["docker-compose.yml"] for word in ("--file", file)]
    words += ["--profile", "*"] if tools else []
    done = subprocess.run(
        [COMPOSE, *words, "--env-file", "/dev/null", "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **secrets},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def _instructions(path):
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"\s+", " ", line) for line in text.replace("\\\n", " ").splitlines() if line]
