"""ledger receipt: proves one erasure without a database, and says nothing of anybody else."""

import json
from pathlib import Path

import pytest

from retention_worker.domain.errors import ConfigurationError, NeedsPerson, UnknownSubject
from retention_worker.domain.ledger.chain import hash_of
from retention_worker.domain.ledger.erasure import digest_of
from retention_worker.domain.ledger.receipt import Receipt, read, text_of
from retention_worker.service.ledger import check_receipt, export, issue
from tests.integration.service.ledger.books import fill
from tests.stage import Stage


def issued(stage: Stage, account: object, kind: str = "account") -> Receipt:
    """A receipt."""
    return issue(stage.worker, str(account), tenant="acme", kind=kind)


def test_a_receipt_proves_every_erasure_of_the_account(stage: Stage, tmp_path: Path) -> None:
    """One row a lane, each with its batch; the export has the batches."""
    accounts = fill(stage)
    book, paper = tmp_path / "ledger.jsonl", tmp_path / "receipt.json"
    export(stage.worker, book)

    receipt = issued(stage, accounts[0].account)

    assert {proof.erasure.scope for proof in receipt.proofs} == {"biometrics", "all"}
    paper.write_text(text_of(receipt), "utf-8")
    for against in (None, book):
        result = check_receipt(paper, against)
        assert (result.problems, result.exit_code) == ((), int(against is None))
        assert result.receipt == receipt


def test_a_receipt_says_nothing_of_anybody_else(stage: Stage) -> None:
    """Not one id of another account or transaction is in it; its own is."""
    accounts = fill(stage)
    for mine in accounts[:-1]:
        text = text_of(issued(stage, mine.account))
        assert str(mine.account) in text
        for other in accounts:
            mentioned = [other.account, *other.transactions]
            assert other is mine or not any(str(each) in text for each in mentioned)


def test_a_receipt_for_a_transaction(stage: Stage) -> None:
    """Ad-hoc erasures of one transaction are its own; the account has none by that."""
    other = fill(stage)[-1]

    receipt = issued(stage, other.transactions[0], "transaction")

    assert [proof.erasure.kind for proof in receipt.proofs] == ["transaction"]
    with pytest.raises(UnknownSubject, match="no erasure of account"):
        issued(stage, other.account)


def test_an_id_in_capital_letters(stage: Stage) -> None:
    """A UUID means the same however a person writes it."""
    account = fill(stage)[0].account
    assert issued(stage, str(account).upper()) == issued(stage, account)


def test_objects_that_are_only_queued_are_said(stage: Stage) -> None:
    """An erasure is complete only when its objects are gone."""
    account = fill(stage)[0].account
    queued = stage.count(
        "SELECT count(*) FROM retention.object_deletion WHERE account_id = %s", str(account)
    )
    assert queued

    assert sum(proof.objects_not_deleted for proof in issued(stage, account).proofs) == queued


def test_any_changed_byte_is_found(stage: Stage, tmp_path: Path) -> None:
    """Each byte in turn, changed or taken away, and one more at the end."""
    text = text_of(issued(stage, fill(stage)[0].account)).encode()
    paper = tmp_path / "receipt.json"
    changed = [text[:n] + bytes([text[n] ^ 1]) + text[n + 1 :] for n in range(len(text))]
    changed += [text[:n] + text[n + 1 :] for n in range(len(text))]
    for each in (*changed, text + b"\n", b"", b"{}", b"[]", b"\xff"):
        paper.write_bytes(each)
        assert check_receipt(paper).problems, each
    paper.write_bytes(text)
    assert check_receipt(paper).problems == ()


def test_a_forged_receipt_fits_together_but_not_the_export(stage: Stage, tmp_path: Path) -> None:
    """Who computes every hash anew is found by the ledger's export, and only so."""
    account = fill(stage)[0].account
    book, paper = tmp_path / "ledger.jsonl", tmp_path / "receipt.json"
    export(stage.worker, book)
    content = json.loads(text_of(issued(stage, account)))
    content["id"] = "somebody else"
    for proof in content["erasures"]:
        from retention_worker.domain.ledger.erasure import Erasure

        proof["erasure"]["subject"] = "somebody else"
        proof["rows"][proof["place"]] = Erasure.from_json(proof["erasure"]).hash
        body = json.loads(proof["body"]) | {"erasures": digest_of(proof["rows"])}
        proof["body"] = json.dumps(body, sort_keys=True, separators=(",", ":"))
        proof["hash"] = hash_of(proof["body"])
    forged = _resealed(content)
    paper.write_text(forged, "utf-8")

    assert check_receipt(paper).problems == ()
    assert len(check_receipt(paper, book).problems) == len(read(forged).proofs)


def test_a_sealed_receipt_whose_parts_do_not_fit(stage: Stage, tmp_path: Path) -> None:
    """The seal at its end is not what proves it."""
    accounts = fill(stage)
    paper = tmp_path / "receipt.json"
    mine, other = (
        json.loads(text_of(issued(stage, each.account))) for each in (accounts[0], accounts[1])
    )
    assert mine["erasures"] != other["erasures"]
    for wrong in (
        mine | {"erasures": other["erasures"]},
        mine | {"erasures": [mine["erasures"][0] | {"place": 99}]},
        mine | {"erasures": [mine["erasures"][0] | {"rows": []}]},
        mine | {"erasures": [mine["erasures"][0] | {"hash": "0"}]},
        mine
        | {
            "erasures": [
                mine["erasures"][0]
                | {key: mine["erasures"][1][key] for key in ("body", "hash", "previous")}
            ]
        },
    ):
        paper.write_text(_resealed(wrong), "utf-8")
        assert check_receipt(paper).problems


def _resealed(content: dict[str, object]) -> str:
    from retention_worker.domain.ledger import receipt

    rest = {key: value for key, value in content.items() if key != "receipt"}
    sealed = rest | {"receipt": receipt._digest(rest)}
    return json.dumps(sealed, indent=2, ensure_ascii=False) + "\n"


def test_no_receipt_from_a_ledger_that_was_changed(stage: Stage) -> None:
    """A receipt that proves nothing is not issued."""
    account = fill(stage)[0].account
    stage.conn.execute("UPDATE retention.erasure SET last_activity = last_activity - interval '1s'")

    with pytest.raises(NeedsPerson, match="run ledger verify"):
        issued(stage, account)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Said in a line."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        check_receipt(tmp_path / "nothing")
