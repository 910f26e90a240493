"""Terminal: results as tables and trees for people."""
