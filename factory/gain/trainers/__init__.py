"""Trainers: torchvision's and transformers' models, one training loop by Accelerate."""
