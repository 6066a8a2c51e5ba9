"""Replicas that meet at the worker's own rows."""

import threading
import time

from retention_worker.service.sweep.sweep import sweep
from tests.stage import Stage


def test_the_end_of_a_lane_waits_for_a_batch_without_a_deadlock(stage: Stage) -> None:
    """A lane's end takes the tenant before the lane, in the order of another worker's batch."""
    stage.account(idle_days=400)
    stage.sweep()
    stage.account(idle_days=399)
    stage.config.write_policy("acme", all_credentials="360 days", paused=True)
    failures: list[BaseException] = []

    def other() -> None:
        try:
            sweep(stage.worker)
        except BaseException as exc:
            failures.append(exc)

    with stage.database.connect() as conn, conn.transaction():
        conn.execute("SET LOCAL deadlock_timeout = '100ms'")
        conn.execute("SELECT 1 FROM retention.tenant WHERE tenant_id = 'acme' FOR UPDATE")
        thread = threading.Thread(target=other)
        thread.start()
        wait_until_blocked(stage)
        conn.execute("UPDATE retention.lane SET reason = reason WHERE tenant_id = 'acme'")
    thread.join(30)

    assert failures == []


def wait_until_blocked(stage: Stage) -> None:
    """Until a session of this database waits for a lock."""
    for _ in range(200):
        if stage.count(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits for a lock")
