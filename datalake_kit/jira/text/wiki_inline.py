"""What stands within a line of wiki markup (Jira's notation), as nodes of an Atlassian document.

Source: the notation guide of Jira ("Text Formatting Notation Help"). Where the guide leaves a case open the text is
kept as it was written: a sign counts only where it touches the phrase on its inner side and no letter on its outer
side, so that `snake_case`, `5*3*2`, `a - b`, addresses, times and paths stay what they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

Node = dict[str, Any]
Mark = dict[str, Any]

_MARKS: dict[str, Mark] = {
    "*": {"type": "strong"}, "_": {"type": "em"}, "??": {"type": "em"}, "-": {"type": "strike"},
    "+": {"type": "underline"}, "^": {"type": "subsup", "attrs": {"type": "sup"}},
    "~": {"type": "subsup", "attrs": {"type": "sub"}},
}  # fmt: skip
_ADDRESS = r"(?:https?|ftp|file|mailto|irc|ssh|git|news|tel|callto|skype|sip|jdbc|s3):"
_TOKEN = re.compile(
    r"""
      (?P<path> (?<!\S)\\\\[\w.$-]+\\\S* | \b[A-Za-z]:\\\S* )              # \\server\share, C:\folder
    | (?P<escape> \\[-#*_+?^~|{}\[\]()!] )
    | (?P<newline> \\\\(?!\\) )
    | \{\{ (?P<mono> [^\n]{1,1000}? ) \}\} (?!\})
    | (?P<colour> \{color(?::[^{}\n]{1,60})?\} )
    | \[ (?P<link> [^\[\]\n]{1,4000} ) \]
    | (?<![\w!]) ! (?P<image> https?://[^\s!|]+ | [^\s!|][^!|\n]{0,250}\.\w{2,5} )
      (?:\|[^!\n]{0,500})? ! (?!\w)
    | (?P<url> \bADDRESS[^\s|\[\]{}<>"]*[^\s|\[\]{}<>".,;:!?)'*_] )
    | (?P<mail> (?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+ )
    | (?P<small> (?<=[^\W_]) (?: \^[\w+-]{1,12}\^ | ~\d{1,6}~ ) )          # mc^2^, H~2~O
    | (?P<braced> \{(?:[*_+^~-]|\?\?)\} )                                  # {*}: within a word
    | (?P<sign> \?\? | [*_+^~-] )
    """.replace("ADDRESS", _ADDRESS),
    re.VERBOSE,
)
_TARGET = re.compile(rf"(?:{_ADDRESS}|www\.|[#/])\S+\Z|\^\S.*\.\w{{2,5}}\Z|~[\w.@:-]+\Z|[A-Z][A-Z0-9_]+-\d+\Z")
_ALONE = re.compile(rf"(?:{_ADDRESS}|www\.|#[A-Za-z])\S+\Z|\^\S.*\.\w{{2,5}}\Z|~[\w.@:-]+\Z")


class _Piece(NamedTuple):
    """A node, or a sign that may open or close a phrase."""

    text: str
    node: Node
    sign: str = ""
    opens: bool = False
    closes: bool = False
    is_colour: bool = False


def parse_line(text: str, *, colours: bool = True) -> list[Node]:
    """Return the inline nodes of one line.

    `colours`: `{color:red}` and `{color}` are signs, which cannot be shown, and not text.
    """
    pieces = [piece for piece in _pieces(text) if not (colours and piece.is_colour)]
    return list(_marked(pieces, _paired(pieces)))


def _pieces(text: str) -> Iterator[_Piece]:
    place = 0
    for match in _TOKEN.finditer(text):
        if match.start() > place:
            yield _Piece(text[place : match.start()], _text(text[place : match.start()]))
        yield _piece(match, text)
        place = match.end()
    if place < len(text):
        yield _Piece(text[place:], _text(text[place:]))


def _text(text: str, *marks: Mark) -> Node:
    return {"type": "text", "text": text, "marks": list(marks)}


def _piece(match: re.Match[str], text: str) -> _Piece:
    kind, whole = str(match.lastgroup), match.group()
    said = match.group(kind)
    match kind:
        case "escape":
            return _Piece(whole, _text(whole[1:]))
        case "newline":
            return _Piece(whole, {"type": "hardBreak"})
        case "mono":
            return _Piece(whole, _text(said, {"type": "code"}))
        case "colour":
            return _Piece(whole, _text(whole), is_colour=True)
        case "link":
            return _Piece(whole, _link(said) or _text(whole))
        case "image":
            return _Piece(whole, _image(said))
        case "url":
            return _Piece(whole, _text(whole, _link_mark(whole)))
        case "small":
            return _Piece(whole, _text(whole[1:-1], _MARKS[whole[0]]))
        case "sign" | "braced":
            return _sign(match, text, said.strip("{}"), braced=kind == "braced")
    return _Piece(whole, _text(whole))  # a path or a mail address: no sign in it counts


def _sign(match: re.Match[str], text: str, sign: str, *, braced: bool) -> _Piece:
    start, end = match.span()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    alone = sign[0] not in (before, after)  # -----, **, C++
    strict = sign in "-+" and not braced  # also signs of numbers and options
    opens = alone and _touches(after, strict) and (braced or not before.isalnum())
    closes = alone and bool(before.strip()) and (braced or not after.isalnum())
    if strict:
        closes = closes and (not after or after.isspace() or after in ".,;:!?)]}*_|")
    return _Piece(match.group(), _text(match.group()), sign, opens, closes)


def _touches(after: str, strict: bool) -> bool:
    return bool(after.strip()) and (not strict or after.isalnum() or after in "*_{[!(\"'")


def _paired(pieces: list[_Piece]) -> dict[int, int]:
    """Which sign closes which: place of the opening one -> place of the closing one; pairs do not cross."""
    closing: dict[str, list[int]] = {}
    for place, piece in enumerate(pieces):
        if piece.sign and piece.closes:
            closing.setdefault(piece.sign, []).append(place)
    pairs: dict[int, int] = {}
    within: list[int] = []  # where the phrases end that are open here
    for place, piece in enumerate(pieces):
        if within and within[-1] == place:
            within.pop()
        elif piece.sign and piece.opens:
            ends = closing.get(piece.sign, [])
            found = bisect_right(ends, place + 1)  # something stands in between
            if found < len(ends) and (not within or ends[found] < within[-1]):
                pairs[place] = ends[found]
                within.append(ends[found])
    return pairs


def _marked(pieces: list[_Piece], pairs: dict[int, int]) -> Iterator[Node]:
    """The nodes of the pieces with the marks of the phrases they stand in; text with the same marks is one node."""
    ends = set(pairs.values())
    active: list[Mark] = []
    waiting: tuple[list[str], list[Mark]] = ([], [])
    for place, piece in enumerate(pieces):
        if place in pairs:
            active.append(_MARKS[piece.sign])
        elif place in ends:
            active.pop()
        else:
            is_text = piece.node["type"] == "text"
            marks = [*piece.node["marks"], *active] if is_text else []
            if waiting[0] and (not is_text or marks != waiting[1]):
                yield _text("".join(waiting[0]), *waiting[1])
                waiting = ([], [])
            if is_text:
                waiting = (waiting[0], marks)
                waiting[0].append(piece.node["text"])
            else:
                yield piece.node
    if waiting[0]:
        yield _text("".join(waiting[0]), *waiting[1])


def _link_mark(href: str) -> Mark:
    return {"type": "link", "attrs": {"href": href}}


def _link(said: str) -> Node | None:
    """The node of what stands between brackets; None when that is no link."""
    alias, *rest = said.split("|")
    address = (rest[0] if rest else alias).strip()
    if not (_TARGET if rest else _ALONE).match(address):
        return None
    if address.startswith("~"):
        name = address[1:].removeprefix("accountid:")
        return {"type": "mention", "attrs": {"id": name, "text": alias if rest and alias.strip() else f"@{name}"}}
    label = alias if rest and alias.strip() else address
    if address.startswith("^"):
        return _text(label.removeprefix("^"), _link_mark(f"attachment:{address[1:]}"))
    return _text(label, _link_mark(address))


def _image(said: str) -> Node:
    if said.startswith("http"):
        return {"type": "image", "attrs": {"src": said}}
    return {"type": "mediaInline", "attrs": {"type": "file", "id": said, "alt": said}}
