"""Blocks of Markdown: put below each other, quoted, indented, in tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datalake_kit.jira.text import inline
from datalake_kit.jira.text.documents import LISTS, Node

_MOST_SPANNED = 100  # columns or rows; a wider span is a mistake


class Cell(NamedTuple):
    """A cell of a table: its text on one line, and how many columns and rows it spans."""

    text: str
    header: bool = False
    columns: int = 1
    rows: int = 1


class Block(NamedTuple):
    """A block as Markdown; of code what stands in it, of a row its cells; or what a node holds that is no block."""

    kind: str
    text: str = ""
    code: str | None = None
    cells: tuple[Cell, ...] = ()
    inner: tuple[Block, ...] = ()
    segments: tuple[inline.Segment, ...] = ()
    levels: int = 0  # of lists and quotes inside


def levels_of(blocks: Iterable[Block]) -> int:
    """How many levels of lists and quotes the deepest of these blocks has."""
    return max((block.levels for block in blocks), default=0)


def stacked(blocks: Sequence[Block], *, tight: bool = False) -> str:
    """Put blocks below each other; `tight`: a list right below the paragraph it belongs to, where that is read so."""
    text = ""
    for place, block in enumerate(blocks):
        if place:
            previous = blocks[place - 1]
            if block.kind in LISTS and previous.kind in LISTS:
                text += "\n\n<!-- -->"  # else both would be one list
            near = (
                tight and block.kind in LISTS and previous.kind == "paragraph" and re.match(r"(?:-|1\.) ", block.text)
            )
            text += "\n" if near else "\n\n"
        text += block.text
    return text


def indented(text: str, first: str, rest: str) -> str:
    """Put `first` before the first line and `rest` before the others that hold something."""
    lines = text.split("\n")
    return "\n".join([(first + lines[0]).rstrip(), *(rest + line if line else "" for line in lines[1:])])


def quoted(text: str) -> str:
    """Put `>` before each line."""
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def code_block(code: str, language: str = "") -> str:
    """Return a fenced block; the fence is longer than any run of backticks inside.

    >>> print(code_block("a", "sql"))
    ```sql
    a
    ```
    """
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", code)), 0)
    name = re.sub(r"[^\w+#.\-]", "", language)
    return f"{fence}{name}\n{code}\n{fence}" if code else f"{fence}{name}\n{fence}"


def as_cell(node: Node, blocks: Sequence[Block]) -> Cell:
    """Return the cell of a table node: blocks and lines are apart by `<br>`, since a cell has one line."""
    lines = [line for block in blocks for line in _cell_lines(block)]
    text = "<br>".join(line.strip() for line in lines if line.strip())
    return Cell(re.sub(r"\|", r"\\|", text), node.kind == "tableHeader", _span(node, "colspan"), _span(node, "rowspan"))


def _cell_lines(block: Block) -> list[str]:
    if block.code is not None:
        return [inline.code(line) for line in block.code.split("\n")]
    lines = re.sub(r"\\\n", "\n", block.text).split("\n")
    if block.kind in ("table", "tableRow"):  # a cell holds no table: its rows, the cells apart by a slash
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in (lines[0], *lines[2:])]
        lines = [" / ".join(filter(None, (cell.strip().replace("\\|", "|") for cell in row))) for row in rows]
    return lines


def _span(node: Node, name: str) -> int:
    try:
        return max(1, min(int(float(node.said(name) or 1)), _MOST_SPANNED))
    except (ValueError, OverflowError):
        return 1


def table(rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table; a cell that spans several is followed by empty ones, a missing header is an empty one."""
    if not rows:
        return ""
    texts = _laid_out(rows)
    width = max(map(len, texts))
    if not all(cell.header for cell in rows[0]):
        texts.insert(0, [])
    lines = [_row([*row, *[""] * (width - len(row))]) for row in texts]
    return "\n".join([lines[0], _row(["---"] * width), *lines[1:]])


def _laid_out(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    taken: dict[int, int] = {}  # column -> rows from here on that a cell above still covers
    texts = []
    for row in rows:
        line: list[str] = []
        for cell in row:
            while taken.get(len(line), 0):
                line.append("")
            for column in range(len(line), len(line) + cell.columns):
                taken[column] = cell.rows
            line += [cell.text, *[""] * (cell.columns - 1)]
        taken = {column: left - 1 for column, left in taken.items() if left > 1}
        texts.append(line)
    return [line or [""] for line in texts]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
