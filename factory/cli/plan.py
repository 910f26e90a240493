"""`factory plan`: what a run would take, before anything is submitted, downloaded or paid for."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from chatgenimage.factory.cli.common import (
    AsJson,
    StoreOptions,
    expected_errors,
    print_json,
    stdout,
    takes,
    warn_of_unused_names,
)
from chatgenimage.factory.cli.run import LabelFiles, Labels, choose_chain, read_wanted

if TYPE_CHECKING:
    from chatgenimage.factory.planning.plan import RunPlan


@expected_errors()
@takes(chain=choose_chain, place=StoreOptions)
def plan(
    *,
    labels: Labels = None,
    files: LabelFiles = None,
    chain: dict[str, Any],
    place: StoreOptions,
    as_json: AsJson = False,
) -> None:
    """Show images, questions, downloads, memory, money and time of a run that is not submitted.

    Times, accepted shares and tokens are averages of earlier runs with the same models in this
    database. Where there are none, times are those of `factory models check` on this device, and
    else they are assumed; the output says which. The last line is about
    `factory run --preview` alone.

    Example: factory plan --file labels.csv --profile sd15
    """
    settings = place.load_settings(chain=chain)
    settings, wanted = read_wanted(settings, labels or [], files or [])
    warn_of_unused_names(settings, wanted.labels)
    from chatgenimage.factory.planning.plan import plan_run
    from chatgenimage.factory.planning.preview import plan_preview
    from chatgenimage.factory.planning.view import show_plan

    found = plan_run(settings, wanted.requests)
    preview = plan_preview(settings, wanted.requests)
    if as_json:
        print_json(_to_json(found) | {"preview": _preview_json(preview)})
    else:
        for part in show_plan(settings, found, preview):
            stdout.print(part, soft_wrap=isinstance(part, str))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def _to_json(found: "RunPlan") -> dict[str, Any]:
    steps = [
        {**asdict(step.work), "item_s": step.item_s, "hours": step.hours, "source": step.source}
        for step in found.steps
    ]
    downloads = [asdict(need) for need in found.downloads]
    return asdict(found) | {"steps": steps, "downloads": downloads, "hours": found.hours}


def _preview_json(preview: "RunPlan") -> dict[str, Any]:
    from chatgenimage.factory.planning.preview import total_cost, total_images, total_questions

    return {
        "images": total_images(preview),
        "questions": total_questions(preview),
        "cost": total_cost(preview),
        "hours": preview.hours,
    }
