import pytest
from sqlalchemy import select

from chatgenimage.db.models import Batch, Prompt, Step
from chatgenimage.tasks import brainstorm
from chatgenimage.tasks.brainstorm import MOST_TURNS, PromptRequest
from chatgenimage.workers.config import RulesConfig
from chatgenimage.workers.errors import AnswerRefused
from chatgenimage.workers.llm.rules import Rules
from chatgenimage.workers.values import Answer, Exchange
from tests import rows


class Parrot:
    """A language model that returns the answers of a list in order."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def write_prompts(self, _label, _features, count, **how):
        self.asked.append((count, how))
        answer = self.answers.pop(0)
        if answer is None:
            raise AnswerRefused("no", [exchange()])
        return Answer(tuple(answer[:count]), (exchange(),))


def exchange():
    return Exchange(question="prompts", model="parrot", messages=(), answer="")


def ask(language, count, known=()):
    question = PromptRequest(
        "dog", ("tail",), count, "scene", 0, seed=1, features_seed=2, most_alike=0.95, known=known
    )
    return brainstorm.brainstorm_prompts(language, question)


@pytest.fixture
def batches(place):
    """The steps of two batches of one label, each with its batch."""
    with place.sessions.begin() as session:
        rows.add_run(session, batches=2)
        found = session.scalars(select(Batch).order_by(Batch.id)).all()
        return [(batch.id, rows.add_steps(session, batch)[0].id) for batch in found]


def read(session, batch_id, step_id):
    return brainstorm.read(session, session.get_one(Step, step_id), batch_id)


def test_whichever_batch_of_a_label_asks_first_asks_for_its_features_alike(place, batches):
    with place.sessions() as session:
        questions = [read(session, *each) for each in batches]
    assert len({question.features_seed for question in questions}) == 1
    assert len({question.seed for question in questions}) == 2


def test_a_batch_knows_what_the_others_of_its_label_were_given(place, batches):
    (first, _), (second, step_id) = batches
    with place.sessions.begin() as session:
        for batch_id, text in ((first, "a dog on a beach"), (second, "a dog in a room")):
            session.add(Prompt(batch_id=batch_id, index=0, text=text))
    with place.sessions() as session:
        assert read(session, second, step_id).known == ("a dog on a beach",)


def test_a_batch_asks_for_its_domain_and_is_numbered_within_it(place):
    with place.sessions.begin() as session:
        run = rows.add_run(session, batches=3)
        found = rows.batches_of(session, run)
        for batch, domain in zip(found, ("at night", "in fog", "at night"), strict=True):
            batch.domain = domain
        steps = [rows.add_steps(session, batch)[0] for batch in found]
        asked = [brainstorm.read(session, step, step.batch_id) for step in steps]
    assert [(one.domain, one.variation) for one in asked] == [
        ("at night", 0),
        ("in fog", 0),
        ("at night", 1),
    ]


def test_the_language_model_gets_the_domain():
    language = Parrot(["a dog at night", "a dog by night"])
    question = PromptRequest("dog", (), 2, "scene", 0, 1, 2, most_alike=0.95, domain="at night")
    brainstorm.brainstorm_prompts(language, question)
    assert language.asked[0][1]["domain"] == "at night"


def test_new_prompts_are_asked_for_in_place_of_repeats():
    language = Parrot(["a dog at sea", "a dog on a beach", "at sea a dog"], ["a dog", "a red dog"])
    ideas = ask(language, 3, known=("a dog on a beach",))
    assert ideas.prompts == ("a dog at sea", "a dog", "a red dog")
    assert [count for count, _ in language.asked] == [3, 2]
    (_, first), (_, second) = language.asked
    assert first["avoid"] == ()
    assert second["avoid"][:2] == ["a dog on a beach", "at sea a dog"]
    assert first["seed"] != second["seed"]
    assert len(ideas.exchanges) == 2


def test_nobody_is_asked_for_ever():
    language = Parrot(*[["a dog at sea"] * 2] * MOST_TURNS)
    ideas = ask(language, 2)
    assert ideas.prompts == ("a dog at sea",)
    assert set(ideas.repeats) == {"a dog at sea"}
    assert len(language.asked) == MOST_TURNS


def test_short_answers_with_something_new_are_not_counted():
    """docs/models.md: a batch of n images asks at most n + 2 times."""
    repeats = [["a dog at sea"]] * MOST_TURNS
    language = Parrot(["a dog at sea"], ["a dog on a beach"], *repeats)
    ideas = ask(language, 3)
    assert len(ideas.prompts) == 2
    assert len(language.asked) == 3 + 2


def test_a_refusal_of_more_leaves_what_there_is_and_what_it_cost():
    ideas = ask(Parrot(["a dog at sea", "a dog at sea"], None), 2)
    assert ideas.prompts == ("a dog at sea",)
    assert len(ideas.exchanges) == 2
    with pytest.raises(AnswerRefused):
        ask(Parrot(None), 2)


def test_repeats_are_written_as_such_where_nothing_new_is_left(place, batches):
    _, (batch_id, step_id) = batches
    with place.sessions.begin() as session:
        step = session.get_one(Step, step_id)
        step.batch.size = 3
        question = brainstorm.read(session, step, batch_id)
        ideas = brainstorm.PromptIdeas(("tail",), ("a dog",), ("dog a",), ())
        brainstorm.write(session, step, question, ideas)
    with place.sessions() as session:
        found = session.execute(select(Prompt.text, Prompt.is_repeat).order_by(Prompt.index))
        assert [tuple(row) for row in found] == [("a dog", False), ("dog a", True), ("dog a", True)]


def test_the_rule_book_says_everything_that_it_can_before_it_repeats_itself():
    rules = Rules.load(RulesConfig(checkpoint="bundled:micro/rules"))
    known, repeats = [], 0
    for number in range(12):
        question = PromptRequest(
            "dog", None, 8, "object", number, number, 0, most_alike=0.95, known=tuple(known)
        )
        ideas = brainstorm.brainstorm_prompts(rules, question)
        known += ideas.prompts
        repeats += question.count - len(ideas.prompts)
    assert len({" ".join(sorted(text.split())) for text in known}) == len(known)
    assert len(known) > 24
    assert repeats > 0
