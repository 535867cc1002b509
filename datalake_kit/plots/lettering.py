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


@cache
def _advance(character: str, bold: bool) -> float:
    """How far a character moves the pen, in units of the text's size; one that the font lacks is as wide as high."""
    properties = font_manager.FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    font = font_manager.get_font(font_manager.findfont(properties))
    if not font.get_char_index(ord(character)):
        return 1.0
    font.set_size(100, 72)
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536 / 100


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how many inches a line of text takes at a size in points.

    >>> 0.4 < text_width("W/m2 per day", 9) < 1.0
    True
    """
    return sum(_advance(character, bold) for character in text) * size / 72


def wrap_text(text: str, inches: float, size: float, *, bold: bool = False) -> list[str]:
    """Return lines that take at most so many inches each; a longer word is broken.

    >>> wrap_text("two words", 0.6, 10)
    ['two', 'words']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= inches:
            lines[-1] = longer
            continue
        while text_width(word, size, bold=bold) > inches and len(word) > 1:
            most = next(n for n in range(len(word), 0, -1) if n == 1 or text_width(word[:n], size, bold=bold) <= inches)
            lines.append(word[:most])
            word = word[most:]
        lines.append(word)
    return lines
