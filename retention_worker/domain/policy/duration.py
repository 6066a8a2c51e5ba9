"""Lengths of time that operators set: `90s`, `15m`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PATTERN = re.compile(r"([1-9][0-9]{0,8})([smhd])")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `24h`.

    Raises:
        ValueError: it is anything else, zero included.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError("write a positive number and s, m, h or d, like 90s, 15m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
