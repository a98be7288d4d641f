"""The command line of `python -m eval`, one file a command: arguments in, tables and JSON out. What is computed is computed elsewhere."""
