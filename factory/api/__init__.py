"""The Python API: the functions that `import chatgenimage` offers, and what the commands share."""
