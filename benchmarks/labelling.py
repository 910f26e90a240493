"""Seconds per image of labelling without a GPU: classes of real size with random weights.

Run: python -m benchmarks.labelling [--threads 2] [--images 3]

Prints seconds by the clock, and processor seconds, which hardly depend on how busy the machine is:
with one thread they are the seconds of an idle core. Random weights take
as long as published ones, except that a caption's length is fixed here (20 tokens). No file is
downloaded; the sizes are those of the profile `lite`. Needs about 4 GB.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch

CAPTION_TOKENS = 20
WORDS = 32
OBJECTS = 4
WIDE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}


def main() -> None:
    """Time each model, and print a line each and the sum."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--images", type=int, default=3)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    load = os.getloadavg()[0]
    say(f"{given.threads} threads, load {load:.1f}, PyTorch {torch.__version__}, float32")
    total = 0.0
    for name, work in models():
        with torch.inference_mode():
            work()  # the first pass also allocates
            times = [seconds_of(work) for _ in range(given.images)]
        clock, processor = (statistics.median(some) for some in zip(*times, strict=True))
        total += processor if "base" not in name else 0.0
        say(f"{name:<38} {clock:7.2f} s, {processor:7.2f} processor s")
    say(f"{'together, with BLIP large':<38} {total:19.2f} processor s per image")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long a pass takes by the clock, and its processor seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def models() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each model's name and a pass of one image; one model is in memory at a time."""
    yield "BLIP base, caption of 20 tokens", blip({})
    yield "BLIP large, caption of 20 tokens", blip(WIDE | {"intermediate_size": 4096})
    yield "Grounding DINO tiny, 800x800, 32 words", grounding_dino()
    yield "SAM ViT-B, 1024x1024, 4 boxes", segment_anything()
    yield "CLIP ViT-B/32, an image and a text", clip()


def blip(vision: dict[str, int]) -> Callable[[], object]:
    """Return a pass of BLIP with a vision encoder of these sizes."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipTextConfig
    from transformers import BlipVisionConfig as Vision

    sides = Vision(image_size=384, **vision)
    text = BlipTextConfig(encoder_hidden_size=sides.hidden_size)
    config = BlipConfig(text_config=text.to_dict(), vision_config=sides.to_dict())
    model = BlipForConditionalGeneration(config).eval()
    pixels = torch.randn(1, 3, 384, 384)
    length = {"min_new_tokens": CAPTION_TOKENS, "max_new_tokens": CAPTION_TOKENS}
    return lambda: model.generate(pixel_values=pixels, **length)


def grounding_dino() -> Callable[[], object]:
    """Return a pass of Grounding DINO with Swin-T and BERT base."""
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    model = GroundingDinoForObjectDetection(GroundingDinoConfig()).eval()
    pixels, words = torch.randn(1, 3, 800, 800), torch.randint(1000, 2000, (1, WORDS))
    return lambda: model(pixel_values=pixels, input_ids=words)


def segment_anything() -> Callable[[], object]:
    """Return a pass of Meta's network: the image encoder, and the decoder for four boxes."""
    from segment_anything import sam_model_registry

    model = sam_model_registry["vit_b"]().eval()
    pixels = torch.randn(1, 3, 1024, 1024)
    boxes = torch.tensor([[100.0, 100.0, 400.0, 400.0]] * OBJECTS)

    def work() -> object:
        """Run the bare network once."""
        encoded = model.image_encoder(pixels)
        sparse, dense = model.prompt_encoder(points=None, boxes=boxes, masks=None)
        return model.mask_decoder(
            image_embeddings=encoded,
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )

    return work


def clip() -> Callable[[], object]:
    """Return a pass of OpenCLIP's ViT-B/32."""
    import open_clip

    model = open_clip.create_model("ViT-B-32").eval()
    pixels, words = torch.randn(1, 3, 224, 224), torch.randint(1, 1000, (1, 77))
    return lambda: (model.encode_image(pixels), model.encode_text(words))


if __name__ == "__main__":
    main()
