"""ASSEMBLE: settings, composition root, submitter, dispatcher, command line, exports."""
