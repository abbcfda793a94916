"""A run as one page that needs nothing else: to open from disk, to send, to keep."""
