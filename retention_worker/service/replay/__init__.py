"""Erases again what a restored backup brought back."""
