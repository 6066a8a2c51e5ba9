"""Files below a root: they go, and nothing outside of it ever does."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention_worker.domain.errors import StoreDown
from retention_worker.domain.objects.object import GONE, Result
from retention_worker.objects.files import FileStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root, with a file in it and one beside it."""
    found = tmp_path / "root"
    (found / "a").mkdir(parents=True)
    (found / "a" / "selfie.jpg").write_text("image")
    (tmp_path / "outside.jpg").write_text("stays")
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "x").write_text("stays")
    return found


def result(root: Path, key: str) -> Result:
    """What became of one file."""
    return FileStore(root).delete([key]).verdicts[key].result


@pytest.mark.parametrize("form", ["a/selfie.jpg", "./a//selfie.jpg", "{root}/a/selfie.jpg"])
def test_a_file_goes(root: Path, form: str) -> None:
    """By a relative path, or by an absolute one inside the root; asked again it is still gone."""
    key = form.format(root=root)
    store = FileStore(root)
    assert store.there([key]) == {key}
    assert store.delete([key]).verdicts == {key: GONE}
    assert not (root / "a" / "selfie.jpg").exists()
    assert store.delete([key]).verdicts == {key: GONE}
    assert store.there([key]) == set()


@pytest.mark.parametrize(
    "key",
    [
        "../outside.jpg",
        "a/../../outside.jpg",
        "/etc/passwd",
        "{root}/../outside.jpg",
        "{root}-beside/x",
        "",
        ".",
        "/",
        "{root}",
        "a\x00b",
    ],
)
def test_nothing_leads_out(root: Path, key: str) -> None:
    """`..`, absolute paths and the root itself are refused."""
    assert result(root, key.format(root=root)) is Result.FAILED
    assert (root.parent / "outside.jpg").exists()
    assert (root / "a" / "selfie.jpg").exists()


def test_no_link_is_followed(root: Path) -> None:
    """A folder that is a link, a link to a file and a dangling one; none is removed either."""
    (root / "out").symlink_to(root.parent)
    (root / "link.jpg").symlink_to(root.parent / "outside.jpg")
    (root / "dangling.jpg").symlink_to(root / "nowhere")
    for key in ("out/outside.jpg", "link.jpg", "dangling.jpg"):
        assert result(root, key) is Result.FAILED
    assert (root.parent / "outside.jpg").exists()
    assert (root / "link.jpg").is_symlink()


def test_folders_and_other_names(root: Path) -> None:
    """A folder is no object; a file with a second name would keep its bytes there."""
    os.link(root / "a" / "selfie.jpg", root / "second.jpg")
    assert result(root, "a") is Result.FAILED
    assert result(root, "a/selfie.jpg") is Result.FAILED
    assert (root / "a" / "selfie.jpg").exists()


def test_no_root(tmp_path: Path) -> None:
    """Without a root, or with one that is not there, the store is down and nothing is gone."""
    for root in (None, tmp_path / "missing"):
        found = FileStore(root).delete(["a"])
        assert found.verdicts == {}
        assert found.down is not None
        assert "RETENTION_OBJECT_FILES_ROOT" in found.down


def test_an_empty_root(tmp_path: Path) -> None:
    """Nothing is mounted there: no file counts as gone because of it."""
    store = FileStore(tmp_path)
    assert store.delete(["a"]).verdicts == {}
    assert "empty" in (store.inspect("").error or "")
    (tmp_path / ".keep").touch()
    assert store.delete(["a"]).verdicts == {"a": GONE}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "", "a", "out", "link.jpg", "outside.jpg", "~", "%2e%2e"]),
        min_size=1,
        max_size=6,
    )
)
def test_no_path_at_all_leads_out(root: Path, parts: list[str]) -> None:
    """Whatever is put together, everything outside stays as it is."""
    if not (root / "out").exists():
        (root / "out").symlink_to(root.parent)
        (root / "link.jpg").symlink_to(root.parent / "outside.jpg")
    result(root, "/".join(parts))
    assert (root.parent / "outside.jpg").read_text() == "stays"
    assert (root.parent / "root-beside" / "x").read_text() == "stays"


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("a/caf\u00e9.jpg", "a/cafe\u0301.jpg"),
        ("a/cafe\u0301.jpg", "a/caf\u00e9.jpg"),
        ("a/b c.jpg", "a/b%20c.jpg"),
        ("a/b%20c.jpg", "a/b c.jpg"),
    ],
)
def test_a_file_whose_name_is_spelled_otherwise(root: Path, asked: str, there: str) -> None:
    """It is not taken for gone, and not deleted either: nobody can say that it is meant."""
    (root / there).write_text("image")
    verdict = FileStore(root).delete([asked]).verdicts[asked]
    assert (verdict.result, verdict.error) == (
        Result.LATER,
        "no such file, and one whose name is spelled otherwise is there",
    )
    assert (root / there).exists()


def test_unlinked_and_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that answers and keeps the file is not believed."""
    monkeypatch.setattr(os, "unlink", lambda *_, **__: None)
    assert result(root, "a/selfie.jpg") is Result.LATER


def test_a_folder_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can say that what is in it is gone."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    store = FileStore(root)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", refuse)
        with pytest.raises(StoreDown):
            store.there(["a/selfie.jpg"])
