"""Writes the store: batches come in, are committed, sealed, thinned out and let go."""
