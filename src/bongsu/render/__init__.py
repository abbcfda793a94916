"""Files for other systems, written from our own types."""
