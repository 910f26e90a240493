"""COMPUTE: models behind one Protocol per capability; knows neither the queue nor the database."""
