"""Which paths name something: an id that would change the path's shape names nothing."""

from __future__ import annotations

from fastapi import Depends, Request

from retention_worker.domain.errors import UnknownSubject


def _plain(request: Request) -> None:
    """Refuse an encoded slash.

    The server decodes a path before it looks for its route, so that `a%2Fbiometrics` would ask for
    the biometrics of `a`, whatever was meant.

    Raises:
        UnknownSubject: there is one.
    """
    if b"%2f" in (request.scope.get("raw_path") or b"").lower():
        raise UnknownSubject("an id with a slash cannot be named in a path")


plain = Depends(_plain)
"""The dependency of every route with an id in its path."""
