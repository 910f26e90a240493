"""What the factory does on a GPU, with random networks of the published sizes."""
