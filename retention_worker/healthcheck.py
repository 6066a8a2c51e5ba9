"""Exit 0 where this container's process answers /health: `run` on its port, `serve` on its own.

Run as `python3 -m retention_worker.alive`. The standard library alone, past any proxy that the
environment names, so that it takes next to nothing each time.
"""

from __future__ import annotations

import http.client
import os
import sys

# A container runs one of the two, and the image cannot know which.
_PORTS = {"RETENTION_HEALTH_PORT": 8081, "RETENTION_WEB_PORT": 8080}
# Both, one after the other, within the image's time-out of 5 seconds.
_PATIENCE_SECONDS = 2


def is_alive(port: int) -> bool:
    """Whether a process answers on this port of the loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not any(is_alive(int(os.environ.get(name) or port)) for name, port in _PORTS.items()))
