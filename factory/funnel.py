"""The funnel of a run: how many there are after each step of the chain."""

from collections.abc import Iterable, Mapping

from db.runs import Stage
from db.states import Origin


def count_funnel_steps(stages: Iterable[Stage], proposals: Mapping[str, int]) -> dict[str, int]:
    """Return how many there are after each step, in the order of the chain.

    Args:
        stages: What was made, of `db.runs.count_funnel`.
        proposals: What was thought of, of `db.reporting.count_proposals`.
    """
    of_origin = {stage.origin: stage for stage in stages}
    generated, edited, filled = (
        of_origin[origin] for origin in (Origin.GENERATED, Origin.EDITED, Origin.FILLED)
    )
    return {
        "prompts": proposals["prompts"],
        "generated": generated.made,
        "generated, accepted": generated.accepted,
        "scenes": proposals["scenes"],
        "edited": edited.made,
        "edited, objects kept": edited.made - edited.rejected.get("objects_lost", 0),
        "edited, accepted": edited.accepted,
        "placements": proposals["placements"],
        "valid placements": proposals["valid placements"],
        "filled": filled.made,
        "filled, accepted": filled.accepted,
    }
