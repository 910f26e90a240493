"""Tables of labels: delimiters, columns, and what is never painted as one label."""

import pytest

from chatgenimage.factory.errors import BadLabels
from chatgenimage.factory.settings.model import load_settings
from chatgenimage.factory.submission.domains import check_domains
from chatgenimage.factory.submission.label_check import refuse_unknown_words, refuse_unreadable
from chatgenimage.factory.submission.labels import LabelRequest, read_labels
from chatgenimage.factory.submission.ontology import with_ontology
from chatgenimage.tasks.names_to_detect import named, names_to_detect
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import names_by_painted, painted_as, styled
from chatgenimage.workers.values import Detection


def read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return read_labels(files=[path])


def problems_of(*words, **options):
    with pytest.raises(BadLabels) as caught:
        read_labels(words, **options)
    return caught.value.problems


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "label;per_label\ndog;2\ncat;\n"),
        ("a.csv", "sep=;\nlabel;per_label\ndog;2\ncat;\n"),
        ("a.csv", "label\tper_label\ndog\t2\ncat\t\n"),
        ("a.tsv", "label\tper_label\ndog\t2\ncat\t\n"),
        ("a.TSV", "class,per_label\ndog,2\ncat,\n"),
    ],
)
def test_semicolons_and_tabs_are_read_by_the_header(tmp_path, name, text):
    expected = (LabelRequest("dog", 2), LabelRequest("cat"))
    assert read(tmp_path, name, text).requests == expected


def test_lines_are_counted_with_the_line_that_excel_adds(tmp_path):
    found = read(tmp_path, "a.csv", "sep=;\nlabel;per_label\ndog;2\n")
    assert found.places == {"dog": "a.csv, line 3"}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("dog,house", "'dog,house' looks like a list: write one label on each line"),
        ("dog; house", "looks like a list"),
        ("label\tcount", "has a tab: a table needs a header"),
        ("1. dog", "'1. dog' begins with the number of a list"),
    ],
)
def test_a_list_or_a_row_is_not_painted_as_one_label(tmp_path, text, part):
    (tmp_path / "a.txt").write_text(text)
    for problems in (problems_of(text), problems_of(files=[tmp_path / "a.txt"])):
        assert part in problems[0]


def test_a_comma_in_a_cell_is_part_of_the_label(tmp_path):
    assert read(tmp_path, "a.csv", 'label\n"tench, Tinca"\n').requests[0].label == "tench, Tinca"


def test_duplicates_with_other_options_are_refused_with_both_lines(tmp_path):
    (tmp_path / "a.csv").write_text("label,per_label\ndog,2\nDog,2\ncat,1\nCat,3\n")
    [problem] = problems_of(files=[tmp_path / "a.csv"])
    assert problem.startswith("a.csv, line 5: label 'Cat' has other options than in a.csv, line 4")


@pytest.mark.parametrize(
    ("chain", "request_", "part"),
    [
        ({}, LabelRequest("dog", max_images=5), "label 'dog': `max_images` limits"),
        ({"max_images": 5}, LabelRequest("dog"), "--max-images limits"),
    ],
)
def test_a_maximum_without_a_quota_is_refused(chain, request_, part):
    with pytest.raises(BadLabels, match=part):
        check_domains(load_settings("micro", chain=chain), [request_])
    check_domains(load_settings("micro", chain={"accepted": 5, **chain}), [request_])


def test_an_ontology_says_what_is_painted_and_what_is_looked_for(tmp_path):
    wanted = read(
        tmp_path,
        "a.csv",
        "class,prompt,detect,style\n"
        "forklift,yellow forklift truck,forklift truck|reach truck,\n"
        "traffic_light,,,drawing of {prompt}\n"
        "TV/monitor,,,\n",
    )
    chain = with_ontology(load_settings("micro"), wanted.requests).chain
    names = [request.label for request in wanted.requests]
    assert names == ["forklift", "traffic_light", "TV/monitor"]
    painted = [painted_as(name, chain) for name in names]
    assert painted == ["yellow forklift truck", "traffic light", "TV"]
    phrases = names_to_detect(names, "", chain)
    assert phrases == ("forklift truck", "reach truck", "traffic light", "TV", "monitor")
    box = (0.0, 0.0, 1.0, 1.0)
    found = named([Detection(phrase, 0.5, box) for phrase in phrases], names, chain)
    assert [one.label for one in found] == [names[0], *names[:2], *[names[2]] * 2]
    assert names_by_painted(names, chain)["traffic light"] == "traffic_light"
    assert styled("a light", "traffic_light", chain) == "drawing of a light"
    assert styled("a light", "forklift", chain) == "a light"


def test_a_word_of_one_class_alone_names_it_on_images_of_other_labels(tmp_path):
    table = (
        "class,prompt,detect\n"
        "wooden_tiger,tiger,Tiger|cat\n"
        "plush_dog,dog,dog\n"
        "wooden_dog,dog,dog\n"
        "Frog,,\n"
        "traffic_light,,\n"
        "kitten,,kitten|cat\n"
        "owl,,\n"
    )
    wanted = read(tmp_path, "a.csv", table)
    chain = with_ontology(load_settings("micro"), wanted.requests).chain
    assert chain.classes == {
        "tiger": "wooden_tiger",
        "frog": "Frog",
        "traffic light": "traffic_light",
    }
    plain = load_settings("micro")
    assert with_ontology(plain, [LabelRequest("dog"), LabelRequest("house")]) is plain


def test_a_label_with_another_class_is_painted_and_looked_for_as_the_label(tmp_path):
    [request] = read(tmp_path, "a.csv", "label,class\nfire engine,vehicle\n").requests
    assert request == LabelRequest("vehicle", prompt="fire engine", detect=("fire engine",))


@pytest.mark.parametrize("style", ["{label}", "{prompt} {", "x" * 301])
def test_a_wrong_style_is_refused_with_its_line(tmp_path, style):
    (tmp_path / "a.csv").write_text(f"label,style\ndog,{style}\n")
    [problem] = problems_of(files=[tmp_path / "a.csv"])
    assert problem.startswith("a.csv, line 2: `style` is ")


def test_a_style_without_a_slot_follows_the_prompt():
    assert ChainOptions(style="oil on canvas").style == "{prompt}, oil on canvas"
    assert "style" not in ChainOptions().model_dump()


def test_the_demo_models_say_no_once_with_the_first_line(tmp_path):
    words = "".join(f"thing {number}\n" for number in range(268))
    wanted = read(tmp_path, "labels.txt", f"# mine\ndog\n{words}")
    labels = [request.label for request in wanted.requests]
    with pytest.raises(BadLabels) as refused:
        refuse_unknown_words(load_settings("micro"), labels, wanted.places)
    [problem] = refused.value.problems
    assert problem.startswith(
        "the demo models know 32 words; 268 of yours are not among them "
        "(first: 'thing 0', labels.txt, line 3; "
    )
    assert "docs/first-real-run" in problem


def test_a_phrase_that_the_detector_cannot_read_is_named_with_its_label():
    settings = with_ontology(load_settings("micro"), [LabelRequest("dog", detect=("dog", "犬"))])
    with pytest.raises(BadLabels, match=r"label 'dog': the detector .* cannot read '犬'"):
        refuse_unreadable(settings, ["dog"])
