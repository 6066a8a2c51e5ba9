"""Section 4: an account that becomes active stays, and so does one on hold."""

from __future__ import annotations

from random import Random
from uuid import UUID

from retention_worker.demo.book import BIOMETRIC
from retention_worker.demo.play import Play
from retention_worker.demo.rows import COLUMNS, AccountSpec, account_rows
from retention_worker.demo.tenants import START, TENANTS, TRIO_AGE
from retention_worker.embedded.tables import TableRows, insert_rows
from retention_worker.service.guard import holds

_TENANT_ID = "40017"


def show_staying(play: Play) -> None:
    """Three accounts that are due the next day; two of them stay."""
    tenant = TENANTS[_TENANT_ID]
    play.screen.section("Who comes back stays, and so does who is on hold")
    play.screen.say(
        f"Three accounts of {tenant.name} were last active 89 days ago: their biometrics are due "
        "tomorrow. Today one of the people authenticates, and one account becomes part of a "
        "lawsuit."
    )
    returning, held, gone = _trio(play)
    before = [play.book.accounts[name].held[BIOMETRIC] for name in (returning, held, gone)]
    play.scene.clock.forward(hours=1)
    insert_rows(play.scene.dsn, play.book.noting(_authentication(play, returning)))
    short = str(held)[:8]
    play.screen.command(f"hold place {short}... --tenant {tenant.name} --reason lawsuit", play.time)
    holds.place(
        play.scene.context,
        str(held),
        tenant=tenant.name,
        reason="lawsuit",
        actor="dana@operator",
        until=None,
    )
    play.book.holds.add(held)
    play.scene.clock.forward(days=2)
    play.screen.command("sweep", play.time)
    play.sweep()
    rows = zip(
        (returning, held, gone), ("authenticated", "on hold", "nothing"), before, strict=True
    )
    play.screen.table(
        ("account", "what happened", "biometric rows before", "and after"),
        [
            (f"{str(name)[:8]}...", what, str(had), str(play.book.accounts[name].held[BIOMETRIC]))
            for name, what, had in rows
        ],
        texts=2,
    )


def _trio(play: Play) -> list[UUID]:
    found = [
        name
        for name, account in play.book.accounts.items()
        if account.tenant == _TENANT_ID and account.activity == START - TRIO_AGE
    ]
    assert len(found) == 3, "the sample population has three such accounts"
    return found


def _authentication(play: Play, account: UUID) -> list[TableRows]:
    """The product stores that somebody authenticated; its trigger moves the last activity."""
    spec = AccountSpec(
        tenant=_TENANT_ID, last_activity=play.scene.now, transactions=0, biometrics=False
    )
    table = "public.authentications"
    rows = account_rows(Random(4), spec, account).tables[table]  # noqa: S311 (sample data)
    return [TableRows(table=table, columns=COLUMNS[table], rows=rows)]
