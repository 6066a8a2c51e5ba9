"""A real browser: Debian's chromium, headless, driven over its own protocol."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# Nothing goes out: the browser is here for one address on the loopback.
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_MS = 20_000


@contextmanager
def open_page(base: str, **options: Any) -> Iterator[Page]:
    """A page of a new browser; what the portal's rules refuse in it fails the test."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            page = browser.new_page(base_url=base, **options)
            page.set_default_timeout(_PATIENCE_MS)
            refused: list[str] = []
            page.on(
                "console",
                lambda said: refused.append(said.text) if "Content Security" in said.text else None,
            )
            page.on("pageerror", lambda error: refused.append(str(error)))
            yield page
            assert not refused
        finally:
            browser.close()
