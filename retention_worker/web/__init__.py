"""HTTP: parses a request, calls one function of `service`, answers."""

from retention_worker.web.app import application
from retention_worker.web.server import serve

__all__ = ["application", "serve"]
