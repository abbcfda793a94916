"""What people see: tables, the terminal view, the live page."""
