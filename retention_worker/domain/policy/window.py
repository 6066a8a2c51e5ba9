"""The hours of the day in which sweeps may erase: `01:00-05:00 Europe/Berlin`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_PATTERN = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})(?:\s+(\S+))?")
_HELP = "write HH:MM-HH:MM and a zone, like 01:00-05:00 Europe/Berlin"


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `start` to before `end` on the wall clock of `zone`; over midnight where end < start."""

    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `HH:MM-HH:MM [zone]`; the zone is UTC where it is left out.

        Raises:
            ValueError: it is anything else, or an empty window.
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise ValueError(_HELP)
        try:
            start, end = (time.fromisoformat(match[i]) for i in (1, 2))
            zone = ZoneInfo(match[3] or "UTC")
        except (ValueError, ZoneInfoNotFoundError, OSError) as exc:
            raise ValueError(_HELP) from exc
        if start == end:
            raise ValueError("the window is empty: its end is its start")
        return cls(start=start, end=end, zone=zone)

    def contains(self, instant: datetime) -> bool:
        """Whether an aware instant is inside."""
        wall = instant.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"
