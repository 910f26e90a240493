"""Datasets in formats that others read."""
