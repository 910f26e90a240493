"""Interfaces: one Protocol per capability; a family implements those of its capabilities.

Every method takes and returns whole batches, in order, and keeps no state between calls.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from chatgenimage.workers.values import (
    Answer,
    BoxXyxy,
    Detection,
    Embeddings,
    Exchange,
    ImageOptions,
    ImaginedScene,
    LogitScale,
    Mask,
    ModelIdentity,
    ProposedObject,
    RgbImage,
)


class LlmCache(Protocol):
    """A cache of conversations with a language model, by the request that started them."""

    def recall(self, key: str) -> tuple[Exchange, ...]:
        """Return the conversation that answered this request before; () if there is none."""
        ...

    def remember(self, key: str, exchanges: Sequence[Exchange]) -> None:
        """Store a conversation at once: it was paid for, even if this worker fails later."""
        ...


class ImageCache(LlmCache, Protocol):
    """A cache that also holds images: the answer of their exchange is the image's name."""

    def recall_image(self, name: str) -> RgbImage | None:
        """Return a stored image; None if it is gone."""
        ...

    def remember_image(self, key: str, exchange: Exchange, image: RgbImage) -> Exchange:
        """Store an image that was paid for; return its exchange with the image's name."""
        ...


class Family(Protocol):
    """The common part of all families."""

    @property
    def identity(self) -> ModelIdentity:
        """Return the identity of the exact weights."""
        ...


@runtime_checkable
class RemoteFamily(Family, Protocol):
    """A model that another process or machine runs: a few requests at the same time save time."""

    @property
    def concurrency(self) -> int:
        """Return how many more requests it takes now, each from a thread of its own; at least 1."""
        ...


@runtime_checkable
class LanguageModel(Family, Protocol):
    """Answers the four requests of the loop (paper sections 3.1 and 3.3, Table 1).

    Raises (all methods):
        AnswerRefused: If no usable answer came after the repairs; contains the exchanges.
        UnknownWord: If the model does not know a word; the message lists the words it knows.
    """

    @property
    def concurrency(self) -> int:
        """Return how many more requests it takes now, each from a thread of its own; at least 1."""
        ...

    def describe_features(self, label: str, *, seed: int) -> Answer[tuple[str, ...]]:
        """Return visual features that distinguish `label` in a photo (Visual Descriptor)."""
        ...

    def write_prompts(  # noqa: PLR0913  (the request has that many parts)
        self,
        label: str,
        features: Sequence[str],
        count: int,
        *,
        mode: str,
        variation: int = 0,
        domain: str | None = None,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[str, ...]]:
        """Return 1 to `count` text-to-image prompts (AIGC Creator); fewer if some were unusable.

        Args:
            label: The class that every prompt must show.
            features: Visual features of it; may be empty.
            count: Number of prompts, at least 1.
            mode: "scene" for complex scenes, "object" for object-centric prompts.
            variation: Number of the set of prompts for this label, from 0; it changes the request
                so that the most likely answer changes too.
            domain: A condition or place that every prompt must be about, e.g. "at night".
            avoid: Existing prompts, the most important to avoid first.
            seed: Makes the answer reproducible if the model supports it.
        """
        ...

    def imagine_scenes(  # noqa: PLR0913  (the request has that many parts)
        self,
        caption: str,
        objects: Sequence[str],
        count: int,
        *,
        domain: str | None = None,
        avoid: Sequence[str] = (),
        seed: int,
    ) -> Answer[tuple[ImaginedScene, ...]]:
        """Return 1 to `count` scenes with other backgrounds around the objects.

        That is Scene Imagination; there are fewer than `count` if some were unusable.

        Args:
            caption: Dense description of the image.
            objects: What the image shows already.
            count: How many, at least 1.
            domain: A condition or place that every background must show, e.g. "at night".
            avoid: Backgrounds that there are already.
            seed: Makes the answer repeatable where the model can.
        """
        ...

    def place_objects(  # noqa: PLR0913  (the request has six slots)
        self,
        caption: str,
        existing: Sequence[Detection],
        targets: Sequence[str],
        count: int,
        *,
        size_wh: tuple[int, int],
        seed: int,
    ) -> Answer[tuple[ProposedObject, ...]]:
        """Return up to `count` places for new objects (Box Candidates Generation).

        Args:
            caption: Dense description of the image.
            existing: Objects in the image.
            targets: Object names to choose from.
            count: Maximum number of placements.
            size_wh: Image size in pixels; boxes are in the same pixels, not yet validated.
            seed: Makes the answer reproducible if the model supports it.
        """
        ...


@runtime_checkable
class PromptReader(Family, Protocol):
    """Paints from prompts, and can say which part of them it does not read."""

    def unread(self, prompts: Sequence[str]) -> list[str]:
        """Return the end of each prompt that is not read; "" if it is read as a whole."""
        ...


@runtime_checkable
class ImageGenerator(Family, Protocol):
    """Paints an image from a prompt (section 3.1: I0 = SD(w0))."""

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[RgbImage]:
        """Return one image per prompt; prompt and seed give the same image in any batch."""
        ...


@runtime_checkable
class OptionsGenerator(ImageGenerator, Protocol):
    """Paints images that each have a size or a negative prompt of their own."""

    def generate_with(
        self, prompts: Sequence[str], seeds: Sequence[int], options: Sequence[ImageOptions]
    ) -> list[RgbImage]:
        """Return one image per prompt by its options; UnfitOptions if one cannot be followed."""
        ...


@runtime_checkable
class ObjectFiller(Family, Protocol):
    """Paints an object into a masked part (section 3.4, Blended Latent Diffusion)."""

    def fill(
        self,
        images: Sequence[RgbImage],
        mask_images: Sequence[Mask],
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> list[RgbImage]:
        """Return the images with their masked part repainted; every pixel outside is unchanged."""
        ...


@runtime_checkable
class BackgroundEditor(Family, Protocol):
    """Changes an image by instruction (section 3.4, InstructPix2Pix)."""

    def edit(
        self, images: Sequence[RgbImage], instructions: Sequence[str], seeds: Sequence[int]
    ) -> list[RgbImage]:
        """Return the edited images, each with the size of its input."""
        ...


@runtime_checkable
class Captioner(Family, Protocol):
    """Describes an image in words (section 3.2, BLIP-2)."""

    def caption(self, images: Sequence[RgbImage]) -> list[str]:
        """Return one stripped caption per image; may be empty."""
        ...


@runtime_checkable
class VisualJudge(Family, Protocol):
    """Answers questions about an image in words."""

    def ask(self, images: Sequence[RgbImage], questions: Sequence[str]) -> list[str]:
        """Return one short, stripped answer per image, the most likely one; may be empty.

        Args:
            images: (H, W, 3) each; sizes may differ.
            questions: One per image, in the same order.
        """
        ...


@runtime_checkable
class Detector(Family, Protocol):
    """Finds objects by name (section 3.2, Grounding DINO)."""

    def detect(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[Detection]]:
        """Return detections above the confidence threshold, highest first.

        Args:
            images: Any sizes.
            labels: The names to look for, per image; long lists are split into several prompts.
        """
        ...


@runtime_checkable
class Segmenter(Family, Protocol):
    """Segments the object in a box (section 3.2, Segment Anything)."""

    def segment(
        self, images: Sequence[RgbImage], boxes_xyxy: Sequence[Sequence[BoxXyxy]]
    ) -> list[list[Mask]]:
        """Return one (H, W) mask per box, in the boxes' order; an image without boxes gives []."""
        ...


@runtime_checkable
class DetectorSegmenter(Detector, Protocol):
    """Finds objects by name and segments them, with one look at the image."""

    def find(
        self, images: Sequence[RgbImage], labels: Sequence[Sequence[str]]
    ) -> list[list[tuple[Detection, Mask]]]:
        """Return detections above the confidence threshold with their (H, W) masks.

        The highest confidence comes first; arguments as of `detect`.
        """
        ...


@runtime_checkable
class ImageTextEncoder(Family, Protocol):
    """Maps images and texts into one space (section 3.5, CLIP); cosine = dot product."""

    @property
    def logit_scale(self) -> LogitScale:
        """Return how cosines of these weights become logits, for probabilities of texts."""
        ...

    def embed_images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Return (N, D) unit vectors."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return (N, D) unit vectors; of a long text, the mean of its chunks' vectors."""
        ...
