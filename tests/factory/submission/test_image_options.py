"""Sizes and negative prompts of labels: read, resolved, and refused with their line."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from chatgenimage.factory.api.preparing import read_request
from chatgenimage.factory.cli import app
from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.settings.run_profile import dump_profile, models_key
from chatgenimage.factory.submission.labels import read_labels
from chatgenimage.factory.submission.submitter import request_key
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.workers.image_options import OptionLimits
from chatgenimage.workers.painters.option_limits import limits_of
from chatgenimage.workers.values import NO_OPTIONS, ImageOptions

TABLE = """label,size,negative_prompt
dog,96x64,
house,2:3,
car, ,"snow,  fog"
tree,,
"""


def write(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return path


def read(tmp_path, text, profile="micro", **options):
    return read_request(load_settings(profile, **options), [], [write(tmp_path, text)])


def problems_of(tmp_path, text, profile="micro", **options):
    with pytest.raises(BadLabels) as caught:
        read(tmp_path, text, profile, **options)
    return caught.value.problems


def test_a_size_a_proportion_and_a_negative_prompt_are_options_of_the_run(tmp_path):
    settings, wanted = read(tmp_path, TABLE)
    assert [one.aspect for one in wanted.requests] == [None, (2, 3), None, None]
    found = {one.label: settings.chain.image_options(one.label) for one in wanted.requests}
    assert found == {
        "dog": ImageOptions((96, 64)),
        "house": ImageOptions((56, 80)),
        "car": ImageOptions(negative_prompt="snow, fog"),
        "tree": NO_OPTIONS,
    }
    assert models_key(settings) == models_key(load_settings("micro"))
    again = load_settings("micro", chain=settings.chain.model_dump(mode="json"))
    assert again.chain == settings.chain


def test_without_the_columns_a_request_is_stored_as_before(tmp_path):
    plain, wanted = read(tmp_path, "label\ndog\n")
    empty, same = read(tmp_path, "label,size,negative_prompt\ndog,,\n")
    profile = dump_profile(plain)
    assert profile == dump_profile(empty)
    assert not {"sizes", "negative_prompts"} & profile["chain"].keys()
    assert request_key(wanted.requests, profile, 1) == request_key(same.requests, profile, 1)


@pytest.mark.parametrize(
    ("cell", "size_wh", "aspect"),
    [
        ("96X64", (96, 64), None),
        (" 96 x 64 ", (96, 64), None),
        ("96\N{MULTIPLICATION SIGN}64", (96, 64), None),
        ("16:9", None, (16, 9)),
    ],
)
def test_sizes_are_written_in_several_ways(tmp_path, cell, size_wh, aspect):
    [request] = read_labels(files=[write(tmp_path, f"label,size\ndog,{cell}\n")]).requests
    assert (request.size_wh, request.aspect) == (size_wh, aspect)


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("large", "expected width and height in pixels, as in 768x512, or a proportion: 3:2"),
        ("0x64", "expected sides of 16 to 8192 pixels"),
        ("64x99999", "expected sides of 16 to 8192 pixels"),
        ("9:1", "expected no side more than 4 times the other"),
        ("0:0", "expected width and height"),
        ("96x64x3", "expected width and height"),
    ],
)
def test_a_size_of_another_form_is_refused_with_its_line(tmp_path, cell, part):
    [problem] = problems_of(tmp_path, f"label,size\ntree,\ndog,{cell}\n")
    assert problem.startswith(f"a.csv, line 3: `size` is {cell!r}: {part}")


@pytest.mark.parametrize("text", ["x" * 301, "snow\x07"])
def test_a_wrong_negative_prompt_is_refused_with_its_line(tmp_path, text):
    [problem] = problems_of(tmp_path, f"label,negative_prompt\ndog,{text}\n")
    assert problem.startswith("a.csv, line 2: `negative_prompt` is ")


def test_what_the_painter_cannot_do_is_refused_with_every_line(tmp_path):
    weak = {"families": {"diffusion": {"guidance_scale": 1.0}}}
    text = "label,size,negative_prompt\ndog,70x64,\ntree,136x128,\nhouse,96x64,\ncar,70x64,snow\n"
    problems = problems_of(tmp_path, text, **weak)
    assert [problem.partition(": `")[0] for problem in problems] == [
        "a.csv, line 2: label 'dog'",
        "a.csv, line 3: label 'tree'",
        *["a.csv, line 5: label 'car'"] * 2,
    ]
    assert "multiples of 8; write 64x64 or 72x64" in problems[0]
    assert "expected 1024 to 16384 pixels in all" in problems[1]
    assert "leave it out, or set `guidance_scale` above 1" in problems[3]


def test_a_server_takes_sizes_of_its_own_and_no_negative_prompt(tmp_path):
    text = "label,size,negative_prompt\ndog,1536x1024,\ncat,,snow\n"
    [problem] = problems_of(tmp_path, text, "api")
    assert problem.startswith("a.csv, line 3: label 'cat': `negative_prompt` has no effect")
    [problem] = problems_of(tmp_path, "label,size\ndog,3:2\n", "api")
    assert problem.startswith("a.csv, line 2: label 'dog': `size` is a proportion")


def test_options_in_a_profile_are_checked_too(tmp_path):
    [problem] = problems_of(tmp_path, "label\ndog\n", chain={"sizes": {"dog": [70, 64]}})
    assert "label 'dog': `size` is 70x64" in problem
    with pytest.raises(ValidationError):
        ChainOptions(sizes={"dog": (8, 64)})


def test_a_family_of_a_plug_in_says_by_its_settings_what_it_takes():
    limits = OptionLimits(painter="blocks", size_wh=(96, 96))
    assert limits_of(SimpleNamespace(option_limits=lambda: limits)) is limits
    silent = limits_of(SimpleNamespace())
    assert silent.no_size == silent.no_negative_prompt
    assert "no such option for single images; leave the column out" in silent.no_size


@pytest.mark.parametrize("command", ["plan", "submit", "run"])
def test_every_command_that_takes_labels_refuses_before_anything_is_written(tmp_path, command):
    path = write(tmp_path, "label,size\ndog,70x64\n")
    place = ["--data-dir", str(tmp_path / "data")]
    called = CliRunner().invoke(app, [command, "--file", str(path), *place])
    assert called.exit_code == 2
    assert "a.csv, line 2: label 'dog': `size` is 70x64" in called.stderr
    assert not (tmp_path / "data" / "factory.sqlite3").exists()
