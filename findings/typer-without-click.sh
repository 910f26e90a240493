#!/usr/bin/env bash
# typer 0.29.2 is no longer built on click: click's errors and context mean nothing to it.
#
# Guess: typer is a layer over click. `raise click.UsageError` in a command prints a usage line and exits 2,
#   `click.get_current_context()` works, and `typer.main.get_command(app)` is a click command.
# What happens: typer holds a copy of click in `typer._click` and does not install click. In a command, click's
#   UsageError is an unknown exception (a traceback, exit 1), there is no click context, and the command object is no
#   `click.Command`. A program that imports click "because typer brings it" ends with ModuleNotFoundError.
# What a user meets: a traceback and exit code 1 where the program meant one line and exit code 2.
# Decision here: the command line imports typer only. Expected errors are our own classes, turned into one line and an
#   exit code in one place, so nothing depends on which click is inside.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq typer==0.29.2

if "$python" -c "import click" 2>/dev/null; then
    echo "changed: typer installs click again"
    exit 1
fi
echo "typer is installed, click is not"
"$python" -m pip install -qq click==8.5.1

cat >"$folder/app.py" <<'PYTHON'
import click
import typer

app = typer.Typer()


@app.command()
def of_click() -> None:
    raise click.UsageError("two of them, please")


@app.command()
def of_typer() -> None:
    raise typer.BadParameter("two of them, please")


@app.command()
def context() -> None:
    click.get_current_context()


print("is a click command:", isinstance(typer.main.get_command(app), click.Command))
app()
PYTHON

failed=0
expect() { # COMMAND EXIT_CODE TEXT
    local code=0
    "$python" "$folder/app.py" "$1" >"$folder/out" 2>&1 || code=$?
    echo "$1: exit $code; $(grep -F "$3" "$folder/out" | head -1 || true)"
    if [ "$code" != "$2" ] || ! grep -qF "$3" "$folder/out"; then
        echo "changed: expected exit $2 and '$3'"
        failed=1
    fi
    grep -qF "is a click command: False" "$folder/out" || failed=1
}
expect of-typer 2 "Invalid value: two of them, please"
expect of-click 1 "Traceback (most recent call last)"
expect context 1 "There is no active click context."
exit "$failed"
