"""The portal with people who use it: signed in over HTTP, as a browser would be."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from httpx import Response

from retention_worker.domain.access.role import Role
from retention_worker.service.access import users
from retention_worker.service.access.sessions import open_session
from retention_worker.web.app import application
from tests.stage import Stage

with warnings.catch_warnings():
    # It wants another client than the one that the portal brings along; this one serves.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PASSWORD = "seventeen blue kites"
BASE = "https://portal.example.com"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def csrf_of(answer: Response) -> str:
    """The token of a page's first form."""
    found = _CSRF.search(answer.text)
    assert found is not None, answer.text
    return found[1]


@dataclass
class Browser:
    """One browser: it keeps cookies, follows nothing by itself, and knows its forms' token."""

    client: TestClient
    csrf: str = ""

    def get(self, page: str, **query: Any) -> Response:
        """Load a page."""
        answer: Response = self.client.get(
            f"/portal/{page}", params=query or None, follow_redirects=False
        )
        return answer

    def post(self, page: str, **fields: Any) -> Response:
        """Send a form with the session's token, unless another one is given."""
        data = {"csrf": self.csrf} | {name: str(value) for name, value in fields.items()}
        answer: Response = self.client.post(f"/portal/{page}", data=data, follow_redirects=False)
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> Response:
        """Load the form and send it."""
        self.csrf = csrf_of(self.get("sign-in"))
        answer = self.post("sign-in", name=name, password=password)
        if answer.status_code == 303:
            self.csrf = csrf_of(self.get(""))
        return answer


@dataclass
class PortalScene:
    """A stage with the application on it."""

    stage: Stage
    made: set[str] = field(default_factory=set)

    @cached_property
    def app(self) -> FastAPI:
        """The application that all browsers share, as people do.

        Its routes are made with the first request, with a warning silenced for all threads of the
        process: it has been asked once before several threads ask it.
        """
        app = application(self.stage.worker)
        TestClient(app, base_url=BASE).get("/portal/sign-in").raise_for_status()
        return app

    def browser(self, base: str = BASE) -> Browser:
        """A browser that nobody has signed in with."""
        return Browser(TestClient(self.app, base_url=base, raise_server_exceptions=False))

    def user(self, role: Role | str, tenant: str = "acme", name: str | None = None) -> str:
        """A user of a tenant, made once."""
        called = name or f"{role} of {tenant}"
        if called not in self.made:
            users.create(
                self.stage.worker,
                called,
                tenant=tenant,
                role=Role(role),
                password=PASSWORD,
                actor="test",
            )
            self.made.add(called)
        return called

    def signed_in(
        self, role: Role | str, tenant: str = "acme", *, by_password: bool = False
    ) -> Browser:
        """A browser with a session; by the form, which takes long, where that is the subject."""
        found = self.browser()
        if by_password:
            assert found.sign_in(self.user(role, tenant)).status_code == 303
            return found
        token, who = open_session(
            self.stage.worker, f"{role} of {tenant}", tenant_id=tenant, role=Role(role), local=False
        )
        found.client.cookies.set("__Host-retention-session", token)
        found.csrf = who.csrf_secret
        return found
