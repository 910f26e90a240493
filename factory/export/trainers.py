"""Commands that train on an export as it is, for the dataset card.

They start from random weights, so that they need no download, and train one epoch, so that they
show quickly that everything fits together. Each says which line to change for a real training.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrainerGuide:
    """Commands of one trainer.

    Attributes:
        name: Its usual name.
        install: Its packages, as `pip install` takes them.
        language: Language of the code.
        code: To run in the folder of the export.
    """

    name: str
    install: str
    language: Literal["sh", "python"]
    code: str


_DETECTOR = """\
# weights_backbone="DEFAULT" starts from trained weights
model = fasterrcnn_mobilenet_v3_large_320_fpn(
    weights=None, weights_backbone=None, num_classes=classes + 1
).train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
for batch in torch.utils.data.DataLoader(
    dataset, batch_size=2, shuffle=True, collate_fn=lambda pairs: tuple(zip(*pairs))
):
    loss = sum(model(*map(list, batch)).values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.3f}")"""


def ultralytics(task: str, data: str, model: str) -> TrainerGuide:
    """Return the commands of Ultralytics for a task: detect, segment or classify."""
    return TrainerGuide(
        f"Ultralytics ({task})",
        "ultralytics",
        "sh",
        f"""\
# model={model}.pt starts from trained weights; then epochs=50 or more
yolo {task} train data={data} model={model}.yaml epochs=1""",
    )


RF_DETR_TRAINER = TrainerGuide(
    "RF-DETR",
    "'rfdetr[train]'",
    "python",
    """\
from rfdetr import RFDETRNano

if __name__ == "__main__":  # it loads images in other processes
    model = RFDETRNano(pretrain_weights=None)  # RFDETRNano() starts from trained weights
    model.train(dataset_dir=".", epochs=1, batch_size=2, output_dir="trained")""",
)


def torchvision_coco(images: str, annotations: str) -> TrainerGuide:
    """Return the commands of torchvision for a file of COCO annotations."""
    return TrainerGuide(
        "torchvision",
        "torchvision pycocotools",
        "python",
        f"""\
import torch
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.transforms import v2

to_tensor = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
dataset = CocoDetection("{images}", "{annotations}", transforms=to_tensor)
dataset.ids = [number for number in dataset.ids if dataset.coco.getAnnIds(number)]  # with objects
classes = len(dataset.coco.cats)
dataset = wrap_dataset_for_transforms_v2(dataset, target_keys=["boxes", "labels"])
{_DETECTOR}""",
    )


def torchvision_voc(root: str) -> TrainerGuide:
    """Return the commands of torchvision for Pascal VOC in its development kit's folder."""
    return TrainerGuide(
        "torchvision",
        "torchvision",
        "python",
        f"""\
import torch
from torchvision.datasets import VOCDetection
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.transforms.functional import to_tensor

lines = open("{root}labelmap.txt", encoding="utf-8").read().splitlines()[1:]
numbers = {{line.split(":")[0]: number for number, line in enumerate(lines, start=1)}}
classes = len(numbers)


def to_target(tree):
    objects = tree["annotation"].get("object", [])
    sides = ("xmin", "ymin", "xmax", "ymax")
    corners = [[float(each["bndbox"][side]) for side in sides] for each in objects]
    return {{
        # VOC counts pixels from 1 and includes the last one
        "boxes": torch.tensor(corners).reshape(-1, 4) - torch.tensor([1, 1, 0, 0]),
        "labels": torch.tensor([numbers[each["name"]] for each in objects], dtype=torch.long),
    }}


dataset = VOCDetection(
    ".", year="2012", image_set="train", transform=to_tensor, target_transform=to_target
)
{_DETECTOR}""",
    )


TORCHVISION_CLASSIFY = TrainerGuide(
    "torchvision",
    "torchvision",
    "python",
    """\
import torch
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import v2

to_tensor = v2.Compose([v2.ToImage(), v2.Resize((64, 64)), v2.ToDtype(torch.float32, scale=True)])
train, val = (ImageFolder(name, to_tensor, allow_empty=True) for name in ("train", "val"))
assert train.classes == val.classes
# weights="DEFAULT" starts from trained weights; then replace model.fc by a layer for the classes
model = resnet18(weights=None, num_classes=len(train.classes)).train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for images, labels in torch.utils.data.DataLoader(train, batch_size=8, shuffle=True):
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.3f}")""",
)

TRANSFORMERS_DETECTION = TrainerGuide(
    "transformers",
    "transformers datasets torchvision",
    "python",
    """\
import os

import torch
from datasets import load_dataset
from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor

train = load_dataset(os.getcwd(), split="train")
names = dict(enumerate(train.features["objects"]["category"].feature.names))
processor = RTDetrImageProcessor(size={"height": 128, "width": 128})
# RTDetrForObjectDetection.from_pretrained("PekingU/rtdetr_r18vd", id2label=names,
# ignore_mismatched_sizes=True) starts from trained weights; its size is 640
model = RTDetrForObjectDetection(RTDetrConfig(id2label=names)).train()


def to_batch(rows):
    annotations = [
        {
            "image_id": row["image_id"],
            "annotations": [
                {"bbox": bbox, "category_id": category, "area": area, "iscrowd": 0}
                for bbox, category, area in zip(
                    row["objects"]["bbox"], row["objects"]["category"], row["objects"]["area"]
                )
            ],
        }
        for row in rows
    ]
    images = [row["image"].convert("RGB") for row in rows]
    return processor(images=images, annotations=annotations, return_tensors="pt")


optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
for batch in torch.utils.data.DataLoader(train, batch_size=4, shuffle=True, collate_fn=to_batch):
    loss = model(pixel_values=batch["pixel_values"], labels=batch["labels"]).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.3f}")""",
)
