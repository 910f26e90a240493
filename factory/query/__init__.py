"""Query: the Python API that reads candidates from the results database."""
