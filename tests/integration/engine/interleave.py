"""Has another connection do something at one exact point of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from retention_worker.store.connection.answers import Pending


@dataclass
class Point:
    """Where the action happened: `results` has what the wrapped function gave each time."""

    happened: bool = False
    results: list[Any] = field(default_factory=list)


def right_after(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, action: Callable[[], object]
) -> Point:
    """Run `action` once, as soon as `module.name` has its answer for the first time."""
    original = getattr(module, name)
    point = Point()

    def wrapped(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        # What was only sent has not happened yet.
        point.results.append(result.get() if isinstance(result, Pending) else result)
        if not point.happened:
            point.happened = True
            action()
        return result

    monkeypatch.setattr(module, name, wrapped)
    return point


@contextmanager
def in_background(
    limit_seconds: float = 20,
) -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """A thread for what has to wait; its end is awaited, and its error raised, at the exit."""
    started: list[Future[Any]] = []
    with ThreadPoolExecutor() as threads:

        def start(call: Callable[[], Any]) -> Future[Any]:
            started.append(threads.submit(call))
            return started[-1]

        yield start
        for each in started:
            each.result(limit_seconds)
