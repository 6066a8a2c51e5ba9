"""Reads the files that people edit, and says line and column of what is wrong in them."""
