"""A folder that nobody can read, not even root."""

import os


def make_deep_folder(folder):
    """Make folders in a folder until their path is too long to be read, also for root."""
    place = os.open(folder, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir("a" * 250, dir_fd=place)
        place, above = os.open("a" * 250, os.O_DIRECTORY, dir_fd=place), place
        os.close(above)
    os.close(place)
