"""The Idempotency-Key header: what grants or holds is done once, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from retention_worker.service.access.idempotency import Done, KeyUsedOtherwise, UnderWay, once
from retention_worker.store.own.clients import Bearer
from retention_worker.web.parts import Parts, given
from retention_worker.web.problems import ProblemError

_RETRY_SECONDS = 1
A = TypeVar("A", bound=BaseModel)


class Idempotent:
    """Answers by the request's Idempotency-Key, where it has one."""

    def __init__(self, parts: Parts, request: Request, key: str | None) -> None:
        self._parts = parts
        self._request = request
        self._key = key

    def answer(self, bearer: Bearer, body: BaseModel, kind: type[A], do: Callable[[], A]) -> A:
        """What `do` answers, or answered the first time: an answer of that kind.

        Raises:
            ProblemError: 422 where the key stands for another request, 409 where the first one is
                under way.
        """
        if self._key is None:
            return do()
        made: list[A] = []

        def first() -> Done:
            made.append(do())
            return Done(status=HTTPStatus.OK, answer=made[0].model_dump_json())

        sender = f"{bearer.client_id}\n{self._request.method}\n{self._request.url.path}"
        try:
            done = once(self._parts.context, self._key, sender, body.model_dump_json(), first)
        except KeyUsedOtherwise:
            detail = "Idempotency-Key: it was sent with another request before: take a new one"
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
        except UnderWay:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "The first request with this Idempotency-Key is not answered yet: ask again.",
                {"Retry-After": str(_RETRY_SECONDS)},
            ) from None
        return made[0] if made else kind.model_validate_json(done.answer)


def _idempotent(
    request: Request,
    parts: Annotated[Parts, Depends(given)],
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Of the client's own making, such as a UUID: sent again within a day, with "
            "the same body, it gets the same answer and nothing is done twice.",
        ),
    ] = None,
) -> Idempotent:
    return Idempotent(parts, request, key)


Once = Annotated[Idempotent, Depends(_idempotent)]
