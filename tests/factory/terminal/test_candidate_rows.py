import io
import json

import pytest
from rich.console import Console

from chatgenimage import open_store
from chatgenimage.factory.terminal.candidate_rows import print_candidates


@pytest.mark.parametrize("form", ["json", "csv"])
def test_candidates_are_printed_as_they_come(filled_place, form):
    out, lengths = io.StringIO(), []

    def rows(store):
        for row in store.candidates():
            yield row
            lengths.append(len(out.getvalue()))

    with open_store(filled_place.data_dir) as store:
        count = print_candidates(rows(store), form, Console(file=out))
    assert count == len(lengths) == 8
    assert lengths == sorted(set(lengths))
    if form == "json":
        assert len(json.loads(out.getvalue())) == count
    else:
        assert len(out.getvalue().splitlines()) == count + 1
