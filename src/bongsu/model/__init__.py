"""The values that travel between rooms: frozen, no I/O, nothing longer than a screen."""
