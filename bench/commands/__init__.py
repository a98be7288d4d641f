"""The command line of `python -m bench`, one file a command: arguments in, tables, JSON and pages out. Nothing is measured here."""
