"""Names of points, issues, people and projects as text that can be drawn."""

from __future__ import annotations

from functools import cache

from matplotlib import font_manager

# Fonts with Chinese, Japanese and Korean characters, as they are called on Linux, macOS and Windows
_WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Arial Unicode MS",
)  # fmt: skip


@cache
def families() -> tuple[str, ...]:
    """The font of all pictures, then those of this machine that have the characters it lacks."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed))


@cache
def _can_draw(character: str) -> bool:
    fonts = (font_manager.get_font(font_manager.findfont(family)) for family in families())
    return any(font.get_char_index(ord(character)) for font in fonts)


def drawable(text: str) -> str:
    """Return the text with □ for each character that no font here has."""
    return "".join(c if c.isspace() or _can_draw(c) else "□" for c in text)


def one_line(text: object, most: int = 70) -> str:
    """Return a text as one line of at most `most` characters that can be drawn."""
    line = drawable(" ".join(str(text).split())) if isinstance(text, str) else "(no summary)"
    return line if len(line) <= most else line[: most - 1] + "…"


def short_name(name: object, most: int = 22) -> str:
    """Return a name that can be drawn, cut in its middle: the end often tells it from others.

    >>> short_name("Sprint of the whole department 17", 16)
    'Sprint o…ment 17'
    """
    line = one_line(name, 10_000)
    ahead = most // 2
    return line if len(line) <= most else f"{line[:ahead]}…{line[ahead + 1 - most :]}"
