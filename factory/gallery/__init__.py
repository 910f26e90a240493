"""Gallery: web pages to browse runs and candidates, and to review candidates."""
