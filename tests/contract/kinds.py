"""Architectures that the families by capability load, each as a tiny random checkpoint."""

import pytest
import torch

from tests.contract import (
    tiny_chats,
    tiny_detectors,
    tiny_encoders,
    tiny_sam3,
    tiny_segmenters,
    tiny_smolvlm,
)

SAVERS = {
    "zero_shot_detector": tiny_detectors.SAVERS,
    "mask_generator": {**tiny_segmenters.SAVERS, "sam3_video": tiny_sam3.save_sam3_video},
    "sam3": tiny_sam3.SAVERS,
    "vision_language": {**tiny_chats.SAVERS, **tiny_smolvlm.SAVERS},
    "similarity": tiny_encoders.SAVERS,
}
"""Family -> architecture -> function that writes a checkpoint into a folder."""


def kinds(*families):
    """Return fixture parameters: every architecture of the families."""
    return [
        pytest.param((kind, family), id=f"{kind} {family}")
        for family in families
        for kind in SAVERS[family]
    ]


def save(family, kind, root):
    """Return the folder of an architecture's checkpoint; write it if it is not there."""
    folder = root / family / kind
    if not folder.exists():
        torch.manual_seed(0)
        SAVERS[family][kind](folder)
    return folder
