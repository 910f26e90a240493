"""Worker processes of a command: started together, stopped together; one may end alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from chatgenimage.db.private_files import PRIVATE_FILE
from chatgenimage.factory.errors import WorkerDied
from chatgenimage.factory.local_workers.log_reason import find_reason
from chatgenimage.factory.local_workers.worker_plan import WorkerPlan
from chatgenimage.factory.settings.model import ENV_PREFIX, Settings

STOP_GRACE_S = 90
MOST_RESTARTS = 2
"""The process that asks servers is started again so often after a signal killed it."""


class WorkerProcesses:
    """Context manager: processes that end with this one, however it ends."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        plan: WorkerPlan,
    ) -> None:
        """Prepare the processes; entering the block starts them.

        Args:
            settings: Their data folder gets their logs.
            environment: Theirs; it gives them the same settings.
            plan: How many, with which roles, and on which devices.
        """
        self._folder = settings.data_dir
        self._environment = environment
        self._plan = plan
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._log_starts: dict[int, int] = {}
        self._restarts = 0
        self._is_stopping = False

    def __enter__(self) -> Self:
        """Start the processes."""
        try:
            for number in range(len(self._plan.roles)):
                self._running[number] = self._start(number)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all at the same time: each gives back what it holds."""
        self._stop()

    def begin_stop(self) -> None:
        """Ask all processes to end, and do not wait for it; leaving the block does."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    def note_ended(self) -> list[str]:
        """Return a message for each process that ended since the last call.

        The process that only asks servers is started again, up to `MOST_RESTARTS` times, if a
        signal killed it: it has no models whose memory could have been the reason.

        Raises:
            WorkerDied: If none is left for a role.
        """
        ended = [number for number, each in self._running.items() if each.poll() is not None]
        codes = {number: _end(self._running.pop(number)) for number in ended}
        return [self._note_end(number, code) for number, code in codes.items()]

    def _note_end(self, number: int, code: int) -> str:
        """Return the message for a process that ended.

        Raises:
            WorkerDied: If no other does its work.
        """
        roles = self._plan.roles
        ended = f"ended with exit code {code}: {self._reason(number)}"
        if number >= self._plan.count and code < 0 and self._restarts < MOST_RESTARTS:
            self._restarts += 1
            self._running[number] = self._start(number)
            return f"worker process {number + 1} of {len(roles)} {ended}. It was started again."
        left = sum(roles[other] == roles[number] for other in self._running)
        if left:
            which = f"worker process {number + 1} of {len(roles)}"
            return f"{which} {ended}. {left} left, which do its work."
        if len(roles) == 1:
            raise WorkerDied(f"the worker {ended}")
        is_only = roles.count(roles[number]) == 1
        if is_only:
            raise WorkerDied(f"the only worker process for {roles[number]} {ended}")
        raise WorkerDied(f"the last worker process {ended}")

    def _reason(self, number: int) -> str:
        """Return why a process ended, as far as its log says, and where that log is."""
        log = self._log(number)
        reason = find_reason(log, self._log_starts[number])
        return f"{reason.rstrip('.')} (its log: {log})" if reason else f"see its log {log}"

    def _log(self, number: int) -> Path:
        return self._folder / (f"worker-{number + 1}.log" if number else "worker.log")

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        """Start a worker process with the role, device and log file of its number."""
        environment = dict(self._environment)
        if number < self._plan.count:
            environment[f"{ENV_PREFIX}DEVICE"] = self._plan.devices[number]
        if self._plan.cpu_threads is not None:
            environment[f"{ENV_PREFIX}CPU_THREADS"] = str(self._plan.cpu_threads)
        path = self._log(number)
        path.touch(mode=PRIVATE_FILE)
        self._log_starts[number] = path.stat().st_size
        with path.open("ab") as log_file:
            command = [sys.executable, "-m", "chatgenimage", "worker", self._plan.roles[number]]
            return subprocess.Popen(  # noqa: S603  # roles of the profile
                [*command, "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=log_file,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )

    def _stop(self) -> None:
        self.begin_stop()
        processes = list(self._running.values())
        deadline = time.monotonic() + STOP_GRACE_S
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that ends, after its end; close the pipe to it."""
    if process.stdin:
        process.stdin.close()
    return process.wait()
