"""Prices of painted images in a plan."""

import pytest

from chatgenimage.factory.planning.plan import _image_cost
from chatgenimage.factory.planning.work import PlannedItems
from chatgenimage.factory.settings.model import load_settings


@pytest.mark.parametrize(
    ("step", "price"), [("generate", 0.02), ("edit", 0.04), ("fill", 0.04), ("label", None)]
)
def test_each_step_has_the_price_of_the_family_that_paints_in_it(step, price):
    work = PlannedItems(step, 10, 10, 10, 10)
    cost = _image_cost(load_settings("api"), [work])
    assert cost == (None if price is None else pytest.approx(10 * price))
