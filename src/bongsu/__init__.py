"""Bongsu: see and run ML/HPC GPU machines."""

__version__ = "0.1.0"
