"""Run the command line as in an image without the gpu extra: `python -m tests.deploy.slim ...`."""

import sys

ABSENT = {
    *("accelerate", "diffusers", "open_clip", "peft", "safetensors", "scipy", "segment_anything"),
    *("skimage", "timm", "tokenizers", "torch", "torchvision", "transformers"),
}


class Absent:
    """Import finder that reports these packages as not installed."""

    @staticmethod
    def find_spec(name, *_):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main():
    sys.meta_path.insert(0, Absent)
    from chatgenimage.__main__ import main as command_line

    sys.argv[0] = "factory"
    command_line()


if __name__ == "__main__":
    main()
