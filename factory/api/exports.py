"""Exports from Python: `export` does what `factory export` does."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack, cast

from chatgenimage.db.states import Verdict
from chatgenimage.factory.api.export_command import spell_export
from chatgenimage.factory.api.places import PLACE_KEYS, Places, at, places_of, store_at
from chatgenimage.factory.errors import SettingsError
from chatgenimage.factory.export.base import Masks
from chatgenimage.factory.export.class_choice import ClassChoice, parse_classes
from chatgenimage.factory.export.exporting import export as write_export
from chatgenimage.factory.export.request import ExportRequest, ExportResult
from chatgenimage.factory.query.filters import Filters, make_filter
from chatgenimage.factory.settings.arguments import Paths, Place, Seed, TextOrList, checked, several

NOT_OF_EXPORTS = frozenset({"limit", "object_confidence", "object_area_px"})
"""Keywords of `Filters` that no option of `factory export` can repeat."""


class ExportOptions(Filters, Places, total=False):
    """Keywords of `export` besides its own: of `Filters`, but `NOT_OF_EXPORTS`, and of `Places`."""


@checked
def export(  # noqa: PLR0913  # keywords
    format: str,  # noqa: A002  # as the command calls it
    out: Place,
    *,
    splits: str | Mapping[str, float] | None = None,
    seed: Seed = 0,
    strict_splits: bool = False,
    masks: Masks | None = None,
    classes: TextOrList | None = None,
    merge: Mapping[str, str] | None = None,
    extras: bool = False,
    originals: Paths = (),
    overwrite: bool = False,
    **options: Unpack[ExportOptions],
) -> ExportResult:
    """Write candidates as a dataset, with a dataset card; see `factory export`.

    Args:
        format: Name of the format, e.g. "coco".
        out: Folder to create.
        splits: Shares by name, or a text such as "train=0.8,val=0.2"; None: what the format's
            trainers need, else one split.
        seed: Of the splits; families stay together.
        strict_splits: Fail if a split has no image or lacks a label.
        masks: Form of the masks; None: the format's.
        classes: The classes in the order of their numbers, or a file that lists them; all others
            are left out. None: as in earlier exports.
        merge: New class by old class.
        extras: Export objects of other classes too: of the profile's class list, of captions, and
            those that the language model added.
        originals: Folders of the annotated pictures: their files are exported instead of the
            stored copies.
        overwrite: Replace an earlier export in this folder.
        options: Which candidates (`Filters`; `verdict` is "accepted" unless given, "any" is for
            all), and where (`Places`).

    Raises:
        UnknownName: If a keyword, the format, a label or another name does not exist.
        SettingsError: If a choice does not fit the format.
        NothingFound: If no candidate matches.
        CannotWrite: If the folder may not be replaced, or writing fails.
        SplitsIncomplete: If `strict_splits` is not met.
        LibraryMissing: If the format needs a library that is not installed.
    """
    filters = _filters_of(options)
    with at(places_of(options)) as place, store_at(place) as store:
        request = ExportRequest.of(
            format,
            Path(out),
            make_filter(**filters),
            splits=_splits_text(splits),
            seed=seed,
            masks=masks,
            classes=ClassChoice(_class_names(classes), dict(merge or {}), extras),
            originals=tuple(map(Path, several(originals))),
            overwrite=overwrite,
            strict_splits=strict_splits,
        )
        request = replace(request, command=spell_export(request, filters))
        return write_export(store.sessions, store.images, request)


def _filters_of(options: ExportOptions) -> Filters:
    """Return the filters among the options; only accepted candidates unless a verdict is given."""
    filters = cast(
        "Filters", {key: value for key, value in options.items() if key not in PLACE_KEYS}
    )
    for key in NOT_OF_EXPORTS & filters.keys():
        raise SettingsError(f"an export has no `{key}`: choose candidates by scores or labels.")
    filters["verdict"] = filters.get("verdict") or Verdict.ACCEPTED
    return filters


def _splits_text(splits: str | Mapping[str, float] | None) -> str | None:
    if splits is None or isinstance(splits, str):
        return splits
    return ",".join(f"{name}={share}" for name, share in splits.items())


def _class_names(classes: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if classes is None:
        return None
    return parse_classes(classes) if isinstance(classes, str) else tuple(classes)
