"""What stands within a line as Markdown (CommonMark, with the strike-through of GitHub).

Emphasis in Markdown depends on the characters beside its delimiters. Where `**` or `~~` would not be read as meant,
the letter outside is written as its number (`&#98;`), and where two runs of delimiters would meet, HTML tags stand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

# mark -> how it opens and closes, outermost first; then the tags that stand where delimiters would not be read
_MARKS = {
    "underline": ("<ins>", "</ins>"),
    "sub": ("<sub>", "</sub>"),
    "sup": ("<sup>", "</sup>"),
    "strong": ("**", "**"),
    "em": ("*", "*"),
    "strike": ("~~", "~~"),
}
_TAGS = {"strong": ("<strong>", "</strong>"), "em": ("<em>", "</em>"), "strike": ("<del>", "</del>")}
_ORDER = {mark: place for place, mark in enumerate(_MARKS)}
MARKS = frozenset(_MARKS)

_SPECIAL = re.compile(r"[\\`*\[\]~$]|_(?!(?<=\w_)\w)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|!\Z")
_BLOCK_START = re.compile(r"(?:#{1,6}|[-+])(?=[ \t]|\Z)|>|=+[ \t]*\Z|-[-\s]*\Z|[|:][|:\-\s]*\Z")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=[ \t]|\Z)")
_BARE_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>\x00-\x20]*\Z")


class Segment(NamedTuple):
    """A stretch with the same marks: its Markdown and, where it is a link, the address and title."""

    text: str
    marks: frozenset[str] = frozenset()
    link: tuple[str, str] | None = None
    solid: bool = False  # code or a picture: no space in it is moved
    said: str = ""  # before anything was escaped
    is_code: bool = False


class _Token(NamedTuple):
    text: str
    mark: str = ""  # of a delimiter
    opens: bool = False


def escape(text: str) -> str:
    r"""Return Markdown that shows exactly this text within a line.

    >>> print(escape("*a* [b](c) snake_case"))
    \*a\* \[b\](c) snake_case
    """
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)


def code(text: str) -> str:
    """Return a code span; its fence is longer than any run of backticks inside.

    >>> code("a`b")
    '``a`b``'
    """
    text = " ".join(text.split("\n"))
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padded = text[0] == "`" or text[-1] == "`" or (text[0] == text[-1] == " " and text.strip(" "))
    return f"{fence} {text} {fence}" if padded else f"{fence}{text}{fence}"


def link(label: str, href: str, title: str = "") -> str:
    """Return a link; `label` is Markdown already.

    >>> link("a", "https://a.b/c (d)")
    '[a](<https://a.b/c (d)>)'
    """
    if not title and label == escape(href) and _BARE_ADDRESS.match(href):
        return f"<{href}>"
    return f"[{label}]({destination(href)}{_title(title)})"


def destination(href: str) -> str:
    """Return an address as it stands within the parentheses of a link."""
    href = re.sub(r"[\n\r]+", "", href)
    escaped = re.sub(r"\\|&(?=#?\w+;)", lambda found: "\\" + found.group(), href)
    if href and not re.search(r"[\s()<>\x00-\x20]", href):
        return escaped
    return "<" + re.sub(r"[<>]", lambda found: "\\" + found.group(), escaped) + ">"


def _title(title: str) -> str:
    title = re.sub(r"\s*\n\s*", " ", title)
    return ' "' + re.sub(r'["\\]|&(?=#?\w+;)', lambda found: "\\" + found.group(), title) + '"' if title else ""


def rows(segments: Iterable[Segment]) -> list[str]:
    """Return the Markdown of what stands in one paragraph, one text a line; no empty line at either end."""
    written = ""
    groups = [(target, list(run)) for target, run in groupby(_spans_whole(segments), lambda segment: segment.link)]
    for place, (target, run) in enumerate(groups):
        if target:
            written += link(_emphasised(run, "[", "]").strip() or escape(target[0]), *target)
        else:
            written += _emphasised(run, written[-1:], "[" if place + 1 < len(groups) else "")
    return [row.strip(" \t") for row in written.strip(" \t\n").split("\n")]


def _spans_whole(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments; code that goes on in the next one is one span: two that touch would be read otherwise."""
    for (is_code, marks, target), run in groupby(segments, lambda s: (s.is_code, s.marks, s.link)):
        if is_code:
            said = "".join(segment.said for segment in run)
            yield Segment(code(said), marks, target, solid=True, said=said, is_code=True)
        else:
            yield from run


def paragraph(segments: Iterable[Segment]) -> str:
    """Return the Markdown of a paragraph; a backslash ends a line that is broken on purpose."""
    return "\\\n".join(_guarded(row) for row in rows(segments))


def heading(segments: Iterable[Segment]) -> str:
    """Return the Markdown of a heading after its signs: one line, a break is `<br>`."""
    text = "<br>".join(rows(segments))
    return re.sub(r"(#+)\Z", r"\\\1", text)  # signs at the end would be taken for closing ones


def _guarded(row: str) -> str:
    if _BLOCK_START.match(row):
        return "\\" + row
    return _NUMBERED.sub(r"\1\\\2", row, count=1) if _NUMBERED.match(row) else row


def _emphasised(segments: list[Segment], before: str, after: str) -> str:
    if not any(segment.marks for segment in segments):
        return "".join(segment.text for segment in segments)
    return _joined(list(_tokens(list(_apart(segments)))), before, after)


def _apart(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments, the space at the ends of marked ones apart: delimiters must touch what they emphasise."""
    for segment in segments:
        if segment.solid or not segment.marks or not segment.text.strip():
            if segment.text:
                yield segment
            continue
        core = segment.text.strip()
        start = segment.text.index(core)
        for piece in (segment.text[:start], core, segment.text[start + len(core) :]):
            if piece:
                yield segment._replace(text=piece)


def _tokens(segments: list[Segment]) -> Iterator[_Token]:
    segments = list(_spaces_settled(segments))
    active: list[str] = []
    for segment, lasting in zip(segments, _lasting(segments), strict=True):
        kept = next((n for n, mark in enumerate(active) if mark not in segment.marks), len(active))
        yield from (_Token("", mark) for mark in reversed(active[kept:]))
        starting = segment.marks.difference(active[:kept]) if segment.solid or not segment.text.isspace() else ()
        new = sorted(starting, key=lambda mark: (-lasting[mark], _ORDER[mark]))
        yield from (_Token("", mark, opens=True) for mark in new)
        active = active[:kept] + new
        yield _Token(segment.text)
    yield from (_Token("", mark) for mark in reversed(active))


def _spaces_settled(segments: list[Segment]) -> Iterator[Segment]:
    """Space has the marks that both its neighbours have: then no delimiter stands beside it on the wrong side."""
    solid = [segment.solid or not segment.text.isspace() for segment in segments]
    following: list[frozenset[str]] = []
    upcoming: frozenset[str] = frozenset()
    for segment, is_solid in zip(reversed(segments), reversed(solid), strict=True):
        following.append(upcoming)
        upcoming = segment.marks if is_solid else upcoming
    previous: frozenset[str] = frozenset()
    for segment, is_solid, upcoming in zip(segments, solid, reversed(following), strict=True):
        previous = segment.marks if is_solid else previous
        yield segment if is_solid else segment._replace(marks=previous & upcoming)


def _lasting(segments: list[Segment]) -> list[dict[str, int]]:
    """For each segment and mark over how many segments from there on the mark holds."""
    found: list[dict[str, int]] = []
    later: dict[str, int] = {}
    for segment in reversed(segments):
        later = {mark: later.get(mark, 0) + 1 for mark in segment.marks}
        found.append(later)
    return found[::-1]


def _joined(tokens: list[_Token], before: str, after: str) -> str:
    """The text of the tokens, the delimiters so written and so surrounded that they are read as meant."""
    groups = [list(run) for _, run in groupby(tokens, key=lambda token: bool(token.mark))]
    written, tagged = [before], set[str]()
    for place, group in enumerate(groups):
        if not group[0].mark:
            written += [token.text for token in group]
            continue
        meets = len({token.opens for token in group}) > 1  # closing and opening: what opens is a tag
        left = written[-1]
        right = groups[place + 1][0].text if place + 1 < len(groups) else after
        delimiters = _delimiters(group, tagged, meets)
        mixed = len({delimiter[0] for delimiter in delimiters}) > 1
        if not meets and group[0].opens and (mixed or _is_punctuation(right[:1])) and _is_letter(left[-1:]):
            written[-1] = left[:-1] + _as_number(left[-1])
        if not meets and not group[0].opens and (mixed or _is_punctuation(left[-1:])) and _is_letter(right[:1]):
            groups[place + 1][0] = _Token(_as_number(right[0]) + right[1:])
        written += delimiters
    return "".join(written[1:])


def _delimiters(group: list[_Token], tagged: set[str], meets: bool) -> list[str]:
    """How the marks of a group open and close: by tags where closing and opening delimiters would meet."""
    found = []
    for mark, opens in ((token.mark, token.opens) for token in group):
        if opens and meets and mark in _TAGS:
            tagged.add(mark)
        pair = _TAGS[mark] if mark in tagged else _MARKS[mark]
        if not opens:
            tagged.discard(mark)
        found.append(pair[not opens])
    return found


def _is_punctuation(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "PS"


def _is_letter(character: str) -> bool:
    """Neither space nor what every Markdown reader takes for punctuation."""
    if not character or character.isspace():
        return False
    return not (character in "$+<=>^`|~" or unicodedata.category(character)[0] == "P")


def _as_number(character: str) -> str:
    return f"&#{ord(character)};"
