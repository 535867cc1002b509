"""An Atlassian document as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from datalake_kit.jira.text.documents import (
    CELLS,
    IN_LINES,
    INLINE_ATOMS,
    ITEMS,
    KNOWN_NODES,
    LISTS,
    MOST_LEVELS,
    Node,
    atom_text,
    first_number,
    fold,
    is_done,
    link_of,
    own_text,
)

_KEPT_EMPTY = CELLS | ITEMS  # an empty cell or item still has its place
_ON_LINES = ITEMS | {"table", "mediaGroup", "mediaSingle", "paragraph", "expand", "nestedExpand"}


class Piece(NamedTuple):
    """A part of the text: within a line (with the link it belongs to), or a block."""

    kind: str
    text: str
    inline: bool = False
    href: str = ""
    levels: int = 0  # of lists inside


def document_text(document: Any) -> str:
    """The text of a document: blocks apart by an empty line, items and rows on lines of their own."""
    return _text_of_blocks(_blocks([fold(document, _visit)]), "\n\n").strip("\n")


def _visit(node: Node, parts: list[Piece]) -> Piece:
    kind = node.kind
    if kind == "text":
        return Piece(kind, node.text, inline=True, href=link_of(node))
    if kind == "hardBreak" and not parts:
        return Piece(kind, "\n", inline=True)
    if kind in INLINE_ATOMS and not parts:
        return Piece(kind, atom_text(node), inline=True, href=link_of(node))
    if kind in LISTS:
        blocks = _blocks(parts)
        return Piece(kind, _list_text(node, blocks), levels=_levels(blocks) + 1)
    if kind == "tableRow":
        return Piece(kind, " | ".join(" ".join(part.text.split("\n")) for part in _blocks(parts)))
    return Piece(kind, _block_text(node, parts), levels=_levels(parts))


def _block_text(node: Node, parts: list[Piece]) -> str:
    if node.kind in IN_LINES:  # then so does a node that is not known
        parts = [part if part.kind in KNOWN_NODES else part._replace(inline=True) for part in parts]
    blocks = _blocks(parts)
    own = own_text(node, holds=bool(parts))
    if own:
        blocks.insert(0, Piece("own", _linked(own, link_of(node))))
    between = "" if node.kind == "codeBlock" else "\n" if node.kind in _ON_LINES else "\n\n"
    text = _text_of_blocks(blocks, " " if node.kind in CELLS else between)
    done = is_done(node)
    return text if done is None else f"[{'x' if done else ' '}] {text}"


def _levels(parts: list[Piece]) -> int:
    return max((part.levels for part in parts), default=0)


def _text_of_blocks(blocks: list[Piece], between: str) -> str:
    return between.join(block.text for block in blocks)


def _blocks(parts: list[Piece]) -> list[Piece]:
    """The blocks among the parts; what stands in lines between them becomes a paragraph."""
    found: list[Piece] = []
    for inline, run in groupby(parts, key=lambda part: part.inline):
        if inline:
            found.append(Piece("paragraph", _line(run)))
        else:
            found.extend(run)
    return [block for block in found if block.kind in _KEPT_EMPTY or block.text.strip()]


def _line(run: Iterable[Piece]) -> str:
    links = groupby(run, key=lambda piece: piece.href)
    return "".join(_linked("".join(piece.text for piece in pieces), href) for href, pieces in links)


def _linked(text: str, href: str) -> str:
    """The text, and the address of its link unless the text says it already."""
    if not href or href in (text.strip(), f"mailto:{text.strip()}"):
        return text
    return f"{text} ({href})" if text.strip() else href


def _list_text(node: Node, blocks: list[Piece]) -> str:
    number = first_number(node)
    lines = []
    for block in blocks:
        marker = {"orderedList": f"{number}. ", "decisionList": "<> "}.get(node.kind, "- ")
        if block.levels > MOST_LEVELS:
            lines.append(block.text)
        elif block.kind in LISTS:  # a task list holds the lists below its items directly
            lines.append("  " + block.text.replace("\n", "\n  "))
        else:
            lines.append(marker + block.text.replace("\n", "\n" + " " * len(marker)))
            number += 1
    return "\n".join(lines)
