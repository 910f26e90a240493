"""Ctrl-C in the first second, while modules are still being imported."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
sys.addaudithook(
    lambda event, args: event == "import" and args[0] == {module!r}
    and signal.raise_signal(signal.SIGINT)
)
sys.argv[1:] = ["run", "dog"]
from chatgenimage.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "sqlalchemy",
        "chatgenimage.factory.submission.labels",
        "chatgenimage.factory.local_run",
    ],
)
def test_ctrl_c_while_the_command_is_imported_ends_quietly(tmp_path, module):
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()
