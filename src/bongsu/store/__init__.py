"""What has been read, kept: the last hour in memory."""
