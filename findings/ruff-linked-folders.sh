#!/usr/bin/env bash
# ruff 0.17.6 checks a file that is a symbolic link, but not the files of a folder that is a link; mypy and grimp check both.
#
# Guess: a linter finds the modules that Python would import, so a package with linked folders is checked as a whole.
# What happens: `ruff check PACKAGE` and `ruff format --check PACKAGE` pass over a linked folder without a word. If
#   all of the package is links, ruff prints "All checks passed!" and exits 0 having checked nothing. Given the link
#   itself as an argument, ruff enters it. A linked file is checked. mypy (-p) and grimp, which import-linter
#   is built on, see every module.
# What a user meets: green checks over code that no one has looked at.
# Decision here: the package chatgenimage is made of links, so ruff is run on the real folders, and mypy and
#   import-linter on the package.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
bin="$folder/venv/bin"
"$bin/python" -m pip install -qq ruff==0.17.6 mypy==2.4.1 grimp==3.20

cd "$folder"
mkdir -p real/inner package
touch real/inner/__init__.py package/__init__.py
printf 'import os\n\nNUMBER: int = "one"\n' >real/inner/in_folder.py
ln -s ../real/inner package/inner
failed=0
check() { # MEANING, then a COMMAND that must succeed
    local meaning=$1
    shift
    if "$@" >"$folder/out" 2>&1; then echo "yes: $meaning"; else
        echo "changed, no longer true: $meaning"
        cat "$folder/out"
        failed=1
    fi
}
ruff() { "$bin/ruff" "$1" --isolated --no-cache "${@:2}"; }
fails() { ! "$@"; }

check "ruff check says that the package is right" ruff check package
check "ruff format says so too" ruff format --check package
check "ruff finds the unused import in the real folder" fails ruff check real
check "ruff finds it if the link itself is named" fails ruff check package/inner
echo "files of the package for ruff:"
ruff check --show-files package | sed "s|.*/package/|  package/|"
ln -s ../real/inner/in_folder.py package/linked_file.py
check "ruff finds it in a linked file" fails ruff check package
rm package/linked_file.py
mypy_finds() { { "$bin/mypy" --no-incremental -p package || true; } | grep -F "package/inner/in_folder.py:3: error"; }
check "mypy finds the wrong type in the linked folder" mypy_finds
graph='import sys, grimp; sys.path.insert(0, "."); print(grimp.build_graph("package", cache_dir=None).modules)'
grimp_finds() { "$bin/python" -c "$graph" | grep -F "package.inner.in_folder"; }
check "grimp finds the module in the linked folder" grimp_finds
exit "$failed"
