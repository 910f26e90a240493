"""Funnel of a run: numbers of prompts, scenes and images after each step."""

from collections.abc import Iterable, Mapping

from chatgenimage.db.runs import FunnelStage
from chatgenimage.db.states import Origin


def count_funnel_steps(
    stages: Iterable[FunnelStage], proposals: Mapping[str, int]
) -> dict[str, int]:
    """Return the numbers after each step, in the order of the chain.

    Args:
        stages: Candidates by origin, from `chatgenimage.db.runs.count_funnel`.
        proposals: Prompts, scenes and placements, from
            `chatgenimage.db.reporting.count_proposals`.
    """
    of_origin = {stage.origin: stage for stage in stages}
    first = of_origin.get(Origin.IMPORTED) or of_origin[Origin.GENERATED]
    edited, filled = of_origin[Origin.EDITED], of_origin[Origin.FILLED]
    return {
        "prompts": proposals["prompts"],
        first.origin.value: first.made,
        f"{first.origin}, accepted": first.accepted,
        "scenes": proposals["scenes"],
        "edited": edited.made,
        "edited, objects kept": edited.made - edited.rejected.get("objects_lost", 0),
        "edited, accepted": edited.accepted,
        "placements": proposals["placements"],
        "valid placements": proposals["valid placements"],
        "filled": filled.made,
        "filled, accepted": filled.accepted,
    }
