"""Catalog of published checkpoints: licence, size, and location of their files.

Licences are from the publishers' cards, sizes are those of the downloaded files (float32 unless
`item_bytes` says otherwise, decimal gigabytes); none was measured here. Sizes of the models of 2025
and later are calculated from their published numbers of parameters. Hashes are SHA-256 of the
published files. `work_bytes` is what
a pass of one image added to the memory of a network of the same size with random weights, in
float32 on a CPU: for diffusion the decoder, for Segment Anything the image encoder. That of XL is
calculated: four times the pixels.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that its publisher offers at its own URL, not on the hub."""

    url: str
    size_bytes: int
    sha256: str
    licence: str = "Apache-2.0"
    work_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PublishedRepository:
    """A hub repository.

    Attributes:
        item_bytes: Bytes of a published number: 4 for float32, 2 for bfloat16.
        loaded_bytes: Size of all its weights at `item_bytes`, if its files have some in another
            precision; None: `size_bytes`.
        offload_share: Share of its largest part, which `offload: model` keeps on the device; None:
            that of Stable Diffusion 1.5.
        condition: What the licence or the publisher asks of users, if not only attribution.
    """

    licence: str
    size_bytes: int
    work_bytes: int | None = None
    item_bytes: int = 4
    loaded_bytes: int | None = None
    offload_share: float | None = None
    condition: str | None = None


Published = PublishedFile | PublishedRepository

META = "https://dl.fbaipublicfiles.com/segment_anything"
IDEA = "https://github.com/IDEA-Research/GroundingDINO/releases/download"

PUBLISHED_FILES = {
    "sam_vit_b_01ec64.pth": PublishedFile(
        f"{META}/sam_vit_b_01ec64.pth",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        work_bytes=2_420_000_000,
    ),
    "sam_vit_l_0b3195.pth": PublishedFile(
        f"{META}/sam_vit_l_0b3195.pth",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    "sam_vit_h_4b8939.pth": PublishedFile(
        f"{META}/sam_vit_h_4b8939.pth",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        work_bytes=3_270_000_000,
    ),
    "groundingdino_swint_ogc.pth": PublishedFile(
        f"{IDEA}/v0.1.0-alpha/groundingdino_swint_ogc.pth",
        693_997_677,
        "3b3ca2563c77c69f651d7bd133e97139c186df06231157a64c507099c52bc799",
    ),
    "groundingdino_swinb_cogcoor.pth": PublishedFile(
        f"{IDEA}/v0.1.0-alpha2/groundingdino_swinb_cogcoor.pth",
        938_057_991,
        "46270f7a822e6906b655b729c90613e48929d0f2bb8b9b76fd10a856f3ac6ab7",
    ),
}
FLUX_WORK = 4_100_000_000
"""Of a decoder as large as XL's, at 1024 x 1024 pixels."""
PUBLISHED_REPOSITORIES = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": PublishedRepository(
        "CreativeML OpenRAIL-M", 4_270_000_000, work_bytes=1_030_000_000
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": PublishedRepository(
        "CreativeML OpenRAIL++-M", 13_900_000_000, work_bytes=4_100_000_000
    ),
    "timbrooks/instruct-pix2pix": PublishedRepository(
        "MIT", 4_270_000_000, work_bytes=1_030_000_000
    ),
    "Salesforce/blip2-opt-2.7b": PublishedRepository("MIT", 14_979_207_136),
    "Salesforce/blip-image-captioning-large": PublishedRepository("BSD-3-Clause", 1_879_014_680),
    "IDEA-Research/grounding-dino-base": PublishedRepository(
        "Apache-2.0", 933_400_872, work_bytes=870_000_000
    ),
    "IDEA-Research/grounding-dino-tiny": PublishedRepository("Apache-2.0", 689_359_096),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": PublishedRepository("MIT", 605_143_316),
    "Tongyi-MAI/Z-Image-Turbo": PublishedRepository(
        "Apache-2.0",
        32_800_000_000,  # the denoiser in float32, the text encoder in bfloat16
        FLUX_WORK,
        item_bytes=2,
        loaded_bytes=20_500_000_000,
        offload_share=0.6,
    ),
    "black-forest-labs/FLUX.2-klein-4B": PublishedRepository(
        "Apache-2.0", 16_000_000_000, FLUX_WORK, item_bytes=2, offload_share=0.51
    ),
    "black-forest-labs/FLUX.1-dev": PublishedRepository(
        "FLUX.1 [dev] Non-Commercial",
        33_700_000_000,
        FLUX_WORK,
        item_bytes=2,
        offload_share=0.71,
        condition="no commercial use of the model; its terms must be accepted on the hub",
    ),
    "black-forest-labs/FLUX.2-dev": PublishedRepository(
        "FLUX.2 [dev] Non-Commercial",
        112_000_000_000,
        FLUX_WORK,
        item_bytes=2,
        offload_share=0.58,
        condition="no commercial use of the model; its terms must be accepted on the hub",
    ),
    "Qwen/Qwen-Image": PublishedRepository(
        "Apache-2.0", 57_700_000_000, FLUX_WORK, item_bytes=2, offload_share=0.71
    ),
    "Qwen/Qwen-Image-Edit-2511": PublishedRepository(
        "Apache-2.0", 57_700_000_000, FLUX_WORK, item_bytes=2, offload_share=0.71
    ),
    "Qwen/Qwen3-VL-2B-Instruct": PublishedRepository("Apache-2.0", 4_260_000_000, item_bytes=2),
    "Qwen/Qwen3-VL-8B-Instruct": PublishedRepository("Apache-2.0", 17_500_000_000, item_bytes=2),
    "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det": PublishedRepository(
        "Apache-2.0", 690_000_000
    ),
    "openmmlab-community/mm_grounding_dino_base_all": PublishedRepository(
        "Apache-2.0", 930_000_000, work_bytes=870_000_000
    ),
    "openmmlab-community/mm_grounding_dino_large_all": PublishedRepository(
        "Apache-2.0", 1_370_000_000, work_bytes=870_000_000
    ),
    "facebook/sam2.1-hiera-large": PublishedRepository("Apache-2.0", 898_000_000),
    "facebook/sam2.1-hiera-tiny": PublishedRepository("Apache-2.0", 156_000_000),
    "facebook/sam3": PublishedRepository(
        "SAM License",
        3_400_000_000,
        condition="its own terms (no military or weapons use, among others), to be accepted on "
        "the hub",
    ),
    "google/siglip2-base-patch16-224": PublishedRepository("Apache-2.0", 1_500_000_000),
    "google/siglip2-so400m-patch14-384": PublishedRepository("Apache-2.0", 4_540_000_000),
}


def find_published(checkpoint: str) -> Published | None:
    """Return what is known of a checkpoint, by hub id or file name; None if nothing is."""
    return PUBLISHED_FILES.get(Path(checkpoint).name) or PUBLISHED_REPOSITORIES.get(checkpoint)
