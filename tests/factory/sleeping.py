"""What the sleeping steps and the test that starts them share; importing it registers nothing."""

SLEEP_FILE = "sleep_s"
"""In the data folder: for how many seconds each pass sleeps, or one of these."""
HANG = "hang"
LOSE_DEVICE = "lose the device"
KILL = "kill the worker"
KILLER = 2
"""At which image of `generate`."""
PASS_SIZE = "SLEEPING_PASS_SIZE"
"""In the environment: how many images a pass has, one unless it says otherwise."""
