"""Text in wiki markup (Jira's notation, the form of rich text in API v2) as an Atlassian document.

Source: the notation guide of Jira ("Text Formatting Notation Help").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from datalake_kit.jira.text.wiki_inline import Node, parse_line

_MACRO = re.compile(r"(?<!\\)\{(code|noformat|quote|panel)(?::([^{}\n]*))?\}")
_HEADING = re.compile(r"\s*h([1-6])\.[ \t]+(\S.*)")
_QUOTE = re.compile(r"\s*bq\.[ \t]+(\S.*)")
_RULE = re.compile(r"\s*-{4,5}\s*\Z")
_ITEM = re.compile(r"\s*([*#]+|-|[*#-]{2,})[ \t]+(\S.*)")
_ROW = re.compile(r"\s*\|.*\|")
_BAR = re.compile(r"\\\||\[[^\[\]\n]{1,4000}\]|\{\{[^\n]{1,1000}?\}\}|!\S[^!|\n]{0,250}\|[^!|\n]{0,500}!|(\|\|?)")
_HELD = "\ufdd0"  # stands for a macro within a cell; no text holds this character


class _Macro(NamedTuple):
    name: str
    params: str
    body: str


def parse_wiki(text: str) -> Node:
    """Return the Atlassian document that wiki markup stands for; text without markup is its paragraphs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    coloured = len(re.findall(r"\{color:[^{}\n]{1,60}\}", text)) == text.count("{color}")
    return {"type": "doc", "version": 1, "content": _blocks(text, coloured)}


def _blocks(text: str, colours: bool) -> list[Node]:
    page = _Page(colours)
    parts = list(_parts(text))
    for place, part in enumerate(parts):
        if isinstance(part, _Macro):
            page.add_macro(part)
            continue
        before_macro, after_macro = place + 1 < len(parts), place > 0  # text and macros take turns
        part = part.removesuffix("\n") if before_macro else part
        part = part.removeprefix("\n") if after_macro and page.row is None else part
        if part or not (before_macro or after_macro):
            page.add_text(part, before_macro)
    return page.closed()


def _parts(text: str) -> Iterator[str | _Macro]:
    """The text and the macros in it, in order; a macro that nothing closes is text."""
    start = place = 0
    last = {name: text.rfind(f"{{{name}}}") for name in ("code", "noformat", "quote", "panel")}
    while match := _MACRO.search(text, place):
        name, place = match.group(1), match.end()
        if last[name] < place:
            continue
        end = text.index(f"{{{name}}}", place)
        yield text[start : match.start()]
        yield _Macro(name, match.group(2) or "", text[place:end])
        start = place = end + len(name) + 2
    yield text[start:]


class _Page:
    """Takes the lines one after the other and puts the blocks together."""

    def __init__(self, colours: bool) -> None:
        self.colours = colours
        self.content: list[Node] = []
        self.paragraph: list[Node] | None = None  # what stands in the paragraph that is open, of an item too
        self.lists: list[tuple[str, Node]] = []  # sign and list, the innermost last
        self.row: str | None = None  # a row of a table that is not closed yet
        self.held: list[_Macro] = []  # macros within the cells of that row

    def add_text(self, text: str, before_macro: bool) -> None:
        if self.row is not None:  # goes on right after a macro in one of its cells
            first, _, text = text.partition("\n")
            self.row += first
            if first.rstrip().endswith("|"):
                self._close_row()
            if not text:
                return
        *lines, last = text.split("\n")
        for line in lines:
            self._add_line(line)
        if before_macro and self.row is None and last.lstrip().startswith("|"):
            self._end_blocks()
            self.row = last
        else:
            self._add_line(last)

    def add_macro(self, macro: _Macro) -> None:
        if self.row is not None:
            self.row += f"{_HELD}{len(self.held)}{_HELD}"
            self.held.append(macro)
        else:
            self._target().extend(_macro_nodes(macro, self.colours))
            self.paragraph = None

    def closed(self) -> list[Node]:
        self._close_row()
        return self.content

    def _add_line(self, line: str) -> None:
        if self.row is not None and line.strip() and not line.lstrip().startswith("|"):
            self.row += "\n" + line
            if line.rstrip().endswith("|"):
                self._close_row()
            return
        self._close_row()
        if not line.strip():
            self._end_blocks()
        elif not (self._add_block(line) or self._add_item(line)):
            self._add_to_paragraph(line)

    def _add_block(self, line: str) -> bool:
        if match := _HEADING.match(line):
            node = {"type": "heading", "attrs": {"level": int(match.group(1))}, "content": self._inline(match.group(2))}
        elif match := _QUOTE.match(line):
            node = {"type": "blockquote", "content": [_paragraph(self._inline(match.group(1)))]}
        elif _RULE.match(line):
            node = {"type": "rule"}
        elif _ROW.match(line) or (self._after_row() and line.lstrip().startswith("|")):
            self._end_blocks()
            self.row = line
            if line.rstrip().endswith("|"):
                self._close_row()
            return True
        else:
            return False
        self._end_blocks()
        self.content.append(node)
        return True

    def _add_item(self, line: str) -> bool:
        match = _ITEM.match(line)
        if not match or (not self.lists and match.group(1)[0] == "-" != match.group(1)):  # "-- " is a dash
            return False
        signs, said = match.groups()
        kept = 0
        while kept < min(len(signs), len(self.lists)) and self.lists[kept][0] == signs[kept]:
            kept += 1
        if kept == 0:
            self._end_blocks()
        del self.lists[kept:]
        for sign in signs[kept:]:
            node: Node = {"type": "orderedList" if sign == "#" else "bulletList", "content": []}
            self._target().append(node)
            self.lists.append((sign, node))
        self.paragraph = self._inline(said)
        self.lists[-1][1]["content"].append({"type": "listItem", "content": [_paragraph(self.paragraph)]})
        return True

    def _add_to_paragraph(self, line: str) -> None:
        if self.paragraph is None:
            self.paragraph = []
            self._target().append(_paragraph(self.paragraph))
        else:
            self.paragraph.append({"type": "hardBreak"})
        self.paragraph += self._inline(line)

    def _target(self) -> list[Node]:
        """Where a block goes: into the item that is open, else into the page."""
        if not self.lists:
            return self.content
        items: list[Node] = self.lists[-1][1]["content"]
        if not items:
            items.append({"type": "listItem", "content": []})
        found: list[Node] = items[-1]["content"]
        return found

    def _end_blocks(self) -> None:
        self.paragraph = None
        self.lists = []

    def _after_row(self) -> bool:
        return bool(self.content) and self.content[-1]["type"] == "table" and not (self.paragraph or self.lists)

    def _close_row(self) -> None:
        if self.row is None:
            return
        row = {"type": "tableRow", "content": [self._cell(header, said) for header, said in _cells(self.row.strip())]}
        if self._after_row():
            self.content[-1]["content"].append(row)
        else:
            self.content.append({"type": "table", "content": [row]})
        self.row, self.held = None, []

    def _cell(self, header: bool, said: str) -> Node:
        blocks: list[Node] = []
        for place, piece in enumerate(said.split(_HELD)):
            if place % 2:
                blocks += _macro_nodes(self.held[int(piece)], self.colours)
            elif piece.strip():
                blocks += _blocks(piece.strip(), self.colours)
        return {"type": "tableHeader" if header else "tableCell", "content": blocks}

    def _inline(self, text: str) -> list[Node]:
        return parse_line(text, colours=self.colours)


def _paragraph(content: list[Node]) -> Node:
    return {"type": "paragraph", "content": content}


def _cells(row: str) -> Iterator[tuple[bool, str]]:
    """The cells of a row, each with whether it is a header: `||` opens one."""
    bars = [match for match in _BAR.finditer(row) if match.group(1)]
    ends = [*(bar.start() for bar in bars[1:]), len(row)]
    for bar, end in zip(bars, ends, strict=True):
        if bar.end() < len(row):  # the last bar closes the row
            yield bar.group() == "||", row[bar.end() : end]


def _macro_nodes(macro: _Macro, colours: bool) -> list[Node]:
    params = dict(_parameters(macro.params))
    title = [_paragraph([_bold(params["title"])])] if params.get("title") else []
    if macro.name in ("code", "noformat"):
        body = macro.body.removeprefix("\n").removesuffix("\n")
        attrs = {"language": params.get("language", "")} if macro.name == "code" else {}
        return [*title, {"type": "codeBlock", "attrs": attrs, "content": [{"type": "text", "text": body}]}]
    kind = "blockquote" if macro.name == "quote" else "panel"
    return [{"type": kind, "content": [*title, *_blocks(macro.body, colours)]}]


def _bold(text: str) -> Node:
    return {"type": "text", "text": text, "marks": [{"type": "strong"}]}


def _parameters(params: str) -> Iterator[tuple[str, str]]:
    """`title=A|borderStyle=solid` or `java`: a value without a name is the language."""
    for param in filter(None, params.split("|")):
        name, equals, value = param.partition("=")
        yield (name.strip(), value.strip()) if equals else ("language", name.strip())
