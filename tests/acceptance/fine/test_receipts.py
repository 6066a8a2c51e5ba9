"""A receipt that says more, or less, than the ledger is not proved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retention_worker.domain.ledger.chain import hash_of
from retention_worker.domain.ledger.receipt import read, text_of
from tests.acceptance.fine.small import WITH_OBJECTS, Small

Document = dict[str, Any]


def sealed(document: Document) -> str:
    """The text with the digest that belongs to it: whoever forges computes that too."""
    content = {key: value for key, value in document.items() if key != "receipt"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    document["receipt"] = hash_of(text)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def a_changed_count(document: Document) -> None:
    """The object that is still queued is said to be gone."""
    for proof in document["erasures"]:
        if proof["objects_not_deleted"]:
            total = proof["objects"]["total"]
            proof["objects"] = {"total": total, "gone": total, "left": {}, "since": {}}
            proof["objects_not_deleted"] = 0


def a_count_left_out(document: Document) -> None:
    """It is not spoken of."""
    for proof in document["erasures"]:
        proof["objects"] = {"total": 0, "gone": 0, "left": {}, "since": {}}
        proof["objects_not_deleted"] = 0


def an_entry_removed(document: Document) -> None:
    """One of its two erasures is left out: the earlier one."""
    assert len(document["erasures"]) == 2
    del document["erasures"][0]


def a_line_of_another(document: Document) -> None:
    """An erasure row names another account."""
    document["erasures"][0]["erasure"]["subject"] = "bob"


def for_another(document: Document) -> None:
    """The whole receipt is given out as another account's."""
    document["id"] = "bob"
    for proof in document["erasures"]:
        proof["erasure"]["subject"] = "bob"


def a_completion_of_nobody(document: Document) -> None:
    """A batch that never was says that the objects are gone."""
    for proof in document["erasures"]:
        if proof["objects_not_deleted"]:
            body = json.loads(proof["body"])
            body |= {"batch": 99, "source": "objects", "completes": {str(body["batch"]): 1}}
            text = json.dumps(body, sort_keys=True, separators=(",", ":"))
            proof["completions"] = [{"body": text, "hash": hash_of(text)}]
    a_changed_count(document)


FORGED: dict[str, tuple[Callable[[Document], None], str]] = {
    "a changed count": (a_changed_count, "1 objects are gone, and its batches 0"),
    "a count left out": (a_count_left_out, "it says nothing of the batch's 1 objects"),
    "an entry removed": (an_entry_removed, "the receipt leaves out its erasure"),
    "a line of another": (a_line_of_another, "not the one that was hashed"),
    "for another": (for_another, "not the one that was hashed"),
    "a completion of nobody": (a_completion_of_nobody, "batch 99:"),
}


@pytest.fixture
def books(world: Small) -> tuple[Small, Path, Document]:
    """Biometrics by age, the rest on request, one object queued; the export and the receipt."""
    world.datamap(WITH_OBJECTS)
    world.execute("GRANT SELECT (object_uri) ON images TO retention_worker")
    world.person("ann", idle=100)
    world.execute("UPDATE images SET object_uri = 's3://nowhere/x'")
    assert world.run("sweep").code == 0
    erase = ("erase", "account", "ann", "--tenant", "acme", "--yes", "--reason", "asked")
    assert world.run(*erase).code == 0
    export = world.program.folder / "ledger.jsonl"
    assert world.run("ledger", "export", "--to", str(export)).code == 0
    receipt = world.run("ledger", "receipt", "ann", "--tenant", "acme")
    return world, export, json.loads(receipt.out)


def check(world: Small, text: str, *more: str) -> tuple[int, str]:
    """Check a receipt: the exit code, and what is said."""
    paper = world.program.folder / "receipt.json"
    paper.write_text(text, encoding="utf-8")
    done = world.run("ledger", "verify", "--receipt", str(paper), *more)
    assert done.code == world.run("ledger", "verify", "--receipt", str(paper), *more, "--json").code
    return done.code, " ".join((done.out + " ".join(done.complaints)).split())


@pytest.mark.parametrize("name", list(FORGED))
def test_a_forged_receipt_is_not_proved(books: tuple[Small, Path, Document], name: str) -> None:
    """With the export at hand, and a digest that fits: 1, and what is wrong with it."""
    world, export, document = books
    forge, words = FORGED[name]
    forge(document)
    text = sealed(document)
    assert text_of(read(text)) == text  # only the content is wrong
    code, said = check(world, text, "--against", str(export))
    assert (code, words in said) == (1, True), said
    assert "Proved" not in said
    assert "proves nothing" in said


def test_without_an_export_nothing_is_proved(books: tuple[Small, Path, Document]) -> None:
    """The receipt as it was issued: consistent, and 1."""
    world, _, document = books
    code, said = check(world, sealed(document))
    assert (code, "unproven" in said, "Proved" in said) == (1, True, False)


def test_what_is_proved_is_not_called_complete(books: tuple[Small, Path, Document]) -> None:
    """The ledger has every batch, and the object is still there: both are said."""
    world, export, document = books
    code, said = check(world, sealed(document), "--against", str(export))
    assert (code, "Proved" in said) == (0, True)
    assert "was not complete when this was issued: 1 object still to be deleted" in said


def test_an_export_without_a_batch_proves_nothing(books: tuple[Small, Path, Document]) -> None:
    """Only its header is left."""
    world, export, document = books
    export.write_text(export.read_text().splitlines(keepends=True)[0])
    code, said = check(world, sealed(document), "--against", str(export))
    assert (code, "has none with this hash" in said) == (1, True)
