"""Transports of notifications: run a command, or post to a webhook."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from urllib.parse import urlsplit

SHOWN = 200
"""Most characters of a command's last line of output in an error."""


def run_command(
    words: Sequence[str], body: bytes, environment: Mapping[str, str], timeout_s: float
) -> str | None:
    """Run a command without a shell; return what went wrong, or None.

    Its input and output are files, not pipes: the command may ignore its input, and processes that
    it leaves behind do not block the caller.

    Args:
        words: Program and arguments.
        body: Its standard input.
        environment: Variables to set in addition to this process's own.
        timeout_s: Time limit; then its whole process group is killed.
    """
    with TemporaryFile() as stdin, TemporaryFile() as output:
        stdin.write(body)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own command
                words,
                stdin=stdin,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except OSError as error:
            return f"{words[0]} cannot be run: {error.strerror}"
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{words[0]} took longer than {timeout_s:g} s (notify_timeout_s)"
        output.seek(0)
        last = (output.read().decode(errors="replace").strip().splitlines() or [""])[-1]
        return f"{words[0]} ended with exit code {code}: {last[:SHOWN]}" if code else None


def post_webhook(url: str, body: bytes, timeout_s: float) -> str | None:
    """Post JSON to a URL; return what went wrong, or None.

    Redirects are not followed, the answer's body is not read, and an error never contains the URL.
    Connecting, sending and waiting may each take a third of `timeout_s`.
    """
    import httpx2  # late: few runs use a webhook

    place = f"the webhook at {urlsplit(url).hostname}"
    headers = {"Content-Type": "application/json", "User-Agent": "chatgenimage-factory"}
    patience = httpx2.Timeout(timeout_s / 3)
    try:
        with httpx2.stream("POST", url, content=body, headers=headers, timeout=patience) as answer:
            return None if answer.is_success else f"{place} answered {answer.status_code}"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"{place} cannot be reached: {type(error).__name__}"
