#!/usr/bin/env bash
# pip 26.3: one hash anywhere in a constraints file makes pip refuse every local folder, and every package without a hash.
#
# Guess: a constraint says something about the package that it names, so its hash concerns that package only.
# What happens: any `--hash` in a file given by `--constraint` turns on --require-hashes for the whole command, even if
#   that package is not installed at all. A local project cannot have a hash, so `pip install -c FILE .` is
#   refused ("Can't verify hashes ... because they point to directories"), and so is any other package without one.
# What a user meets: a lock file with hashes, made by pip-compile or uv, cannot be used to install the project it locks.
# Decision here: the lock files have no hashes, because the container images install the project with them as constraints.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip)
"${pip[@]}" install -qq pip==26.3
"${pip[@]}" install -qq setuptools==84.2.1

mkdir -p "$folder/project/demo"
touch "$folder/project/demo/__init__.py"
cat >"$folder/project/pyproject.toml" <<'TOML'
[build-system]
requires = ["setuptools==84.2.1"]
build-backend = "setuptools.build_meta"
[project]
name = "demo-of-constraints"
version = "1"
dependencies = ["six"]
TOML
"${pip[@]}" download -qq --no-deps --dest "$folder/wheels" six==1.17.0
hash=$(sha256sum "$folder"/wheels/six-*.whl | cut -d' ' -f1)
echo "six==1.17.0" >"$folder/plain.txt"
echo "six==1.17.0 --hash=sha256:$hash" >"$folder/hashed.txt"
# Any digest will do: toml is not installed here.
echo "toml==0.10.2 --hash=sha256:$(sha256sum </dev/null | cut -d' ' -f1)" >"$folder/unrelated.txt"

failed=0
try() { # EXIT_CODE TEXT ARGUMENTS...
    local expected=$1 text=$2 code=0
    shift 2
    (cd "$folder" && "${pip[@]}" install --dry-run --no-build-isolation "$@") >"$folder/out" 2>&1 || code=$?
    echo "pip install $*: exit $code; $(grep -F "$text" "$folder/out" | head -1 | cut -c1-120)"
    if [ "$code" != "$expected" ] || ! grep -qF "$text" "$folder/out"; then
        echo "changed: expected exit $expected and '$text'"
        failed=1
    fi
}
try 0 "Would install" --constraint plain.txt ./project
try 1 "because they point to directories" --constraint hashed.txt ./project
try 1 "because they point to directories" --constraint unrelated.txt ./project
try 1 "Hashes are required" --constraint unrelated.txt six==1.17.0
try 0 "Would install six-1.17.0" --constraint hashed.txt six
exit "$failed"
