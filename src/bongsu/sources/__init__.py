"""The only readers of the machine: text and calls in, typed values out."""
