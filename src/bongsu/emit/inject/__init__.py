"""A folder that stands first in PYTHONPATH when functions are timed without a word in the program."""
