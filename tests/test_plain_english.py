"""Plain English: prose uses no word that docs/glossary.md lists as avoided.

Checked are docstrings, comments and strings of Python modules, and the text of Markdown pages,
templates and YAML files. Code in `backticks` is not prose. A string without a space is a name.
"""

import ast
import re
import tokenize
from pathlib import Path

import pytest

CHECKED = (
    "*.md",
    "*.yml",
    ".github/**/*",
    *(
        f"{folder}/**/*"
        for folder in ("benchmarks", "chatgenimage", "configs", "db", "docs", "examples", "factory")
    ),
    *(f"{folder}/**/*" for folder in ("findings", "tasks", "tests", "training", "workers")),
)
"""Patterns of the files that follow the word list: all that people write."""
ITSELF = "tests/test_plain_english.py"
KINDS = {".py", ".md", ".html", ".yaml", ".yml"}
ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs/glossary.md"
HEADING = "## Words we use, words we avoid"
NOT_PROSE = re.compile(
    r"`[^`]*`|\{\{.*?\}\}|\{%.*?%\}|https?://\S+|--\w[\w-]*|\w+\.csv|^ {4,}\w+:", re.MULTILINE
)
"""Code, also of templates; URLs, options, files; arguments and attributes in a docstring."""
QUESTION = re.compile(r"(What|Whether|How|Who|Whom|Whose|Which|Where)\b")


def avoided():
    """Return each avoided word or phrase with the words to use."""
    section = (
        GLOSSARY.read_text(encoding="utf-8").partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    )
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return {word.strip(): use.strip() for words, use in cells[1:] for word in words.split(",")}


def pattern_of(words):
    """Return a pattern that finds whole words in any case, also across a line break."""
    either = "|".join(r"\s+".join(map(re.escape, word.split())) for word in words)
    return re.compile(rf"(?<![\w-])({either})(?![\w-])", re.IGNORECASE)


def list_files():
    """Return the files to check."""
    found = {path for pattern in CHECKED for path in ROOT.glob(pattern)}
    found.discard(ROOT / ITSELF)
    return sorted(path for path in found if path.suffix in KINDS and path.is_file())


def texts_of(path):
    """Yield each piece of prose in a file with its first line, without the word list itself."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        before, _, after = source.partition(f"{HEADING}\n")
        yield 1, before
        if rest := after.partition("\n## ")[2]:
            yield source[: -len(rest)].count("\n") + 1, rest
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def blank(match):
    """Return a replacement for what is not prose, with the same line breaks."""
    return "\n" * match[0].count("\n")


def complaints(path, words, root=ROOT):
    """Yield file, line, avoided word and the words to use."""
    pattern = pattern_of(words)
    for line, text in texts_of(path):
        prose = NOT_PROSE.sub(blank, text)
        for match in pattern.finditer(prose):
            word = " ".join(match[1].lower().split())
            at = line + prose.count("\n", 0, match.start())
            yield f"{path.relative_to(root)}:{at}: {word!r}; use: {words[word]}"


def test_no_avoided_word_is_used():
    words = avoided()
    found = [complaint for path in list_files() for complaint in complaints(path, words)]
    assert not found, "\n".join([f"{len(found)} avoided words:", *found])


def test_module_docstrings_begin_with_a_noun_or_a_verb():
    modules = {
        path.relative_to(ROOT): ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        for path in list_files()
        if path.suffix == ".py"
    }
    assert not [str(path) for path, text in modules.items() if QUESTION.match(text or "")]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        pytest.param("a.py", '"""Text.\n\nIt goes\non."""\n', 3, id="docstring"),
        pytest.param("a.py", "x = 1\n# whoever reads\n", 2, id="comment"),
        pytest.param("a.py", 'x = 1\ny = f"nobody {x} is told"\n', 2, id="message"),
        pytest.param("a.md", "# Title\n\nIt stands there.\n", 3, id="page"),
        pytest.param("a.py", 'told = "told"\nx = "`told` is a column"\n', None, id="code"),
    ],
)
def test_an_avoided_word_is_found_with_its_line(tmp_path, name, content, line):
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = [
        complaint.split(":")[:2] for complaint in complaints(tmp_path / name, avoided(), tmp_path)
    ]
    assert found == ([[name, str(line)]] if line else [])
