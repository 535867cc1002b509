"""Atlassian documents (ADF): each node whatever is wrong with it, and folding them without recursion.

Source of the node and mark types: the JSON schema of `@atlaskit/adf-schema` (Apache-2.0) and
https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")
Mark = tuple[str, Mapping[str, Any]]

# Nodes that stand for themselves: what they say is in their attributes.
INLINE_ATOMS = frozenset(
    {
        "confluenceJiraIssue", "confluenceUnsupportedInline", "date", "emoji", "image", "inlineCard", "inlineExtension",
        "mediaInline", "mention", "placeholder", "status",
    }
)  # fmt: skip
BLOCK_ATOMS = frozenset({"blockCard", "confluenceUnsupportedBlock", "embedCard", "extension", "media", "syncBlock"})
LISTS = frozenset({"bulletList", "decisionList", "orderedList", "taskList"})
ITEMS = frozenset({"blockTaskItem", "decisionItem", "listItem", "taskItem"})
ROWS = frozenset({"tableRow"})
CELLS = frozenset({"tableCell", "tableHeader"})
IN_LINES = frozenset({"paragraph", "heading", "caption", "taskItem", "decisionItem"})  # hold what stands in lines
MOST_LEVELS = 60  # of lists and quotes that are indented; what is deeper stands as deep as the last
# Nodes that hold others and say little or nothing themselves.
CONTAINERS = frozenset(
    {
        "blockquote", "bodiedExtension", "bodiedRule", "bodiedSyncBlock", "caption", "codeBlock", "doc", "expand",
        "extensionFrame", "hardBreak", "heading", "layoutColumn", "layoutSection", "mediaGroup", "mediaSingle",
        "multiBodiedExtension", "nestedExpand", "panel", "paragraph", "rule", "table", "text", "unsupportedBlock",
        "unsupportedInline",
    }
)  # fmt: skip
KNOWN_NODES = INLINE_ATOMS | BLOCK_ATOMS | LISTS | ITEMS | ROWS | CELLS | CONTAINERS

# Marks that plain text and Markdown cannot show: the text is kept, its look is not.
LOOKS = frozenset(
    {
        "alignment", "annotation", "backgroundColor", "border", "breakout", "confluenceInlineComment", "dataConsumer",
        "fontSize", "fragment", "indentation", "textColor", "typeAheadQuery", "unsupportedMark",
        "unsupportedNodeAttribute",
    }
)  # fmt: skip
SHOWN_MARKS = frozenset({"code", "em", "link", "strike", "strong", "subsup", "underline"})
KNOWN_MARKS = LOOKS | SHOWN_MARKS


@dataclass(slots=True)
class Node:
    """One node as it can be used: each part has its type, whatever came."""

    kind: str
    attrs: Mapping[str, Any]
    text: str
    marks: tuple[Mark, ...]

    def said(self, *names: str) -> str:
        """The first of these attributes that holds text or a number."""
        for name in names:
            value = self.attrs.get(name)
            if isinstance(value, str | int | float) and not isinstance(value, bool) and value == value and value != "":
                return str(value)
        return ""


def read_node(raw: Any) -> tuple[Node, list[Any]]:
    """Return a node and what is below it; anything that is no node is text, a list is a container."""
    if isinstance(raw, dict | Mapping):  # dict first: asking for a Mapping is slow
        return _from_mapping(raw)
    if _is_list(raw):
        return Node("", {}, "", ()), list(raw)
    return Node("text", {}, _as_text(raw), ()), []


def _from_mapping(raw: Mapping[str, Any]) -> tuple[Node, list[Any]]:
    kind, attrs, text, below = raw.get("type"), raw.get("attrs"), raw.get("text"), _listed(raw.get("content"))
    attrs = attrs if isinstance(attrs, dict | Mapping) else {}
    if not isinstance(kind, str):
        kind = "" if below or text is None else "text"
    marks = tuple(_marks(raw["marks"])) if raw.get("marks") is not None else ()
    if kind == "text" and not below and (isinstance(text, str) or not isinstance(text, Mapping | list)):
        return Node("text", attrs, _as_text(text), marks), []
    if text is not None and text != "":  # of a node that should have none: kept, before what it holds
        below = [*_listed(text), *below]
    original = attrs.get("originalValue")
    if isinstance(original, Mapping):  # unsupportedBlock and unsupportedInline carry the node they stand for
        below = [original, *below]
    return Node("" if kind == "text" else kind, attrs, "", marks), below


def _marks(raw: Any) -> Iterator[Mark]:
    for mark in _listed(raw):
        is_object = isinstance(mark, dict | Mapping)
        kind, attrs = (mark.get("type"), mark.get("attrs")) if is_object else (mark, None)
        if isinstance(kind, str):
            yield kind, attrs if isinstance(attrs, dict | Mapping) else {}


def _is_list(raw: Any) -> bool:
    return isinstance(raw, list | tuple | np.ndarray)  # pandas reads lists of Parquet as arrays


def _listed(raw: Any) -> list[Any]:
    return [] if raw is None else list(raw) if _is_list(raw) else [raw]


def _as_text(raw: Any) -> str:
    text = raw if isinstance(raw, str) else "" if raw is None else str(raw)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def fold(raw: Any, visit: Callable[[Node, list[Result]], Result]) -> Result:
    """Return `visit(node, results of the nodes below)` of the root, the lowest nodes first.

    A loop, so that a document a thousand levels deep is folded like any other.
    """
    node, below = read_node(raw)
    frames: list[tuple[Node, Iterator[Any], list[Result]]] = [(node, iter(below), [])]
    while True:
        node, rest, results = frames[-1]
        for child in rest:
            inner, below = read_node(child)
            if below:
                frames.append((inner, iter(below), []))
                break
            results.append(visit(inner, []))
        else:
            result = visit(node, results)
            frames.pop()
            if not frames:
                return result
            frames[-1][2].append(result)


def atom_text(node: Node) -> str:
    """What a node without text of its own says: a mention its name, a date its day, a card its address."""
    match node.kind:
        case "emoji":
            return node.said("text", "shortName")
        case "mention":
            return node.said("text") or (f"@{node.said('id')}" if node.said("id") else "")
        case "date":
            return _day(node.said("timestamp"))
        case "media" | "mediaInline" | "image":
            return node.said("alt", "title") or target(node) or "[attachment]"
        case "inlineCard" | "blockCard" | "embedCard":
            return _card_name(node) or target(node) or "[data source]"
        case "extension" | "inlineExtension":
            return node.said("text") or (f"[{node.said('extensionKey')}]" if node.said("extensionKey") else "")
        case "syncBlock":
            return "[synced block]"
        case _:  # status, placeholder, confluence..., and what is not known yet
            return node.said("text", "issueKey", "cxhtml", "title", "alt", "shortName", "url")


def own_text(node: Node, *, holds: bool) -> str:
    """What a block says beside the nodes that it holds: the title of an expand, the text of an extension."""
    if node.kind in ("expand", "nestedExpand"):
        return node.said("title")
    if node.kind in ("bodiedExtension", "multiBodiedExtension"):
        return node.said("text")
    if node.kind in ("rule", "bodiedRule"):
        return "---"
    if node.kind in KNOWN_NODES and node.kind not in INLINE_ATOMS | BLOCK_ATOMS:
        return ""
    return node.said("text", "title") if holds else atom_text(node)


def link_of(node: Node) -> str:
    """The address of a node's link mark; "" without one."""
    for kind, attrs in node.marks:
        if kind == "link" and isinstance(attrs.get("href"), str):
            return str(attrs["href"])
    return ""


def is_done(node: Node) -> bool | None:
    """Whether a task is done; None for an item that is no task."""
    return node.said("state") == "DONE" if node.kind in ("taskItem", "blockTaskItem") else None


def first_number(node: Node) -> int:
    """The number that an ordered list starts with."""
    said = node.said("order")
    try:
        return max(0, min(int(float(said)), 999_999_999)) if said else 1
    except (ValueError, OverflowError):
        return 1


def target(node: Node) -> str:
    """The address that a card or a picture points at; of an uploaded file `attachment:` and its id."""
    data = node.attrs.get("data")
    inner = data.get("url") if isinstance(data, Mapping) else None
    found = node.said("url", "src") or (inner if isinstance(inner, str) else "")
    return found or (f"attachment:{node.said('id')}" if node.said("id") and "media" in node.kind else "")


def _card_name(node: Node) -> str:
    data = node.attrs.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    return name if isinstance(name, str) else ""


def _day(timestamp: str) -> str:
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=float(timestamp)):%Y-%m-%d}"
    except (ValueError, OverflowError):
        return timestamp
