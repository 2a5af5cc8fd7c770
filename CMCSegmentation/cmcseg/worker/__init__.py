"""The worker: a process that does the long work for a window, one request after the other."""
