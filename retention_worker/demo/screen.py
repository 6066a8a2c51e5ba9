"""What the demo prints: numbered sections, sentences, tables and bars, on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_NARROWEST, _WIDEST = 80, 120
# What stands left and right of a bar.
_BESIDE_BARS = 33


class Screen:
    """A console that is no wider than is good to read."""

    def __init__(self) -> None:
        width = min(max(Console().width, _NARROWEST), _WIDEST)
        self.console = Console(width=width, highlight=False, emoji=False)
        self._sections = 0

    def title(self, text: str) -> None:
        """Print the demo's name."""
        self.console.print()
        self.console.rule(f"[bold]{text}[/]", style="bold", characters=self._sign("─", "-"))

    def section(self, text: str) -> None:
        """Print a heading with the next number."""
        self._sections += 1
        heading = f"[bold cyan]{self._sections}. {text}[/]"
        line = self._sign("─", "-")
        self.console.print()
        self.console.rule(heading, align="left", style="cyan", characters=line)

    def say(self, markup: str) -> None:
        """Print a paragraph."""
        self.console.print(markup)

    def command(self, text: str, now: str) -> None:
        """Print the simulated time, and the command that does elsewhere what comes next."""
        self.console.print(f"\n[dim]{now}[/]")
        self.console.print(Text(f"$ retention-worker {text}", style="bold"))

    def item(self, markup: str, indent: int = 2) -> None:
        """Print an indented line."""
        self.console.print(Padding(markup, (0, 0, 0, indent), expand=False))

    def quote(self, text: str) -> None:
        """Print the worker's own words, with what looks like markup left as it is."""
        self.item(f"[yellow]{escape(text)}[/]")

    def file(self, name: str, text: str) -> None:
        """Print the lines of a small file without its comments."""
        self.console.print()
        self.item(f"[bold]{name}[/]")
        for line in text.splitlines():
            code, _, _ = line.partition(" #")
            if code.strip() and not code.startswith("#"):
                self.item(f"[green]{escape(code)}[/]", indent=4)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> None:
        """Print a table whose first `texts` columns are words and the others numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for number, heading in enumerate(headings):
            justify: Literal["left", "right"] = "left" if number < texts else "right"
            table.add_column(heading, justify=justify, vertical="bottom", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self.console.print()
        self.console.print(table)

    def check(self, passed: bool, promise: str, detail: str) -> None:
        """Print whether a promise was kept, and the figures."""
        word = "[bold green]PASS[/]" if passed else "[bold red]FAIL[/]"
        self.console.print(f"{word}  [bold]{promise}[/]")
        self.item(escape(detail), indent=6)

    def bars(self, first: int, second: int, widest: int) -> str:
        """Two numbers as one bar; `widest` is about the most that both are together."""
        each = max(1, -(-widest // (self.console.width - _BESIDE_BARS)))
        parts = (
            (first, self._sign("█", "#"), "cyan"),
            (second, self._sign("░", "="), "magenta"),
        )
        return "".join(f"[{style}]{sign * round(n / each)}[/]" for n, sign, style in parts)

    def _sign(self, sign: str, plain: str) -> str:
        return plain if self.console.options.ascii_only else sign
