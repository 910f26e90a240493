"""Command line of the training: `python -m training all`, or one stage: `... vae --minutes 20`."""

import argparse
import importlib

import torch

STAGES = {
    "vae": 28.0,
    "latents": 4.0,
    "vae_decoder": 16.0,
    "stable_diffusion": 140.0,
    "diffused": 3.0,
    "instruct_pix2pix": 40.0,
    "grounding_dino": 60.0,
    "segment_anything": 15.0,
    "open_clip": 15.0,
    "blip2": 35.0,
    "judge": 8.0,
}
"""Minutes of each stage on one core, in the order in which `all` runs them."""


def main() -> None:
    """Run the given stages; each resumes where it stopped."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=["all", *STAGES])
    parser.add_argument("--minutes", type=float, help="total training time of the stage")
    parser.add_argument("--threads", type=int, default=0, help="0: one per core")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for stage in STAGES if arguments.stage == "all" else [arguments.stage]:
        module = importlib.import_module(f"training.{stage}")
        module.train(arguments.minutes or STAGES[stage])


if __name__ == "__main__":
    main()
