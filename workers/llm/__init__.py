"""Language models: endpoint, prompts of Table 1, answer parsing, and the offline rule book."""
