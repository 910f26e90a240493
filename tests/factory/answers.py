"""Checks of what a command printed, and of how it ended."""


def answered(result):
    """Return the output of a command that succeeded."""
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result, code=2):
    """Return the one line that a command printed instead of working."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
    return result.stderr
