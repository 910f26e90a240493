"""The reason why a worker ended, from its log."""

import json

import pytest

from chatgenimage.factory.local_workers.log_reason import MOST_CHARACTERS, find_reason

NO_KEY = "no key for m: set OPENAI_API_KEY."
READY = json.dumps({"event": "worker_starting", "level": "info"})
BROKEN = json.dumps({"event": "worker_has_no_models", "level": "error", "error": NO_KEY})
STOPPED = "worker 'all' stopped after an error and returned its work; the last error above says why"
CRASHED = json.dumps(
    {"event": "Unrecoverable error", "level": "critical", "exception": "Traceback:\n  x\nE: full\n"}
)
TRACEBACK = ["Traceback (most recent call last):", '  File "x.py", line 1', "KeyError: 'a'"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([READY, BROKEN, READY, STOPPED], NO_KEY),
        ([READY, NO_KEY], NO_KEY),
        ([READY, *TRACEBACK], "KeyError: 'a'"),
        ([READY, CRASHED], "E: full"),
        ([READY, CRASHED[:-9]], None),  # the disk was full
        ([READY], None),
        ([], None),
        (["[1, 2]", "x" * 2000], "x" * MOST_CHARACTERS),
    ],
)
def test_the_last_logged_error_or_else_the_last_other_line_is_the_reason(tmp_path, lines, reason):
    log = tmp_path / "worker.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    assert find_reason(log, 0) == reason


def test_lines_of_an_earlier_process_do_not_count(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text(f"{BROKEN}\n")
    assert find_reason(log, log.stat().st_size) is None
    assert find_reason(tmp_path / "none.log", 0) is None
