"""The Data settings page: the policy in effect, the forecast, and the lanes that wait."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.scope import Scope
from retention_worker.service.explain.data_settings import DataSettings, data_settings
from retention_worker.service.plan.forecast import forecast
from retention_worker.service.policy.policies import applied_of
from retention_worker.web.portal.chart import Chart, charts
from retention_worker.web.portal.page import PageRoute, render
from retention_worker.web.portal.visitor import Viewer, Visitor

router = APIRouter(route_class=PageRoute)

_MOST_HISTORY = 10


@router.get("/settings")
def settings(request: Request, visitor: Viewer) -> Response:
    """What is in effect for the tenant."""
    found = data_settings(visitor.context, visitor.tenant)
    history = applied_of(visitor.context, [found.tenant.tenant_id])[found.tenant.tenant_id]
    return render(
        request,
        "settings",
        found=found,
        scopes=list(reversed(Scope)),
        charts=_charts(visitor, found),
        history=history[:_MOST_HISTORY],
        schedule=visitor.context.settings.schedule,
    )


def _charts(visitor: Visitor, found: DataSettings) -> list[Chart] | None:
    """None where there can be no forecast: the rest of the page says why."""
    if found.tenant.file is None:
        return None
    try:
        return charts(forecast(visitor.context, tenants=[found.tenant.file.policy.tenant]))
    except RetentionWorkerError:
        return None
