"""GPUs of NVIDIA, read through the driver's library in a child process that may hang and be killed."""
