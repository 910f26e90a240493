"""Monitoring: Prometheus metrics and Flower."""
