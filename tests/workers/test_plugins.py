"""Plug-ins: what other packages offer is found, and what cannot be used is named."""

import sys

import pytest

from chatgenimage.workers.errors import PluginBroken
from chatgenimage.workers.plugins import load_plugins

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Returns a function that puts a package with entry points of label readers on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, points, version="1.0", code=""):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(name=name, version=version))
        lines = [f"{key} = {value}" for key, value in points.items()]
        text = "\n".join(["[chatgenimage.label_readers]", *lines])
        (info / "entry_points.txt").write_text(text)

    return install


def accept(_name, _value):
    return None


def test_a_plugin_is_found_with_its_package_and_version(install):
    install("one_reader", {"xml": "one_reader:read"}, "2.1", "def read(text, name): yield text\n")
    found = load_plugins("label_readers", (), accept)
    plugin = found.found["xml"]
    assert (plugin.name, plugin.package, plugin.version) == ("xml", "one_reader", "2.1")
    assert list(plugin.value("dog", "labels.xml")) == ["dog"]
    found.refuse_broken()


@pytest.mark.parametrize(
    ("code", "problem", "message"),
    [
        (
            "import no_library\n",
            None,
            "ModuleNotFoundError: No module named 'no_library'",
        ),
        ("", None, "AttributeError: module 'bad_reader' has no attribute 'read'"),
        ("raise SyntaxError\n", None, "SyntaxError"),
        ("read = 3\n", "expected a function, found int", "used: expected a function, found int"),
    ],
)
def test_a_broken_plugin_is_named_with_its_package(install, code, problem, message):
    install("bad_reader", {"xml": "bad_reader:read"}, code=code)
    found = load_plugins("label_readers", (), lambda _name, _value: problem)
    assert found.found == {}
    with pytest.raises(PluginBroken) as refused:
        found.refuse_broken()
    assert "the label reader 'xml' of the package bad_reader 1.0 cannot be used" in str(
        refused.value
    )
    assert message in str(refused.value)
    assert "pip uninstall bad_reader" in str(refused.value)


def test_a_name_that_is_taken_is_refused(install):
    install("csv_reader", {"csv": "csv_reader:read"}, code="read = print\n")
    install("first_reader", {"xml": "first_reader:read"}, code="read = print\n")
    install("second_reader", {"xml": "second_reader:read"}, code="read = print\n")
    found = load_plugins("label_readers", {"csv"}, accept)
    assert list(found.found) == ["xml"]
    of_factory, of_package = sorted(found.problems)
    assert "'csv' of the package csv_reader 1.0 cannot be used: the factory itself has one" in (
        of_factory
    )
    assert "has one of this name" in of_package
