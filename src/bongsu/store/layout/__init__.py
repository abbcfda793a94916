"""The store's file: its tables, how samples become bytes, and how it is made, opened and locked."""
