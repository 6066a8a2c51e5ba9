"""What routes take: the worker and what this process keeps beside it, by dependency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from retention_worker.service.context import Context
from retention_worker.service.request.background import Errands
from retention_worker.web.failures import Failures


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of one application."""

    context: Context
    errands: Errands
    failures: Failures


def given(request: Request) -> Parts:
    """The parts of the application that answers this request."""
    found = request.app.state.parts
    assert isinstance(found, Parts)
    return found


Given = Annotated[Parts, Depends(given)]
