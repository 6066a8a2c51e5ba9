"""Counts of the reference schema, in SQL of the demo's own: it shares no query with the worker."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from retention_worker.demo.book import AUDIT, Holdings
from retention_worker.demo.scene import DemoScene
from retention_worker.demo.tenants import SampleTenant

_HOLDINGS = """
SELECT account_id,
       count(*) FILTER (WHERE biometric)::int,
       count(*) FILTER (WHERE NOT biometric)::int
  FROM (SELECT account_id, true AS biometric FROM authentication_vectors
        UNION ALL
        SELECT t.account_id, biometric
          FROM (SELECT transaction_id, true AS biometric FROM face_vectors
                UNION ALL SELECT transaction_id, true FROM face_templates
                UNION ALL SELECT transaction_id, false FROM extracted_data
                UNION ALL SELECT transaction_id, false FROM images WHERE kind <> 'AUDIT') AS c
          JOIN transactions t ON t.id = c.transaction_id) AS held
 GROUP BY account_id
"""

_OF_TRANSACTION = """
SELECT t.tenant_id, count(*) FROM {table} x JOIN transactions t ON t.id = x.transaction_id
 WHERE {condition} GROUP BY 1
"""
_OF_ACCOUNT = """
SELECT a.tenant_id, count(*) FROM {table} x JOIN accounts a ON a.id = x.account_id GROUP BY 1
"""
_CREDENTIAL_IMAGES = "x.kind IN ('SELFIE', 'ID_FRONT', 'ID_BACK')"
_BY_KIND = {
    "selfies and ID images": _OF_TRANSACTION.format(table="images", condition=_CREDENTIAL_IMAGES),
    "extracted fields": _OF_TRANSACTION.format(table="extracted_data", condition="true"),
    "face vectors": _OF_TRANSACTION.format(table="face_vectors", condition="true"),
    "face templates": _OF_TRANSACTION.format(table="face_templates", condition="true"),
    "authentication vectors": _OF_ACCOUNT.format(table="authentication_vectors"),
    "accounts": "SELECT tenant_id, count(*) FROM accounts GROUP BY 1",
    "transactions": "SELECT tenant_id, count(*) FROM transactions GROUP BY 1",
    "verification results": _OF_TRANSACTION.format(
        table="verification_results", condition="x.outcome IS NOT NULL"
    ),
    "authentications": _OF_ACCOUNT.format(table="authentications"),
    AUDIT: _OF_TRANSACTION.format(table="images", condition="x.kind = 'AUDIT'"),
}

# Whether a credential is there, account by account, with no join that the sweep has.
_HAS_BIOMETRICS = """
EXISTS (SELECT FROM authentication_vectors v WHERE v.account_id = a.id)
OR EXISTS (SELECT FROM transactions t WHERE t.account_id = a.id AND (
       EXISTS (SELECT FROM face_vectors v WHERE v.transaction_id = t.id)
       OR EXISTS (SELECT FROM face_templates v WHERE v.transaction_id = t.id)))
"""
_HAS_OTHERS = """
EXISTS (SELECT FROM transactions t WHERE t.account_id = a.id AND (
    EXISTS (SELECT FROM extracted_data e WHERE e.transaction_id = t.id)
    OR EXISTS (SELECT FROM images i WHERE i.transaction_id = t.id AND i.kind <> 'AUDIT')))
"""
# A period that is NULL makes the comparison NULL: such an account is never past it.
_OVERDUE = f"""
SELECT a.id
  FROM accounts a
 WHERE a.tenant_id = %s
   AND ((a.last_activity_at + %s::interval <= %s AND ({_HAS_BIOMETRICS} OR {_HAS_OTHERS}))
     OR (a.last_activity_at + %s::interval <= %s AND ({_HAS_BIOMETRICS})))
"""  # noqa: S608 (its parts are constants)

_LEDGER = """
SELECT entry.key, sum(entry.value::bigint)::bigint
  FROM retention.batch, jsonb_each_text(counts) AS entry
 WHERE source <> 'objects' GROUP BY 1
"""
_PEOPLE = """
SELECT tenant_id, count(*),
       count(*) FILTER (WHERE last_activity_at > %s - interval '14 days'),
       max(%s - last_activity_at)
  FROM accounts GROUP BY 1
"""


def holdings(scene: DemoScene) -> Holdings:
    """The credentials that each account has now."""
    return {name: (biometric, other) for name, biometric, other in scene.rows(_HOLDINGS)}


def left_by_kind(scene: DemoScene) -> Mapping[tuple[str, str], int]:
    """The rows that are there now, by tenant and kind."""
    return {
        (tenant, kind): number
        for kind, sql in _BY_KIND.items()
        for tenant, number in scene.rows(sql)
    }


def overdue(scene: DemoScene, tenant: SampleTenant) -> set[UUID]:
    """The tenant's accounts that are past a period of theirs and still have what should go."""
    everything = tenant.everything and tenant.everything.sql
    biometrics = tenant.biometrics and tenant.biometrics.sql
    now = scene.now
    return {row[0] for row in scene.rows(_OVERDUE, tenant.id, everything, now, biometrics, now)}


def erased_by_ledger(scene: DemoScene) -> Mapping[str, int]:
    """The rows that the worker's ledger says were erased, by data-map entry."""
    return dict(scene.rows(_LEDGER))


def people(scene: DemoScene) -> Mapping[str, tuple[int, int, int]]:
    """By tenant: accounts, those active within 14 days, and the days of the longest idle one."""
    return {
        tenant: (number, active, oldest.days)
        for tenant, number, active, oldest in scene.rows(_PEOPLE, scene.now, scene.now)
    }
