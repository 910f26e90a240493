"""Families by capability, each over an auto class of transformers."""
