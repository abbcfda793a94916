"""Where batches go: to whoever asks over HTTP, and to files."""
