"""What the sleeping steps and the test that starts them share; importing it registers nothing."""

SLEEP_FILE = "sleep_s"
"""In the data folder: for how many seconds each pass sleeps, or one of these."""
HANG = "hang"
LOSE_DEVICE = "lose the device"
