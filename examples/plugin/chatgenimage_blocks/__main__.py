"""Print the path of the profile: `factory run dog --profile "$(python -m chatgenimage_blocks)"`."""

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).with_name("blocks.yaml"))
