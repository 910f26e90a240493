"""How others are told: a command that is run, a webhook that is posted to."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from urllib.parse import urlsplit

SHOWN = 200
"""Of what a command said last."""


def run_command(
    words: Sequence[str], body: bytes, environment: Mapping[str, str], timeout_s: float
) -> str | None:
    """Run a command without a shell; return what went wrong, None if nothing did.

    Files stand for its pipes: it may end unread, or leave others behind, without anyone waiting.

    Args:
        words: The program and its arguments.
        body: What it reads on its standard input.
        environment: What is set for it beside our own.
        timeout_s: Then it is killed, with all that it started in its process group.
    """
    with TemporaryFile() as told, TemporaryFile() as said:
        told.write(body)
        told.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own command
                words,
                stdin=told,
                stdout=said,
                stderr=said,
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
        said.seek(0)
        last = (said.read().decode(errors="replace").strip().splitlines() or [""])[-1]
        return f"{words[0]} ended with exit code {code}: {last[:SHOWN]}" if code else None


def post_webhook(url: str, body: bytes, timeout_s: float) -> str | None:
    """Post JSON to a URL; return what went wrong, None if nothing did.

    A redirect is not followed, no answer is read, and what is returned never holds the URL.
    Connecting, sending and waiting may each take a third of `timeout_s`.
    """
    import httpx2  # late: most have no webhook

    place = f"the webhook at {urlsplit(url).hostname}"
    headers = {"Content-Type": "application/json", "User-Agent": "chatgenimage-factory"}
    patience = httpx2.Timeout(timeout_s / 3)
    try:
        with httpx2.stream("POST", url, content=body, headers=headers, timeout=patience) as answer:
            return None if answer.is_success else f"{place} answered {answer.status_code}"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"{place} cannot be reached: {type(error).__name__}"
