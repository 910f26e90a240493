"""ASSEMBLE: settings, composition root, submitter, dispatcher, command line, reports and exports."""
