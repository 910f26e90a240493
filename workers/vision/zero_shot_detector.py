"""Detectors by name, whose architecture the checkpoint decides."""

from typing import Any

from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from chatgenimage.workers.grounding_dino import GroundingDino
from chatgenimage.workers.interfaces import Detector
from chatgenimage.workers.vision.omdet import OmDetDetector
from chatgenimage.workers.vision.owl import OwlDetector
from chatgenimage.workers.vision_config import ZeroShotDetectorConfig
from chatgenimage.workers.weights import local_files
from chatgenimage.workers.weights.pretrained import (
    load_model,
    load_processor,
    refuse_other_architectures,
)

KINDS: dict[str, Any] = {
    "grounding-dino": GroundingDino,
    "mm-grounding-dino": GroundingDino,  # LLMDet's checkpoints too
    "owlv2": OwlDetector,
    "owlvit": OwlDetector,
    "omdet-turbo": OmDetDetector,
}
"""What speaks to a network, by its `model_type`."""


class ZeroShotDetector:
    """Loads a Detector."""

    @staticmethod
    def load(config: ZeroShotDetectorConfig, device: str) -> Detector:
        """Return the family ready on `device`.

        Raises:
            CheckpointNotFound: If there are no weights.
            CheckpointBroken: If they do not load, or belong to no known architecture.
        """
        path = local_files.locate(config)
        with local_files.loading(config.checkpoint):
            kind = KINDS[refuse_other_architectures(path, KINDS)]
            local_files.refuse_wordless(path)
            processor = load_processor(AutoProcessor, config, path)
            model = load_model(AutoModelForZeroShotObjectDetection, config, path, device)
        detector: Detector = kind(config, local_files.identity_of(config, path), model, processor)
        return detector
