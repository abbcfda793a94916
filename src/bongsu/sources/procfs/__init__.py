"""Readers of /proc, one module a subject; each is a function from a Root to typed values (proc(5))."""
