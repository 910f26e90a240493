"""Workers: models, with one Protocol per capability; imports neither the queue nor the database."""
