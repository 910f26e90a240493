"""Time that `imagine` and `place` wait for a language model: one request at a time, and several.

    python -m benchmarks.answers

A server on loopback answers each request after a second. The steps, the database, the family and
the HTTP client are the real ones; a batch has eight images.
"""

import json
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from benchmarks.page import put_section, to_table
from chatgenimage.db.models import Scene
from chatgenimage.db.states import Origin
from chatgenimage.factory import log
from chatgenimage.factory.llm_cache import DatabaseLlmCache
from chatgenimage.tasks import resources
from chatgenimage.tasks.edit import IMAGINE
from chatgenimage.tasks.fill import PLACE
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step import ChainEnds, run_step
from chatgenimage.workers.llm.openai import OpenAiLanguageModel
from tests import rows
from tests.loopback import Loopback, Reply, says

BATCH = 8
ANSWER_S = 1.0
LIMITS = (1, 8)
ROUNDS = 3
BOX = {"label": "ball", "box": [300, 300, 420, 420], "relationship": "next to a dog"}
SCENE = {"background": "a beach", "objects": ["dog", "ball"], "description": "a dog on a beach"}
ANSWERS = {"scenes": [SCENE] * 2, "placements": [BOX] * 6}


def answer(request: dict[str, dict[str, dict[str, str]]]) -> Reply:
    """Answer either question after `ANSWER_S` seconds."""
    time.sleep(ANSWER_S)
    kind = request["response_format"]["json_schema"]["name"]
    reply: Reply = says(json.dumps({kind: ANSWERS[kind]}))
    return reply


def measure(max_concurrency: int) -> float:
    """Return the seconds that both steps of one batch take."""
    with tempfile.TemporaryDirectory() as folder, Loopback(answer) as server:
        rows.make_database(Path(folder))
        place = rows.open_place(Path(folder))
        batch_id = add_batch(place)
        model = OpenAiLanguageModel.load(
            server.config(max_concurrency=max_concurrency, timeout_s=60),
            DatabaseLlmCache(place.sessions, place.images),
        )
        options = DeliveryOptions()
        resources.use(Resources(place.sessions, place.images, [model], options, "bench@here#1"))
        started = time.perf_counter()
        with suppress(ChainEnds):  # nothing follows `place`
            run_step(IMAGINE, batch_id)
            run_step(PLACE, batch_id)
        return time.perf_counter() - started


def add_batch(place: rows.Place) -> int:
    """Add a batch with eight accepted images and an edit of each; return its id."""
    dog = ("dog", "brown", (40.0, 2.0, 60.0, 22.0))
    with place.sessions.begin() as session:
        batch = rows.batch_of(session, rows.add_run(session))
        for number in range(BATCH):
            said = {"caption": f"dog number {number}", "seed": number}
            parent = rows.add_candidate(place, session, batch, [dog], **said)
            scene = Scene(candidate_id=parent.id, index=9, background="a place", description="")
            scene.objects = ["dog", "ball"]
            session.add(scene)
            session.flush()
            edited = {"origin": Origin.EDITED, "round": 1, "verdict": None, "scene_id": scene.id}
            rows.add_candidate(place, session, batch, [dog], parent=parent, **said, **edited)
        rows.add_steps(session, batch, ("imagine", "place"))
        session.execute(text("UPDATE step SET round = 1"))
        return int(batch.id)


def main() -> None:
    """Measure in turns and write the section."""
    log.configure()
    measured = [[measure(limit) for limit in LIMITS] for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*measured, strict=True)]
    table = to_table(
        ("`max_concurrency`", "imagine + place of a batch of 8"),
        [(limit, f"{median:.1f} s") for limit, median in zip(LIMITS, medians, strict=True)],
    )
    report = f"""\
A server on loopback answers each request after {ANSWER_S:.0f} s. Eight accepted images are asked
about in `imagine`, and an edit of each in `place`; medians of {ROUNDS} rounds in turns.

{table}
"""
    put_section("Waiting for a language model", "python -m benchmarks.answers", report)
    print(report)  # noqa: T201


if __name__ == "__main__":
    main()
