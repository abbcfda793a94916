"""What all tests share: warnings are errors, and what a test starts it stops."""
