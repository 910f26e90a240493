import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from chatgenimage.workers import image_quality

PHOTOS = ("astronaut", "coffee", "chelsea")


@pytest.fixture(params=PHOTOS)
def photo(request):
    """A sharp photo, 512 pixels on its shorter side."""
    image = Image.fromarray(getattr(data, request.param)())
    scale = 512 / min(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_image_of_one_colour_has_its_luminance_and_no_contrast(level):
    light = image_quality.light(np.full((32, 48, 3), level, np.uint8))
    assert light.darkest == light.brightest == pytest.approx(level / 255)
    assert light.contrast == 0.0


def test_a_few_odd_pixels_say_nothing_about_the_light():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:5, :5] = 255
    assert image_quality.light(image).brightest == 0.0
    image[:20, :20] = 255
    assert image_quality.light(image).brightest == pytest.approx(1.0)


def test_the_more_a_photo_is_blurred_the_more_blur_is_found(photo):
    blurred = [photo.filter(ImageFilter.GaussianBlur(px)) for px in (0, 2, 5)]
    sharp, soft, gone = (image_quality.blur(np.asarray(image)) for image in blurred)
    assert 0 < sharp < 0.5 < soft < 0.75 < gone <= 1


def test_what_has_nothing_left_to_blur_is_wholly_blurred():
    assert image_quality.blur(np.full((32, 32, 3), 90, np.uint8)) == pytest.approx(1.0)
