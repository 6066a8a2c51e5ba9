"""A bar for each contender, as SVG: no library is needed for that."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["draw"]

_BAR, _LEFT, _WIDTH = 26, 170, 520


def draw(rates: Mapping[str, float], caption: str) -> str:
    """Rows a second by contender, the fastest first."""
    most = max(rates.values())
    rows = sorted(rates.items(), key=lambda each: -each[1])
    height = _BAR * (len(rows) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 110}" height="{height}" '
        'font-family="sans-serif" font-size="13">'
    ]
    for place, (name, rate) in enumerate(rows):
        y = _BAR * place + 6
        color = "#d9480f" if name.startswith("the worker") else "#868e96"
        width = max(1.0, _WIDTH * rate / most)
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{name}</text>'
            f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_BAR - 6}" fill="{color}"/>'
            f'<text x="{_LEFT + width + 6:.0f}" y="{y + 15}">{rate:,.0f} rows/s</text>'
        )
    parts.append(f'<text x="8" y="{height - 10}" fill="#495057">{caption}</text></svg>')
    return "\n".join(parts)
