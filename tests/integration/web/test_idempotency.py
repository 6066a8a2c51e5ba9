"""What grants or holds is done once, however often and however simultaneously it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from retention_worker.domain.access.permission import Permission
from tests.integration.web.api import Api, Caller

APPROVALS = "/api/v1/retention/approvals"


def holding(api: Api) -> tuple[Caller, str]:
    """A client that may place holds, and the path of an account's hold."""
    account = api.stage.account(idle_days=400)
    caller = api.caller(Permission.HOLD)
    return caller, f"/api/v1/retention/accounts/{account.account}/hold"


def waiting(api: Api) -> Caller:
    """A client that may approve, and a lane that waits."""
    crowd(api)
    return api.caller(Permission.APPROVE)


def crowd(api: Api) -> None:
    """More accounts are due than may go without a person."""
    api.stage.set(guard_percent=5, guard_min_accounts=2)
    for _ in range(8):
        api.stage.account(idle_days=400, transactions=1)
    api.stage.sweep()


def test_the_same_hold_at_once_is_one(api: Api) -> None:
    """Eight at the same time, without a key: one hold, and one number for all."""
    hold, path = holding(api)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: hold("PUT", path, json={"reason": "court"}), range(8)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["hold"] for each in answers}) == 1
    assert api.stage.count("SELECT count(*) FROM retention.hold") == 1


def test_another_hold_is_another(api: Api) -> None:
    """Another reason or another end is a second hold; after a release it begins anew."""
    hold, path = holding(api)
    until = (api.stage.clock.now + timedelta(days=3)).isoformat()
    for body in ({"reason": "court"}, {"reason": "audit"}, {"reason": "court", "until": until}):
        assert hold("PUT", path, json=body).status_code == 200
    assert hold("DELETE", path, json={"reason": "over"}).json()["released"] == 3
    assert hold("PUT", path, json={"reason": "court"}).status_code == 200
    assert api.stage.count("SELECT count(*) FROM retention.hold WHERE released_at IS NULL") == 1


def test_a_key_gives_the_same_answer_again(api: Api) -> None:
    """Though the hold was released meanwhile: the client only lost the first answer."""
    hold, path = holding(api)
    key = {"Idempotency-Key": "4f0c"}
    first = hold("PUT", path, json={"reason": "court"}, headers=key)
    hold("DELETE", path, json={"reason": "over"})
    again = hold("PUT", path, json={"reason": "court"}, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert api.stage.count("SELECT count(*) FROM retention.hold") == 1


def test_a_key_is_for_one_request_of_one_client(api: Api) -> None:
    """Another body is refused; another client's key of the same text is another key."""
    hold, path = holding(api)
    key = {"Idempotency-Key": "4f0c"}
    hold("PUT", path, json={"reason": "court"}, headers=key)
    other = hold("PUT", path, json={"reason": "audit"}, headers=key)
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    neighbour = api.caller(Permission.HOLD, name="another")
    assert neighbour("PUT", path, json={"reason": "audit"}, headers=key).status_code == 200


def test_a_key_of_what_failed_is_free_again(api: Api) -> None:
    """Nothing was done, so asking again with the same key may succeed."""
    approver = api.caller(Permission.APPROVE)
    key = {"Idempotency-Key": "a"}
    body = {"reason": "looked"}
    assert approver("POST", APPROVALS, json=body, headers=key).status_code == 409
    crowd(api)
    assert approver("POST", APPROVALS, json=body, headers=key).status_code == 201


def test_a_key_under_way_is_refused_for_now(api: Api) -> None:
    """While the first is not answered; what was begun long ago and never ended is taken over."""
    approver = waiting(api)
    key, body = {"Idempotency-Key": "a"}, {"reason": "looked"}
    assert approver("POST", APPROVALS, json=body, headers=key).status_code == 201
    api.stage.conn.execute("UPDATE retention.idempotency SET status = NULL, answer = NULL")
    busy = approver("POST", APPROVALS, json=body, headers=key)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "1")
    api.stage.conn.execute(
        "UPDATE retention.idempotency SET begun_at = begun_at - interval '6 minutes'"
    )
    assert approver("POST", APPROVALS, json=body, headers=key).status_code == 201


def test_approvals_at_once_leave_one_open(api: Api) -> None:
    """However many ask for it at the same time."""
    approver = waiting(api)
    with ThreadPoolExecutor(4) as threads:
        body = {"reason": "looked"}
        answers = list(threads.map(lambda _: approver("POST", APPROVALS, json=body), range(4)))
    assert {each.status_code for each in answers} <= {201, 409}
    lanes = api.stage.count("SELECT count(DISTINCT scope) FROM retention.approval")
    assert lanes == 2
    open_ones = api.stage.count("SELECT count(*) FROM retention.approval WHERE ended_at IS NULL")
    assert open_ones == lanes


def test_keys_are_forgotten_after_a_day(api: Api) -> None:
    """Nothing of them is kept for ever."""
    hold, path = holding(api)
    hold("PUT", path, json={"reason": "court"}, headers={"Idempotency-Key": "a"})
    api.stage.conn.execute(
        "UPDATE retention.idempotency SET begun_at = begun_at - interval '25 hours'"
    )
    hold("PUT", path, json={"reason": "court"}, headers={"Idempotency-Key": "b"})
    assert api.stage.count("SELECT count(*) FROM retention.idempotency") == 1


def test_the_same_approval_again_is_the_same(api: Api) -> None:
    """Without a key, by its content: the lanes wait no more, and nothing new is granted."""
    approver = waiting(api)
    body = {"reason": "looked"}
    first = approver("POST", APPROVALS, json=body)
    again = approver("POST", APPROVALS, json=body)
    assert (again.status_code, again.json()) == (201, first.json())
    assert approver("POST", APPROVALS, json={"reason": "another"}).status_code == 409
