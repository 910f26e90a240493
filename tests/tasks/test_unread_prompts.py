"""Prompts of which the painting model does not read the end."""

import numpy as np
import pytest

from chatgenimage.db.states import Origin
from chatgenimage.tasks import generate
from chatgenimage.tasks.errors import LabelUnread
from chatgenimage.tasks.failures import Fault
from chatgenimage.tasks.image_lineage import Lineage
from chatgenimage.tasks.options import DeliveryOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.workers.values import ModelIdentity


class ShortSighted:
    """A painter that reads twenty letters."""

    identity = ModelIdentity("stable_diffusion", "somewhere", "1", {"steps": 2})

    def unread(self, prompts):
        return [prompt[20:] for prompt in prompts]

    def generate(self, prompts, _seeds):
        return [np.zeros((8, 8, 3), dtype=np.uint8) for _ in prompts]


@pytest.fixture
def resources(sqlite_place):
    families = (ShortSighted(),)
    return Resources(
        sqlite_place.sessions, sqlite_place.images, families, DeliveryOptions(), "test@here#1"
    )


def lineage(prompt):
    return Lineage(1, 1, 1, "dog", "b0/g0", 7, Origin.GENERATED, 0, prompt)


def test_what_was_not_read_is_stored_with_the_model(resources):
    prompts = ["a dog on a beach", "two dogs on a beach at night"]
    painted = generate.compute(resources, [lineage(prompt) for prompt in prompts])
    settings = [image.model["settings"] for image in painted]
    assert settings == [{"steps": 2}, {"steps": 2, "prompt_unread": "at night"}]


def test_a_label_that_only_the_unread_end_names_is_refused_for_good(resources):
    with pytest.raises(LabelUnread, match=r"only there: 'with a dog'.*max_prompt_words") as refused:
        generate.compute(resources, [lineage("a beach by the sea, with a dog")])
    assert Fault.of(refused.value).is_permanent
