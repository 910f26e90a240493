"""Classification: a folder per class in each split, with the same folders in every split."""

from chatgenimage.db.classes import NO_CLASS
from chatgenimage.factory.export.base import Format, Plan
from chatgenimage.factory.export.folder import Folder
from chatgenimage.factory.export.names import safe_names
from chatgenimage.factory.export.sample import Sample
from chatgenimage.factory.export.splits import usual_name
from chatgenimage.factory.export.trainers import TORCHVISION_CLASSIFY, ultralytics

NO_OBJECT = "no object"
"""Folder of a person's pictures on which nothing was found."""


class ClassificationWriter:
    """Writes `<split>/<class>/`; trainers number the folders in alphabetical order."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self._folder = folder
        self._splits = [usual_name(split) for split in plan.counts]
        names = safe_names({*plan.classes, NO_OBJECT})
        self._names = {**names, NO_CLASS: names[NO_OBJECT]}
        self._used: set[str] = set()

    def add(self, sample: Sample) -> None:
        """Write a sample's image."""
        name = self._names[sample.label]
        self._used.add(name)
        self._folder.put_image(f"{usual_name(sample.split)}/{name}/{sample.file_name}", sample)

    def close(self) -> None:
        """Create the folders of classes that a split has no image of: they keep the numbers."""
        for split in self._splits:
            for name in self._used:
                self._folder.place(f"{split}/{name}/.").mkdir(exist_ok=True)


CLASSIFICATION = Format(
    name="classification",
    title="image classification, a folder per class",
    open=ClassificationWriter,
    splits="train=0.8,val=0.2",
    validation="required",
    trainers=(ultralytics("classify", ".", "yolo11n-cls"), TORCHVISION_CLASSIFY),
    reading="""\
from torchvision.datasets import ImageFolder
dataset = ImageFolder("{out}/{split}", allow_empty=True)""",
)
