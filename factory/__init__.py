"""ASSEMBLE: settings, submission, worker processes, exports, gallery and the command line."""
