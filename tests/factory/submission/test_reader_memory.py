"""Memory of reading pictures that are small files and large images."""

import subprocess
import sys

import pytest
from PIL import Image

COUNT = 6
SIDE = 6400
"""41 million pixels: 164 MB decoded, in a file of 0.2 MB."""
MOST_MB = 500
CHILD = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from chatgenimage.factory.submission.image_reader import read_picture
folder = Path(sys.argv[1])
with ThreadPoolExecutor(8) as pool:
    for picture in pool.map(lambda path: read_picture(folder, path.name, 1333), folder.iterdir()):
        assert max(picture.pixels.shape) == 1333
status = Path("/proc/self/status").read_text()  # ru_maxrss begins with the parent's memory
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


@pytest.mark.processes
def test_large_pictures_are_in_memory_one_at_a_time(tmp_path):
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "0.png")
    for number in range(1, COUNT):
        (tmp_path / f"{number}.png").hardlink_to(tmp_path / "0.png")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(child.stdout) < MOST_MB
