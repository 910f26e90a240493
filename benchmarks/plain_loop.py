"""Algorithm 1 as one plain script: the product's classes in loops, no queue, no database.

    python -m benchmarks.plain_loop FOLDER SEED PER_LABEL LABEL...

Prints the seconds of the loops, without loading, and the hash of every image, as JSON.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatgenimage.db.models import Annotation, Candidate, Placement, Scene
from chatgenimage.db.states import Origin, Verdict
from chatgenimage.factory.app import assemble
from chatgenimage.factory.settings.model import Settings, load_settings
from chatgenimage.tasks import brainstorm, edit, fill, filter_rules, generate, label
from chatgenimage.tasks import filter as filtering
from chatgenimage.tasks.filter_measures import FilterInput
from chatgenimage.tasks.image_lineage import Lineage, derive_seed
from chatgenimage.tasks.options import RunOptions
from chatgenimage.tasks.resources import Resources
from chatgenimage.tasks.step_definition import StepWork
from chatgenimage.workers.interfaces import LanguageModel
from chatgenimage.workers.llm.english import EDIT_INSTRUCTION, with_article
from chatgenimage.workers.masks import Rle
from chatgenimage.workers.values import Detection


@dataclass(frozen=True)
class Loop:
    """The models, the options and the seed of one run."""

    models: Resources
    options: RunOptions
    seed: int

    def run(self, name: str) -> list[Candidate]:
        """Return every candidate of a label: one batch, one round."""
        first = self._label(self._paint_first(name), name)
        self._judge(first, name)
        parents = [one for one in first if one.verdict == Verdict.ACCEPTED]
        edited = self._label(self._edit(parents, name), name)
        for one in edited:
            if self._kept_share(one) < 1.0:
                one.verdict = Verdict.REJECTED
        filled = self._label(self._fill([e for e in edited if e.verdict is None], name), name)
        self._judge(_in_order([c for c in (*edited, *filled) if c.verdict is None]), name)
        return [*first, *edited, *filled]

    def _paint_first(self, name: str) -> list[Candidate]:
        chain = self.options.chain
        question = brainstorm.PromptRequest(
            label=name,
            features=None,
            count=chain.per_label,
            mode=chain.mode,
            variation=0,
            seed=derive_seed(self.seed, name, "b0"),
            features_seed=derive_seed(self.seed, name, "features"),
            most_alike=chain.prompt_similarity_max,
        )
        ideas = brainstorm.brainstorm_prompts(self.models.able(LanguageModel), question)
        keys = [f"b0/g{index}" for index in range(len(ideas.prompts))]
        made = [
            self._candidate(name, key, Origin.GENERATED, text)
            for key, text in zip(keys, ideas.prompts, strict=True)
        ]
        return self._paint(generate.GENERATE, made, [_lineage(one, name) for one in made])

    def _edit(self, parents: Sequence[Candidate], name: str) -> list[Candidate]:
        made = []
        for parent in _in_order(parents):
            names = tuple(dict.fromkeys(a.label for a in parent.annotations))
            count = self.options.chain.scenes_per_candidate
            subject = edit.ParentCandidate(
                0, parent.caption or "", names, count, derive_seed(parent.seed, "scenes")
            )
            answer = edit.imagine_around(self.models.able(LanguageModel), subject)
            for index, scene in enumerate(answer.value[:count]):
                text = EDIT_INSTRUCTION.format(background=scene.background)
                one = self._candidate(name, f"{parent.key}/e{index}", Origin.EDITED, text, parent)
                one.scene = Scene(
                    background=scene.background,
                    objects=list(scene.objects),
                    description=scene.description,
                )
                made.append(one)
        return self._paint(edit.EDIT, made, [_lineage(one, name) for one in made])

    def _fill(self, edited: Sequence[Candidate], name: str) -> list[Candidate]:
        made, asked = [], []
        for parent in _in_order(edited):
            scene = parent.scene
            assert scene is not None  # noqa: S101  # every edit has one
            there = tuple(Detection(a.label, a.confidence, a.box_xyxy) for a in parent.annotations)
            known = {detection.label for detection in there}
            canvas = fill.EditedCandidate(
                0,
                parent.caption or "",
                there,
                tuple(each for each in scene.objects if each not in known),
                (parent.width_px, parent.height_px),
                self.options.chain.placements_per_candidate,
                derive_seed(parent.seed, "placements"),
            )
            [answer] = fill.compute_place(self.models, [canvas])
            problems = fill.judge_proposals(answer.value, canvas)
            for index, proposal in enumerate(answer.value):
                if problems[index] is not None:
                    continue
                text = self.options.chain.fill_prompt.format(
                    object=with_article(proposal.label),
                    relationship=proposal.relationship,
                    place=filter_rules.find_place(scene.description, scene.background),
                )
                one = self._candidate(name, f"{parent.key}/f{index}", Origin.FILLED, text, parent)
                x_min, y_min, x_max, y_max = proposal.box_xyxy
                one.scene, one.placement = (
                    scene,
                    Placement(
                        label=proposal.label, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max
                    ),
                )
                made.append(one)
                count = self.options.chain.fill_predictions
                asked.append(fill.FillRequest(_lineage(one, name), proposal.box_xyxy, count))
        return self._paint(fill.FILL, made, asked)

    def _paint(
        self, step: StepWork[Any, Any, Any], made: list[Candidate], asked: Sequence[Any]
    ) -> list[Candidate]:
        """Return the candidates with the images that a step paints."""
        for one, painted in zip(made, self._work(step, asked), strict=True):
            one.sha256, (one.width_px, one.height_px) = painted.sha256, painted.size_wh
        return made

    def _work(self, step: StepWork[Any, Any, Any], asked: Sequence[Any]) -> list[Any]:
        """Return the results of a step's functions, in passes of its size."""
        results, size = [], self.options.chain.batch_size
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            for subject, made in zip(part, step.compute(self.models, part), strict=True):
                results.append(step.finish(self.models, subject, made))
        return results

    def _label(self, made: list[Candidate], name: str) -> list[Candidate]:
        chain, ordered = self.options.chain, _in_order(made)
        asked = [
            label.LabelInput(0, one.sha256, _names(one, name, chain.class_list), chain)
            for one in ordered
        ]
        for one, labels in zip(ordered, self._work(label.LABEL, asked), strict=True):
            one.caption, one.annotations = labels.caption, label.to_annotations(labels)
        return made

    def _judge(self, made: list[Candidate], name: str) -> None:
        thresholds = self.options.thresholds
        asked = [self._filter_input(one, name) for one in made]
        measured = self._work(filtering.FILTER, asked)
        numbers = {id(one.parent): number for number, one in enumerate(made)}
        scored = [
            filter_rules.ScoredCandidate(
                number,
                Origin(one.origin),
                numbers[id(one.parent)] if one.parent else None,
                {
                    **found.scores,
                    **(
                        {filter_rules.OBJECTS_KEPT.name: self._kept_share(one)}
                        if one.origin == Origin.EDITED
                        else {}
                    ),
                },
            )
            for number, (one, found) in enumerate(zip(made, measured, strict=True))
        ]
        judged = filter_rules.judge_siblings(scored, filter_rules.thresholds_of(thresholds))
        for number, one in enumerate(made):
            one.verdict, one.reason = judged[number].verdict, judged[number].reason

    def _filter_input(self, one: Candidate, name: str) -> FilterInput:
        text, rivals = filtering.texts_of(one, self.options)
        thresholds, parent, placement = self.options.thresholds, one.parent, one.placement
        kept = filter_rules.certain(parent.annotations, thresholds) if parent else ()
        return FilterInput(
            0,
            Origin(one.origin),
            (name,),
            one.sha256,
            text,
            tuple(((a.label, a.box_xyxy), a.confidence) for a in one.annotations),
            rivals,
            parent.sha256 if parent else None,
            _boxes(kept),
            tuple(Rle(size=a.rle["size"], counts=a.rle["counts"]) for a in kept),
            (placement.label, placement.box_xyxy) if placement else None,
            thresholds.object_kept_iou_min,
        )

    def _kept_share(self, one: Candidate) -> float:
        assert one.parent is not None  # noqa: S101  # an edit has one
        before = filter_rules.certain(one.parent.annotations, self.options.thresholds)
        least = self.options.thresholds.object_kept_iou_min
        return filter_rules.kept_share(_boxes(before), _boxes(one.annotations), least)

    def _candidate(
        self, name: str, key: str, origin: Origin, text: str, parent: Candidate | None = None
    ) -> Candidate:
        seed = derive_seed(self.seed, name, key)
        return Candidate(key=key, seed=seed, origin=origin, prompt_text=text, parent=parent)


def _lineage(one: Candidate, name: str) -> Lineage:
    parent_sha256 = one.parent.sha256 if one.parent else None
    return Lineage(
        *(0, 0, 0, name, one.key, one.seed, Origin(one.origin), 0, one.prompt_text),
        parent_sha256=parent_sha256,
    )


def _names(one: Candidate, name: str, class_list: Sequence[str]) -> tuple[str, ...]:
    names = [name, *(a.label for a in (one.parent.annotations if one.parent else ()))]
    if one.placement:
        names.append(one.placement.label)
    return tuple(dict.fromkeys([*names, *class_list]))


def _in_order(made: Sequence[Candidate]) -> list[Candidate]:
    return sorted(made, key=lambda one: one.key)


def _boxes(annotations: Sequence[Annotation]) -> tuple[filter_rules.LabelledBox, ...]:
    return tuple((annotation.label, annotation.box_xyxy) for annotation in annotations)


def open_loop(settings: Settings, seed: int) -> Loop:
    """Return the loop with the profile's models; no database is opened."""
    models = assemble(settings, list(settings.roles), "plain")
    options = RunOptions(chain=settings.chain, thresholds=settings.thresholds)
    return Loop(models, options, seed)


def main(folder: Path, seed: int, per_label: int, names: Sequence[str]) -> None:
    """Run the loop for each label and print what came of it."""
    chain = {"per_label": per_label}
    settings = load_settings("micro", data_dir=folder, device="cpu", chain=chain)
    if per_label > settings.chain.batch_size:
        raise SystemExit(f"at most {settings.chain.batch_size} images per label: one batch")
    loop = open_loop(settings, seed)
    started = time.perf_counter()
    made = {name: loop.run(name) for name in names}
    seconds = time.perf_counter() - started
    found = {f"{name}/{one.key}": one.sha256 for name, some in made.items() for one in some}
    accepted = sum(one.verdict == Verdict.ACCEPTED for some in made.values() for one in some)
    print(json.dumps({"seconds": seconds, "images": found, "accepted": accepted}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
