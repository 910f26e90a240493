"""Reports of a run: an HTML page, charts and a contact sheet."""
