"""Reads the store: samples for PromQL, lines for charts, while it is written to."""
