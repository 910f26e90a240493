"""Constants for the sleeping steps and their tests; importing this module registers no task."""

SLEEP_FILE = "sleep_s"
"""File in the data folder: seconds that each pass sleeps, or one of these words."""
WAIT = "wait"
"""Each pass waits until the file says something else."""
HANG = "hang"
LOSE_DEVICE = "lose the device"
KILL = "kill the worker"
TAKE_LONG = "take too long"
KILLER = 2
"""Index of the image of `generate` at which the process is killed, or which takes too long."""
PASS_SIZE = "SLEEPING_PASS_SIZE"
"""Environment variable: number of images per pass; default 1."""
