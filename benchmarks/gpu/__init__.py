"""GPU benchmark: speed and memory of the factory, over random networks of the published sizes."""
