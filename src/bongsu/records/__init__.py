"""What has a story: run folders, with how they are laid out, appended to, read and recovered."""
