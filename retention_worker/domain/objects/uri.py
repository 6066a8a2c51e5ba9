"""What of an object's URI, or of its store's name, may be shown and logged."""

from __future__ import annotations

import re

# The user before the host, and the query: either may hold a key or a signature.
_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/?]*@")


def shown(uri: str) -> str:
    """A URI without user and query; of a store's name the same."""
    return _AUTHORITY.sub(r"\1", uri, count=1).partition("?")[0]
