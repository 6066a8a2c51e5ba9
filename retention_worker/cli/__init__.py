"""The command line: parses, calls one function of `service`, prints."""

from retention_worker.cli.app import main

__all__ = ["main"]
