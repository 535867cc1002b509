"""An Atlassian document as Markdown (CommonMark with the tables, tasks and strike-through of GitHub)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datalake_kit.jira.text import inline
from datalake_kit.jira.text.blocks import (
    Block,
    as_cell,
    code_block,
    indented,
    levels_of,
    quoted,
    stacked,
    table,
)
from datalake_kit.jira.text.documents import (
    BLOCK_ATOMS,
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
    target,
)
from datalake_kit.jira.text.inline import Segment

_PANELS = {"info": "Info", "note": "Note", "tip": "Tip", "warning": "Warning", "error": "Error", "success": "Success"}

Part = Segment | Block


def document_markdown(document: Any) -> str:
    """Return a document as Markdown."""
    return stacked(_blocks([fold(document, _visit)]))


def _visit(node: Node, parts: list[Part]) -> Part:
    kind = node.kind
    if not parts:
        if kind == "text":
            return _text(node)
        if kind == "hardBreak":
            return Segment("\n", said="\n")
        if kind in INLINE_ATOMS:
            return _atom(node)
        if kind in BLOCK_ATOMS:
            return Block(kind, inline.paragraph([_atom(node)]))
    if kind in IN_LINES:  # then so does what a node that is not known holds
        parts = [inner for part in parts for inner in _in_line(part)]
    if kind == "heading":
        return _heading(node, parts)
    if kind == "codeBlock":
        return _code_block(node, parts)
    if kind == "paragraph" or kind in ITEMS | CELLS | LISTS | {"table", "tableRow"}:
        return _structure(node, _blocks(parts))
    return _around(node, parts)


def _in_line(part: Part) -> Sequence[Part]:
    return part.segments if isinstance(part, Block) and part.segments else [part]


def _blocks(parts: Sequence[Part]) -> list[Block]:
    """The blocks among the parts; what stands in lines becomes a paragraph, what only holds others is opened."""
    found: list[Block] = []
    for run in _runs(parts):
        if isinstance(run, Block):
            found += run.inner or (_blocks(run.segments) if run.segments else [run])
        else:
            found.append(Block("paragraph", inline.paragraph(run)))
    return [block for block in found if block.text.strip() or block.cells or block.kind in ITEMS]


def _runs(parts: Sequence[Part]) -> list[Block | list[Segment]]:
    runs: list[Block | list[Segment]] = []
    for part in parts:
        if isinstance(part, Block):
            runs.append(part)
        elif runs and isinstance(runs[-1], list):
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _text(node: Node) -> Segment:
    names = {kind for kind, _ in node.marks}
    marks = names & inline.MARKS
    for kind, attrs in node.marks:
        if kind == "subsup":
            marks.add("sub" if attrs.get("type") == "sub" else "sup")
    is_code = "code" in names and bool(node.text)
    text = inline.code(node.text) if is_code else inline.escape(node.text)
    return Segment(text, frozenset(marks), _link(node), solid=is_code, said=node.text, is_code=is_code)


def _link(node: Node) -> tuple[str, str] | None:
    href = link_of(node)
    titles = [attrs["title"] for kind, attrs in node.marks if kind == "link" and isinstance(attrs.get("title"), str)]
    return (href, titles[0] if titles else "") if href else None


def _atom(node: Node) -> Segment:
    said, href = atom_text(node), target(node)
    text, link = inline.escape(said), _link(node)
    if node.kind in ("media", "mediaInline", "image") and href:
        alone = said if said != href else ""
        return Segment(f"![{inline.escape(alone)}]({inline.destination(href)})", link=link, solid=True, said=said)
    if node.kind in ("inlineCard", "blockCard", "embedCard") and href:
        return Segment(text, link=(href, ""), said=said)
    return Segment(text, frozenset({"strong"} if node.kind == "status" else ()), link, said=said)


def _heading(node: Node, parts: Sequence[Part]) -> Block:
    try:
        level = max(1, min(int(float(node.said("level") or 1)), 6))
    except (ValueError, OverflowError):
        level = 1
    blocks = []
    for run in _runs(parts):
        if isinstance(run, Block):
            blocks += _blocks([run])
        elif text := inline.heading(run):
            blocks.append(Block("heading", f"{'#' * level} {text}"))
    return Block("", inner=tuple(blocks))


def _code_block(node: Node, parts: Sequence[Part]) -> Block:
    code = "".join(part.said if isinstance(part, Segment) else f"\n{stacked(_blocks([part]))}\n" for part in parts)
    return Block("codeBlock", code_block(code, node.said("language")), code=code)


def _structure(node: Node, blocks: list[Block]) -> Block:
    kind = node.kind
    if kind in LISTS:
        return Block(kind, _list(node, blocks), levels=levels_of(blocks) + 1)
    if kind in CELLS:
        cell = as_cell(node, blocks)
        return Block(kind, cell.text, cells=(cell,))
    if kind == "tableRow":
        cells = tuple(cell for block in blocks for cell in block.cells or [as_cell(node, [block])])
        return Block(kind, table([cells]), cells=cells)
    if kind == "table":
        return Block(kind, table([list(block.cells) or [as_cell(node, [block])] for block in blocks]))
    if kind in ITEMS:
        done = is_done(node)
        box = "" if done is None else f"[{'x' if done else ' '}] "
        return Block(kind, box + stacked(blocks, tight=True), levels=levels_of(blocks))
    return Block("", inner=tuple(blocks))  # a paragraph


def _around(node: Node, parts: list[Part]) -> Block:
    """A block that holds blocks, with what it says itself before them."""
    own = own_text(node, holds=bool(parts))
    if node.kind not in KNOWN_NODES and all(isinstance(part, Segment) for part in parts):
        said = [Segment(inline.escape(own), said=own)] if own else []
        return Block(node.kind, segments=(*said, *(part for part in parts if isinstance(part, Segment))))
    blocks = _blocks(parts)
    if node.kind in ("blockquote", "panel"):
        title = _PANELS.get(node.said("panelType")) if node.kind == "panel" else None
        told = [Block("paragraph", f"**{title}**")] if title and blocks else []
        text, levels = stacked([*told, *blocks]), levels_of(blocks) + 1
        return Block(node.kind, quoted(text) if levels <= MOST_LEVELS else text, levels=levels)
    if node.kind in ("rule", "bodiedRule"):
        return Block("", inner=(Block("rule", "___"), *blocks))
    if own:
        marks = frozenset({"strong"} if "xpand" in node.kind else ())
        blocks.insert(0, Block("paragraph", inline.paragraph([Segment(inline.escape(own), marks, _link(node))])))
    return Block("", inner=tuple(blocks))


def _list(node: Node, blocks: list[Block]) -> str:
    number = first_number(node)
    lines: list[str] = []
    for block in blocks:
        if block.kind in LISTS and lines:  # a task list holds the lists below its items directly
            indent = "" if block.levels >= MOST_LEVELS else "  "
            lines[-1] += "\n" + indented(block.text, indent, indent)
            continue
        marker = {"orderedList": f"{number}. ", "decisionList": "- \\<> "}.get(node.kind, "- ")
        width = 0 if block.levels >= MOST_LEVELS else len(marker) if node.kind == "orderedList" else 2
        lines.append(indented(block.text, marker if width else "", " " * width))
        number = min(number + 1, 999_999_999)
    return "\n".join(lines)
