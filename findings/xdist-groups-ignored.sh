#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` sends the tests of one group to all
# workers, without an error or a warning.
#
# One would guess: tests with the mark `xdist_group` run in one worker, as pytest-xdist documents,
#   so a fixture of module or session scope is made once.
# What happens: pytest-xdist appends "@group" to a test by assigning `item._nodeid`. pytest 9.2
#   makes the id from another attribute, so the assignment has no effect, and the scheduler, which
#   reads the group from the id, finds none. All tests pass, only slower: each worker makes the
#   fixtures again. With pytest 9.1.1 each group has one worker.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for number in 1 2; do
  cat >"test_$number.py" <<'PY'
import os, time, pytest
pytestmark = pytest.mark.xdist_group(__name__)

@pytest.mark.parametrize("number", range(8))
def test_one(number):
    time.sleep(0.05)
    with open("seen", "a") as seen:
        print(__name__, os.environ["PYTEST_XDIST_WORKER"], file=seen)
PY
done
workers_of() { # version of pytest
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
  rm -f seen
  "$work/$1/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup >/dev/null
  sort -u seen | wc -l
}
old=$(workers_of 9.1.1) new=$(workers_of 9.2.0)
echo "pairs of group and worker, for two groups: $old with pytest 9.1.1, $new with pytest 9.2.0"
[ "$old" = 2 ] && [ "$new" -gt 2 ]
