"""Erases credentials that are past their tenant's retention period, and proves it."""

from importlib.metadata import version

__version__ = version("retention-worker")
