"""Worker process like `factory worker all`, but with empty steps; ends when stdin closes."""

import os
import signal
import sys
import threading
from pathlib import Path

from chatgenimage.db.session import connect
from chatgenimage.factory import log as logs
from chatgenimage.factory.app import make_celery
from chatgenimage.factory.broker.broker import open_broker
from chatgenimage.factory.processes.dispatcher import Dispatcher
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.tasks.chain import QUEUES


def main(data_dir: Path, database_url: str) -> None:
    """Serve every queue."""
    threading.Thread(target=_stop_at_end_of_stdin, daemon=True).start()
    settings = load_settings("micro", data_dir=data_dir, database_url=database_url)
    logs.configure(settings)
    broker = open_broker(settings)
    app = make_celery(settings, broker.url)
    app.conf.update({"include": ["benchmarks.steps"]})
    sessions = connect(settings.resolved_database_url())
    with Dispatcher(app, sessions, settings.delivery).start():
        app.worker_main(
            [
                "worker",
                "--pool=prefork",
                "--concurrency=1",
                f"--queues={','.join(dict.fromkeys(QUEUES.values()))}",
                "--without-gossip",
                "--without-mingle",
                "--loglevel=INFO",
            ]
        )


def _stop_at_end_of_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
