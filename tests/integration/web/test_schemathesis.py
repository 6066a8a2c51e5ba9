"""The API against its own document: whatever is sent, no error of the server, no broken promise."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from retention_worker.domain.access.permission import Permission
from tests.integration.web.api import Api

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("known", [True, False])
def test_no_request_breaks_it(api: Api, mode: GenerationMode, known: bool) -> None:
    """Whatever the document allows or not, on ids that are there and on others: never a 5xx.

    And every answer has a status, a type and a content that the document names.
    """
    account = api.stage.account(idle_days=0, transactions=2)
    ids = {"account": str(account.account), "transaction": str(account.transactions[0])}
    token = api.token(api.client(*Permission))
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.http.app)
    found: list[Any] = list(schema.get_all_operations())
    operations = [each.ok() for each in found]
    asked: list[str] = []

    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of([each.as_strategy(generation_mode=mode) for each in operations]))
    def fuzz(case: Any) -> None:
        if known:
            case.path_parameters |= {k: v for k, v in ids.items() if k in case.path_parameters}
        asked.append(case.operation.path)
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=CHECKS)

    fuzz()
    # Without a body or a form there is little that a document does not allow.
    assert len(set(asked)) >= (10 if mode is GenerationMode.POSITIVE else 5)
