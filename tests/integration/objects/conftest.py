"""A stage whose images are objects of an S3 on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import pytest

from retention_worker.domain.objects.object import DrainReport
from retention_worker.service.objects.drain import drain
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.factories import AccountIds
from tests.s3 import ENVIRONMENT, S3, s3_server
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[tuple[str, Any]]:
    with s3_server() as found:
        yield found


@pytest.fixture
def s3(_s3_server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 without any bucket, named where the SDK looks for it."""
    endpoint, proxy = _s3_server
    with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")):
        pass
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
    proxy.fault = None
    proxy.requests.clear()
    yield S3(endpoint, proxy)
    proxy.fault = None


@dataclass
class ObjectStage(Stage):
    """A stage with a store of objects."""

    s3: S3

    def drain(self, **options: Any) -> DrainReport:
        """One drain now."""
        return drain(self.worker, **options)

    def images(self, account: AccountIds) -> list[str]:
        """The URIs that the account's images name."""
        rows = self.conn.execute(
            "SELECT object_uri FROM images WHERE transaction_id = ANY (%s) AND kind <> 'AUDIT' "
            "ORDER BY object_uri",
            [list(account.transactions)],
        )
        return [row[0] for row in rows]

    def uploaded(self, account: AccountIds) -> list[str]:
        """Put every object that the account's images name."""
        uris = self.images(account)
        for uri in uris:
            self.s3.put(uri)
        return uris

    def erased(self, *, uploaded: bool = True, **details: Any) -> tuple[AccountIds, list[str]]:
        """An account that a sweep has just erased, and the objects that it had."""
        account = self.account(idle_days=400, **details)
        uris = self.uploaded(account) if uploaded else self.images(account)
        self.sweep()
        return account, uris

    def states(self) -> dict[str, int]:
        """The outbox by state."""
        rows = self.conn.execute(
            "SELECT state, count(*) FROM retention.object_deletion GROUP BY state"
        )
        return dict(rows.fetchall())


@pytest.fixture
def stage(database: Database, config_dir: ConfigFolder, s3: S3) -> Iterator[ObjectStage]:
    """One tenant, no guard, no account yet; the bucket that the accounts' images name."""
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    s3.bucket("sample-images")
    clock = MovingClock(NOW)
    settings = UNGUARDED | {"object_drain": True, "object_timeout_seconds": 2}
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config_dir, clock, **settings) as worker,
    ):
        yield ObjectStage(
            database=database, conn=conn, config=config_dir, clock=clock, worker=worker, s3=s3
        )
