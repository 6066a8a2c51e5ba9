"""HTTP: parses a request, calls one function of `service`, answers."""

from retention_worker.web.app import application
from retention_worker.web.server import CONNECTIONS, serve

__all__ = ["CONNECTIONS", "application", "serve"]
