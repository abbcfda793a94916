"""Finds out who a process belongs to, and says how it is known."""
