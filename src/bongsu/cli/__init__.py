"""The command line: one file a command family, imported only when that command is called."""
