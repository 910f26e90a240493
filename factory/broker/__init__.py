"""Broker: Redis or RabbitMQ by URL, or a private Redis that the factory starts."""
