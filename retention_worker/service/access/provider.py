"""Signs a person in whom an OpenID Connect provider knows (authorization code, PKCE, nonce)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from retention_worker.domain.access.role import Role
from retention_worker.domain.errors import ConfigurationError, RetentionWorkerError
from retention_worker.domain.tenant import TenantId
from retention_worker.service.access.clients import known_tenant
from retention_worker.service.access.sessions import open_session
from retention_worker.service.context import Context
from retention_worker.settings import WorkerSettings
from retention_worker.store.own.portal import SignedIn

_log = structlog.get_logger()

_TIMEOUT_SECONDS = 10.0
_RANDOM_BYTES = 32
# RSA and elliptic curves; never none, and never a shared secret.
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_LEEWAY_SECONDS = 60
# Before the name of a person of the provider, so that nobody is taken for one of our own users.
_PREFIX = "oidc:"
_MAX_NAME = 200


class NotLetIn(RetentionWorkerError):
    """The provider does not know them, or its claims name no tenant or role."""


@dataclass(frozen=True, kw_only=True)
class SignInStart:
    """Where to send the browser, and what it has to bring back."""

    url: str
    state: str
    nonce: str
    verifier: str


def begin(settings: WorkerSettings, redirect_uri: str) -> SignInStart:
    """Begin a sign-in.

    Raises:
        NotLetIn: the provider does not answer.
    """
    state, nonce, verifier = (secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3))
    with _client() as client:
        document = _discovered(client, settings)
    url = prepare_grant_uri(
        document["authorization_endpoint"],
        client_id=settings.oidc_client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope="openid profile email",
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return SignInStart(url=url, state=state, nonce=nonce, verifier=verifier)


def finish(
    context: Context,
    begun: SignInStart,
    *,
    state: str,
    code: str,
    redirect_uri: str,
) -> tuple[str, SignedIn]:
    """Sign in whom the provider sent back.

    Returns:
        The session's token, and the session.

    Raises:
        NotLetIn: it is another browser's answer, the token is not right, or the claims name no
            tenant or role.
    """
    if not code or not hmac.compare_digest(state.encode(), begun.state.encode()):
        raise NotLetIn("the answer is not to a question of this browser")
    settings = context.settings
    try:
        with _client() as client:
            document = _discovered(client, settings)
            id_token = _exchanged(client, settings, document, begun, code, redirect_uri)
            keys = KeySet.import_key_set(
                cast(KeySetSerialization, _json(client.get(document["jwks_uri"])))
            )
    except (httpx.HTTPError, ValueError, KeyError) as exc:
        _log.warning("provider_failed", error=type(exc).__name__)
        raise NotLetIn("the provider does not answer as it should") from exc
    claims = _claims(context, id_token, keys, begun, str(document["issuer"]))
    name, tenant_id, role = _person(context, claims)
    opened = open_session(context, name, tenant_id=tenant_id, role=role, local=False)
    _log.info("signed_in", user=name, tenant=tenant_id, role=role)
    return opened


def _client() -> httpx.Client:
    return httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)


def _discovered(client: httpx.Client, settings: WorkerSettings) -> Mapping[str, Any]:
    """What the provider says of itself; it must be the one that was configured."""
    assert settings.oidc_issuer is not None
    issuer = settings.oidc_issuer.rstrip("/")
    try:
        found = _json(client.get(f"{issuer}/.well-known/openid-configuration"))
    except (httpx.HTTPError, ValueError) as exc:
        _log.warning("provider_failed", error=type(exc).__name__)
        raise NotLetIn("the provider does not answer") from exc
    if str(found.get("issuer", "")).rstrip("/") != issuer:
        raise NotLetIn("the provider calls itself by another name")
    return found


def _exchanged(  # noqa: PLR0917 - the parts of one request
    client: httpx.Client,
    settings: WorkerSettings,
    document: Mapping[str, Any],
    begun: SignInStart,
    code: str,
    redirect_uri: str,
) -> str:
    """The ID token for the code."""
    assert settings.oidc_client_id is not None
    assert settings.oidc_client_secret is not None
    answer = client.post(
        document["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": begun.verifier,
        },
        auth=(settings.oidc_client_id, settings.oidc_client_secret.get_secret_value()),
    )
    return str(_json(answer)["id_token"])


def _json(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def _claims(
    context: Context, id_token: str, keys: KeySet, begun: SignInStart, issuer: str
) -> Mapping[str, Any]:
    """What the token says, once its signature, issuer, audience, time and nonce are right."""
    client_id = context.settings.oidc_client_id
    try:
        token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
            },
            params={"nonce": begun.nonce, "client_id": client_id},
        )
        claims.validate(now=int(context.clock().timestamp()), leeway=_LEEWAY_SECONDS)
    except (JoseError, AuthlibBaseError, ValueError) as exc:
        _log.warning("provider_token_refused", error=type(exc).__name__)
        raise NotLetIn("the provider's token is not right") from exc
    return token.claims


def _person(context: Context, claims: Mapping[str, Any]) -> tuple[str, str, Role]:
    """Name, tenant and role, as the settings map the claims."""
    settings = context.settings
    name = claims.get(settings.oidc_name_claim) or claims["sub"]
    tenant, role = claims.get(settings.oidc_tenant_claim), _role(settings, claims)
    if not isinstance(name, str) or not isinstance(tenant, str) or not tenant or role is None:
        raise NotLetIn("the claims name no tenant or no role")
    if len(name) > _MAX_NAME or not name.isprintable():
        raise NotLetIn("the name is no name")
    try:
        with context.pool.connection() as conn:
            tenant_id = known_tenant(context, conn, TenantId(tenant))
    except ConfigurationError as exc:
        raise NotLetIn("the claims name a tenant that there is not") from exc
    return _PREFIX + name, tenant_id, role


def _role(settings: WorkerSettings, claims: Mapping[str, Any]) -> Role | None:
    """The highest of the roles that the claim names, directly or by the operator's mapping."""
    given = claims.get(settings.oidc_role_claim)
    names = given if isinstance(given, list) else [given]
    known = settings.oidc_roles or {str(role): role for role in Role}
    found = {known[name] for name in names if isinstance(name, str) and name in known}
    return next((role for role in reversed(Role) if role in found), None)
