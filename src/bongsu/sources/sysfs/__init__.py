"""Readers of /sys, one module a subject; each is a function from a Root to typed values (sysfs(5))."""
