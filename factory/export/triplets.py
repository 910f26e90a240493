"""Edit triplets: before, instruction, after, in the columns of InstructPix2Pix's trainers."""

from collections.abc import Mapping
from typing import Any

from chatgenimage.db.models import Candidate
from chatgenimage.db.states import Origin
from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.parquet import Row, hub_files, open_shards, png
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.shards import Shards
from chatgenimage.workers.llm.english import with_article


def instruction_of(candidate: Candidate) -> str:
    """Return the instruction with which an editing model makes this image from its parent."""
    if candidate.origin == Origin.FILLED and candidate.placement:
        placement = candidate.placement
        return f"add {with_article(placement.label)} {placement.relationship_text}".strip()
    return candidate.prompt_text


def _open(folder: Folder, plan: Plan) -> Shards:
    """Return a writer of shards with the image before, the instruction and the image after."""
    from datasets import Features, Image, Value

    features = Features(
        {
            "input_image": Image(),
            "edit_prompt": Value("string"),
            "edited_image": Image(),
            "candidate_id": Value("int64"),
            "parent_id": Value("int64"),
            "run_id": Value("int64"),
            "label": Value("string"),
            "origin": Value("string"),
            "round": Value("int32"),
            "verdict": Value("string"),
            "mark": Value("string"),
            "caption": Value("string"),
        }
    )
    return open_shards(folder, plan, features, _row)


def _row(sample: Sample) -> Row:
    known = sample.metadata
    known.pop("prompt")
    return {
        "input_image": {"bytes": sample.read_parent(), "path": f"{sample.name}-before.png"},
        "edit_prompt": instruction_of(sample.candidate),
        "edited_image": png(sample),
        **known,
    }


def _hub(plan: Plan) -> Mapping[str, Any]:
    return {"task_categories": ["image-to-image"], "configs": hub_files(plan)}


TRIPLETS = Format(
    name="triplets",
    title="edit triplets: before, instruction, after",
    open=_open,
    modules=("datasets", "pyarrow"),
    needs_parent=True,
    hub=_hub,
    reading="""\
# accelerate launch train_instruct_pix2pix.py --dataset_name={out} (diffusers' example; its
# defaults are these columns: input_image, edit_prompt, edited_image)
import os
from datasets import load_dataset
dataset = load_dataset(os.path.abspath("{out}"))""",
)
