"""The application as a client sees it, in this process, with tokens of any client."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import httpx

from retention_worker.domain.access.permission import Permission
from retention_worker.service.access import clients
from retention_worker.service.access.clients import Secret
from retention_worker.web import application
from tests.factories import AccountIds
from tests.stage import Stage

with warnings.catch_warnings():
    # It wants another client than the one that the portal brings along; this one serves.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@dataclass(frozen=True, kw_only=True)
class Api:
    """The application and the stage behind it."""

    stage: Stage
    http: TestClient

    def client(self, *permissions: Permission, tenant: str = "acme", name: str = "") -> Secret:
        """Make a client of the API."""
        name = name or f"{tenant} {' '.join(permissions)}"
        return clients.create(
            self.stage.worker, name, tenant=tenant, permissions=permissions, actor="test"
        )

    def ask_token(self, client: Secret, **form: str) -> httpx.Response:
        """Ask for a token."""
        answer: httpx.Response = self.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"} | form,
            auth=(client.client.client_id, client.secret),
        )
        return answer

    def token(self, client: Secret, **form: str) -> str:
        """A token of a client."""
        answer = self.ask_token(client, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def caller(self, *permissions: Permission, tenant: str = "acme", name: str = "") -> Caller:
        """A new client with a token."""
        made = self.client(*permissions, tenant=tenant, name=name)
        return Caller(api=self, token=self.token(made), client_id=made.client.client_id)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sends a token along."""

    api: Api
    token: str
    client_id: str = ""

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= more.pop("headers", {})
        answer: httpx.Response = self.api.http.request(method, path, headers=headers, **more)
        return answer


def paths(account: AccountIds) -> dict[str, str]:
    """The paths of an account and of its first transaction."""
    base = f"/api/v1/accounts/{account.account}"
    execution = f"{base}/workflow-executions/{account.transactions[0]}"
    return {
        "account": base,
        "account biometrics": f"{base}/biometrics",
        "transaction": execution,
        "transaction biometrics": f"{execution}/biometrics",
    }


def open_api(stage: Stage) -> TestClient:
    """The application over a stage; enter it, so that it starts and ends."""
    # What crashes inside must come as the answer that a client would get.
    return TestClient(application(stage.worker), raise_server_exceptions=False)
