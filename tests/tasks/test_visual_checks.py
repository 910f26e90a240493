"""Questions to a vision-language model, the scores of its answers, and the rules for them."""

import numpy as np
import pytest
from sqlalchemy import select

from chatgenimage.db.models import Candidate, Score, VisualAnswer
from chatgenimage.db.states import Origin
from chatgenimage.tasks import filter as filter_step
from chatgenimage.tasks import filter_rules
from chatgenimage.tasks.filter_measures import FilterInput, Measurement, measure
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.thresholds import FilterThresholds
from chatgenimage.tasks.visual_checks import (
    VisualQuestion,
    VisualReply,
    ask_judge,
    questions_about,
    read_value,
    scores_of,
)
from chatgenimage.workers.interfaces import ImageTextEncoder
from chatgenimage.workers.values import ModelIdentity
from tests import rows

LIMITS = filter_rules.thresholds_of(FilterThresholds())
RULES = {rule.name: rule for rules in filter_rules.RULES.values() for rule in rules}
ALL = ("whole", "background", "count", "boxes")
DOG_BOX = ("dog", (10.0, 10.0, 30.0, 30.0))


class ColourJudge:
    """Sees red as a dog, and blue as a beach; knows no other image."""

    identity = ModelIdentity("test", "colours", "1")

    def __init__(self):
        self.asked = []

    def ask(self, images, questions):
        self.asked += questions
        return [self._answer(*pair) for pair in zip(images, questions, strict=True)]

    def _answer(self, image, question):
        red = (image[..., 0] > 128).mean()
        if "how many" in question.lower():
            return "One." if red else "There are none, so 0"
        if "background" in question:
            return "9" if (image[..., 2] > 128).mean() > 0.5 else "2/10"
        return "10" if red > 0.05 else "0"


def picture(*, dog, beach=True):
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 2 if beach else 1] = 200
    if dog:
        image[10:30, 10:30] = (220, 0, 0)
    return image


def scores(image, found=(DOG_BOX,), labels=("dog",), background="a beach"):
    questions = questions_about(ALL, labels, background, found)
    [replies] = ask_judge(ColourJudge(), [image], [questions])
    return scores_of(replies)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("seen_whole", {"image": picture(dog=False)}),
        ("seen_background", {"image": picture(dog=True, beach=False)}),
        ("seen_count", {"image": picture(dog=True), "found": [DOG_BOX] * 3}),
        (
            "seen_boxes",
            {"image": picture(dog=True), "found": [DOG_BOX, ("dog", (40.0, 40.0, 60.0, 60.0))]},
        ),
    ],
)
def test_each_question_tells_a_good_image_from_a_bad_one(name, bad):
    good = scores(picture(dog=True))
    assert RULES[name].passes(good[name], LIMITS[name])
    assert not RULES[name].passes(scores(**bad)[name], LIMITS[name])


@pytest.mark.parametrize("origin", list(Origin))
def test_a_bad_answer_rejects_and_a_missing_one_does_not(origin):
    passing = {rule.name: LIMITS[rule.name] for rule in filter_rules.RULES[origin]}
    seen = {rule.name for rule in filter_rules.SEEN}
    unseen = {name: value for name, value in passing.items() if name not in seen}
    assert filter_rules.judge(origin, unseen, LIMITS)[1] is None
    for rule in filter_rules.SEEN:
        verdict = filter_rules.judge(origin, {**passing, rule.name: 0.1}, LIMITS)
        assert verdict[1] == rule.reason


def test_only_what_is_known_is_asked():
    names = [one.name for one in questions_about(ALL, ("dog", "cat"), None, [])]
    assert names == []
    [count] = questions_about(("count",), ("dog",), "a beach", [DOG_BOX, ("cat", DOG_BOX[1])])
    assert (count.name, count.expected) == ("seen_count", 1)


@pytest.mark.parametrize(
    ("answer", "value"), [("2", 1.0), ("one", 0.5), ("0", 0.0), ("None.", 0.0), ("many", None)]
)
def test_a_count_is_compared_with_the_boxes(answer, value):
    assert read_value(VisualQuestion("seen_count", "?", expected=2), answer) == value


def test_two_against_one_box_is_rejected_and_three_against_two_is_not():
    rule, limit = RULES["seen_count"], LIMITS["seen_count"]
    counts = {("two", 1): False, ("one", 1): True, ("3", 2): True, ("no dogs", 1): False}
    for (answer, boxes), passes in counts.items():
        value = read_value(VisualQuestion("seen_count", "?", expected=boxes), answer)
        assert rule.passes(value, limit) is passes, answer


def test_the_judge_is_used_only_under_its_own_key(micro):
    subject = FilterInput(
        0,
        Origin.EDITED,
        ("dog",),
        micro.images.put(picture(dog=True), {}),
        "a dog",
        ((DOG_BOX, 0.9),),
        background="a beach",
        checks=("whole", "background"),
    )
    encoder = micro.find(ImageTextEncoder)
    for key, count in (("judging", 2), ("captioning", 0)):
        judge = ColourJudge()
        resources = Resources(
            micro.sessions,
            micro.images,
            [encoder, judge],
            micro.delivery,
            "me",
            keys=("similarity", key),
        )
        [embedded] = filter_step.compute(resources, [subject])
        assert len(embedded.replies) == len(judge.asked) == count
        measured = measure(resources, subject, embedded)
        assert ("seen_whole" in measured.scores) == (count > 0)


def test_question_answer_and_model_are_stored_with_the_score(place):
    with place.sessions.begin() as session:
        run = rows.add_run(session)
        [batch] = rows.batches_of(session, run)
        candidate_id = rows.add_candidate(place, session, batch, scores={}).id
    question = VisualQuestion("seen_whole", "Is there a dog?")
    measured = Measurement(
        {"seen_whole": 0.2},
        "0" * 16,
        np.zeros(4, np.float32),
        (VisualReply(question, "2\x00", 0.2, "seer"),),
    )
    subject = FilterInput(candidate_id, Origin.GENERATED, ("dog",), "a" * 64, "", ())
    for _ in range(2):  # a repeated write
        with place.sessions.begin() as session:
            filter_step.write(session, None, subject, measured)
    with place.sessions() as session:
        [answer] = session.scalars(select(VisualAnswer))
        assert (answer.question, answer.answer, answer.value) == ("Is there a dog?", "2", 0.2)
        assert (answer.name, answer.index, answer.model) == ("seen_whole", -1, "seer")
        [score] = session.scalars(select(Score))
        assert session.get_one(Candidate, candidate_id).scores == [score]
