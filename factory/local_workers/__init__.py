"""Worker processes that a command starts on its own machine: how many, their start and end."""
