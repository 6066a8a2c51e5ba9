"""Reading a file: bounded, regular, and its hash the one of its bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from retention_worker.configfiles.text import MAX_BYTES, content_hash, read
from retention_worker.domain.errors import FileProblemsError


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    """A byte order mark and line ends count for the hash, and the mark not for the text."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read(path).text == "a: 1\r\n"
    assert read(path).content_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert content_hash(path) == read(path).content_hash


def test_the_largest_file(tmp_path: Path) -> None:
    """256 KB are read, a byte more is refused before anything parses it."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(read(path).text) == MAX_BYTES
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FileProblemsError, match="is over 256 KB: shorten it"):
        read(path)
    assert content_hash(path) is None


def test_no_endless_file() -> None:
    """A device has a size of 0 and no end."""
    with pytest.raises(FileProblemsError, match="is not a regular file"):
        read(Path("/dev/zero"))


def test_no_pipe(tmp_path: Path) -> None:
    """A pipe is refused, because to open it would wait for a writer for ever."""
    path = tmp_path / "a.yaml"
    os.mkfifo(path)
    with pytest.raises(FileProblemsError, match="is not a regular file"):
        read(path)
    assert content_hash(path) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    """A file that may not be read says what to do about it."""
    path = tmp_path / "a.yaml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(FileProblemsError, match="let the worker's user read it"):
        read(path)


def test_missing(tmp_path: Path) -> None:
    """A file or a link's target that is not there has no hash."""
    link = tmp_path / "a.yaml"
    link.symlink_to("nowhere")
    assert content_hash(link) is None
    with pytest.raises(FileProblemsError, match=r"a\.yaml:1:1: cannot be read .* create it, or"):
        read(link)


def test_place_of_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    """The column counts characters, as an editor does."""
    path = tmp_path / "a.yaml"
    path.write_bytes("a: 1\nb: \u00e4\u00f6".encode() + b"\xff")
    with pytest.raises(FileProblemsError, match=r"a\.yaml:2:6: is not UTF-8"):
        read(path)
