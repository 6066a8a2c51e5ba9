"""The files behind the images: the application stores them, the worker deletes them."""

from __future__ import annotations

from pathlib import Path

from retention_worker.demo.scene import DemoScene

_NAMED = "SELECT object_uri FROM public.images"


class Pictures:
    """A folder with one small file for each image that a row names, or ever named."""

    def __init__(self, scene: DemoScene) -> None:
        self._scene = scene
        self._stored: set[str] = set()

    def store_new(self) -> None:
        """Store the files of images that came since the last time."""
        for name in self._named() - self._stored:
            path = self._scene.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"an image")
            self._stored.add(name)

    def astray(self) -> tuple[int, int]:
        """How many files are there that no row names, and how many that a row names are not."""
        named, there = self._named(), self._there()
        return len(there - named), len(named - there)

    @property
    def gone(self) -> int:
        """How many of the files that were ever stored are not there any more."""
        return len(self._stored - self._there())

    def _named(self) -> set[str]:
        return {row[0] for row in self._scene.rows(_NAMED)}

    def _there(self) -> set[str]:
        root: Path = self._scene.files
        return {str(path.relative_to(root)) for path in root.rglob("*.jpg")}
