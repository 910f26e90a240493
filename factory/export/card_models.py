"""Models of exported runs: their licences, and the commits that their weights were of."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from chatgenimage.db.model_identities import list_labellers, list_painters
from chatgenimage.db.models import Run
from chatgenimage.factory.export.licences import UNKNOWN, find_licence
from chatgenimage.factory.export.markdown import table_head, table_row
from chatgenimage.tasks.chain import plan_chain
from chatgenimage.tasks.options import run_options

HUB_COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST = 200
"""Characters of a cell: a shortened commit or condition of a licence would be of no use."""


@dataclass(frozen=True, slots=True)
class ModelsOfRun:
    """Models of a run, as recorded with its images.

    Attributes:
        profile: The run's profile, in which each model from the hub has the commit that was used.
        licences: Licence by the model's name in the profile, of those whose own card has one.
    """

    profile: Mapping[str, Any]
    licences: Mapping[str, str]


def find_models(session: Session, run: Run) -> ModelsOfRun:
    """Return the models of a run.

    Its profile may name no commit, and the hub's main branch may have moved since. The models of
    the role `scoring` are not recorded with an image; they stay as the profile has them.
    """
    recorded = {
        (one.get("family"), one.get("checkpoint")): one
        for one in (*list_painters(session, run.id), *list_labellers(session, run.id))
    }
    families, licences = dict(run.profile["families"]), {}
    for name, family in families.items():
        used = recorded.get((family["family"], family.get("checkpoint")), {})
        if commit := _commit_of(used):
            families[name] = family | {"revision": commit}
        if licence := used.get("licence"):
            licences[name] = licence
    return ModelsOfRun(run.profile | {"families": families}, licences)


def describe_models(runs: Sequence[Run], models: Mapping[int, ModelsOfRun]) -> Iterator[str]:
    """Yield the lines of a table of the models that runs used.

    Args:
        runs: Runs that the samples come from.
        models: The models of each run.
    """
    yield from table_head("run", "does", "family", "weights", "licence")
    for run in runs:
        found = models[run.id]
        queues = {link.queue for link in plan_chain(run_options(run).chain, run.mode)}
        used = {name for queue in queues for name in found.profile["roles"][queue]}
        for name, family in found.profile["families"].items():
            if name not in used:
                continue
            weights = family.get("checkpoint") or family.get("model", "")
            revision = f" at {family['revision']}" if family.get("revision") else ""
            licence = _licence_of(family, found.licences.get(name))
            row = (run.id, name, family["family"], f"{weights}{revision}", licence)
            yield table_row(*row, most=LONGEST)
    yield ""
    yield "These licences apply to every use of the images; check the models' pages."


def _licence_of(family: Mapping[str, Any], recorded: str | None) -> str:
    """Return a model's licence; that of its own card if nothing else is known."""
    known = find_licence(family["checkpoint"]) if family.get("checkpoint") else UNKNOWN
    return recorded if recorded and known == UNKNOWN else known


def _commit_of(model: Mapping[str, Any]) -> str | None:
    """Return the hub commit of recorded weights; None: they are not from the hub."""
    own = str(model.get("revision")).partition("+")[0]  # behind it are those of LoRA weights
    return own if HUB_COMMIT.fullmatch(own) else None
