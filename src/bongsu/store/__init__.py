"""What has been read, kept: the last hour in memory, and the history on disk."""
