"""The label file of docs/tutorial.md is made by its script, and the demo models accept it."""

import contextlib
import io
import re
from pathlib import Path

from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.labels import read_labels

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"


def test_the_script_of_the_tutorial_writes_300_classes(tmp_path):
    script = re.search(r"```python\n(words = .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script[1], {})  # noqa: S102  # the page's own script
    path = tmp_path / "labels.csv"
    path.write_text(printed.getvalue(), encoding="utf-8")
    wanted = {one.label: one for one in read_labels(files=[path]).requests}
    assert len(wanted) == 300
    known = set(load_settings("micro").chain.class_list)
    assert {phrase for one in wanted.values() for phrase in (one.prompt, *one.detect)} <= known
    assert wanted["plush_dog"].accepted == 3
    assert wanted["plush_car"].domains == ("in a meadow", "on a beach")
