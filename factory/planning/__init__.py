"""Plan of a run before it is submitted: images, passes, questions, downloads, memory and time."""
