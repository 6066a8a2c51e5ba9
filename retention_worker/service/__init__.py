"""What the worker does, a verb a file; the one layer that opens transactions."""
