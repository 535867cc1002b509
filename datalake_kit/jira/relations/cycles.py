"""Cycles among the links of issues: A blocks B, B blocks C, C blocks A. Pure: frames in, frames out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.jira.relations.items import Issues
from datalake_kit.jira.relations.links import links

Graph = dict[str, list[str]]
_NEEDED = ("link_type", "words", "from_key", "to_key")


def link_cycles(issues: Issues, link_type: str | Iterable[str] | None = None) -> pd.DataFrame:
    """Name the cycles in which links lead from an issue back to itself.

    Cycles that share an issue are one group, for there can be more of them than can be listed: a group is a largest set
    of issues each of which leads to each other one. Of a group one cycle is written out, the shortest through its first
    issue. The time taken grows with the number of links.

    Parameters
    ----------
    issues
        What `links` gave, or what `links` takes.
    link_type
        Type of link ("Blocks"), or several. None: the types named "Blocks" or with the outward words "blocks".

    Returns
    -------
    DataFrame
        One row a group, the largest first: `group` (1, 2 ...), `issues` and `links` (their numbers in it), `keys` (of
        its issues, joined by "; "), `cycle` (keys of one cycle, joined by " > ", the first again at the end).

    Raises
    ------
    DataError
        There are links, and none of a type that was named.
    ColumnNotFoundError
        A frame that neither holds links nor issues.

    Examples
    --------
    >>> edges = pd.DataFrame({"from_key": ["A-1", "A-2", "A-3"], "to_key": ["A-2", "A-1", "A-1"]})
    >>> link_cycles(edges.assign(link_type="Blocks", words="blocks"))["cycle"].to_list()
    ['A-1 > A-2 > A-1']
    """
    edges = _of_type(_edges(issues), link_type)
    graph: Graph = {}
    for start, end in zip(edges["from_key"], edges["to_key"], strict=True):
        graph.setdefault(start, []).append(end)
    groups = [sorted(group, key=_natural) for group in find_groups(graph)]
    groups.sort(key=lambda group: (-len(group), _natural(group[0])))
    rows = [(number, *_describe(group, graph)) for number, group in enumerate(groups, 1)]
    table = pd.DataFrame(rows, columns=["group", "issues", "links", "keys", "cycle"])
    return table.astype({"group": "int64", "issues": "int64", "links": "int64", "keys": "str", "cycle": "str"})


def _edges(issues: Issues) -> pd.DataFrame:
    edges = issues if isinstance(issues, pd.DataFrame) and "from_key" in issues.columns else links(issues)
    missing = [name for name in _NEEDED if name not in edges.columns]
    if missing:
        raise ColumnNotFoundError(f"The links have no column {missing[0]!r}. Give what dk.jira.links gave.")
    return edges.dropna(subset=["from_key", "to_key"])


def _of_type(edges: pd.DataFrame, link_type: str | Iterable[str] | None) -> pd.DataFrame:
    types = edges["link_type"].astype("str").str.casefold()
    if link_type is None:
        words = edges["words"].astype("str").str.casefold()
        return edges[types.eq("blocks") | words.eq("blocks")]
    asked = [link_type] if isinstance(link_type, str) else list(link_type)
    for name in asked:
        if len(edges) and not types.eq(name.casefold()).any():
            raise DataError(f"No link has the type {name!r}. {did_you_mean(name, edges['link_type'].dropna())}")
    return edges[types.isin([name.casefold() for name in asked])]


def _natural(key: str) -> tuple[Any, ...]:
    """Keys by project, then by number: A-2 before A-10."""
    project, _, number = key.rpartition("-")
    return (project, int(number), key) if number.isdecimal() else (key, 0, key)


def _describe(group: list[str], graph: Graph) -> tuple[int, int, str, str]:
    members = set(group)
    inside = sum(1 for key in group for end in graph.get(key, []) if end in members)
    return len(group), inside, "; ".join(group), " > ".join(_shortest_cycle(group[0], members, graph))


def find_groups(graph: Graph) -> list[list[str]]:
    """Largest sets of names each of which leads to each other one, and names that lead to themselves.

    Tarjan's algorithm, without recursion: chains can be longer than Python's stack.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    is_waiting: set[str] = set()
    groups: list[list[str]] = []
    for root in graph:
        if root in order:
            continue
        path = [(root, iter(graph[root]))]
        order[root] = lowest[root] = len(order)
        waiting.append(root)
        is_waiting.add(root)
        while path:
            name, ends = path[-1]
            for end in ends:
                if end not in order:
                    order[end] = lowest[end] = len(order)
                    waiting.append(end)
                    is_waiting.add(end)
                    path.append((end, iter(graph.get(end, []))))
                    break
                if end in is_waiting:
                    lowest[name] = min(lowest[name], order[end])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[name])
                if lowest[name] == order[name]:
                    at = _place(waiting, name)
                    group, waiting[at:] = waiting[at:], []
                    is_waiting.difference_update(group)
                    if len(group) > 1 or name in graph.get(name, []):
                        groups.append(group)
    return groups


def _place(waiting: list[str], name: str) -> int:
    """Where a name waits, looked for from the end."""
    at = len(waiting) - 1
    while waiting[at] != name:
        at -= 1
    return at


def _shortest_cycle(start: str, members: set[str], graph: Graph) -> list[str]:
    """A shortest way from a name through others of its group back to it."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for end in graph.get(name, []):
            if end == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [*reversed(way), start]
            if end in members and end not in came_from:
                came_from[end] = name
                queue.append(end)
    return []
