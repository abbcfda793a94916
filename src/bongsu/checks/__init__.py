"""Judges machines by their readings."""
