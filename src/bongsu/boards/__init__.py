"""What is worth drawing, as data: one file a subject."""
