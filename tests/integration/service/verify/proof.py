"""What `verify` says of a stage, in the short forms that tests compare."""

from typing import Any

from retention_worker.domain.ledger.verification import LaneLeft, Observation, Verification
from retention_worker.domain.scope import Scope
from retention_worker.service.verify import verify
from tests.stage import Stage


def proof(stage: Stage, **options: Any) -> Verification:
    """Verify now."""
    return verify(stage.worker, **options)


def wrong(stage: Stage, **options: Any) -> list[str]:
    """The checks that found something wrong, each once."""
    return sorted({each.check for each in proof(stage, **options).wrong})


def noted(stage: Stage, **options: Any) -> list[str]:
    """The checks that found something worth knowing; objects are queued after each erasure."""
    found = (each for each in proof(stage, **options).observations if not each.wrong)
    return sorted({each.check for each in found} - {"objects"})


def only(found: Verification, check: str) -> Observation:
    """The one observation of a check."""
    (each,) = [each for each in found.observations if each.check == check]
    return each


def left(found: Verification, scope: Scope, tenant: str = "acme") -> LaneLeft:
    """What a lane has left."""
    return next(each for each in found.lanes if (each.tenant, each.scope) == (tenant, scope))
