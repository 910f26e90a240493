"""Reports: a run as an HTML page, charts and a contact sheet."""
