"""The example notebook runs from top to bottom, and its saved outputs are what a person sees."""

import ast
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first-run.ipynb"
PATIENCE_S = 600
COUNTS = "dict(result.made)"
PICTURE = "data:image/jpeg;base64,"
MOST_BYTES = 400_000


def read_notebook():
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


def outputs_of(notebook):
    """Return the outputs of each code cell, by the kinds of content that they have."""
    return {
        cell.source: [
            output.get("data", {"text/plain": output.get("text", "")}) for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def find(outputs, part):
    (found,) = [shown for source, shown in outputs.items() if part in source]
    return found


def execute(folder):
    """Return the outputs of the notebook, run in a folder."""
    notebook = read_notebook()
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=PATIENCE_S, kernel_name="python3", resources=place).execute()
    return outputs_of(notebook)


def test_the_notebook_runs_and_shows_what_is_saved_in_it(tmp_path):
    executed, saved = execute(tmp_path), outputs_of(read_notebook())
    kinds = {
        source: [sorted(data) for data in shown if "text/html" in data]
        for source, shown in executed.items()
    }
    assert kinds == {
        source: [sorted(data) for data in shown if "text/html" in data]
        for source, shown in saved.items()
    }
    counts = [
        ast.literal_eval(find(outputs, COUNTS)[0]["text/plain"]) for outputs in (executed, saved)
    ]
    assert counts[0][0] == counts[1][0]  # what is made; a rounding may turn a verdict
    assert counts[0][2] is False
    assert_progress_and_pictures(executed)


def assert_progress_and_pictures(executed):
    (progress,) = find(executed, "run([")
    assert "2/2 batches" in progress["text/html"]
    assert PICTURE in find(executed, "store.pictures")[0]["text/html"]
    (result,) = [shown for source, shown in executed.items() if source == "result"]
    assert "Results by label" in result[0]["text/html"]
    assert 1 <= result[0]["text/html"].count(PICTURE) <= 12


def test_the_saved_notebook_is_small_and_has_no_path_of_a_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert not any(path in text for path in ("/home/", "/root/"))
