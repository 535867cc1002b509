"""Where the issues of a graph stand: a small layout of our own, the same for the same links. Pure numpy."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.float64]
Ends = npt.NDArray[np.int64]

_WIDE, _HIGH = 1.45, 0.62  # inches that a name takes, with some room


def components(count: int, ends: Ends) -> list[list[int]]:
    """Return the nodes that hang together, the largest group first.

    >>> components(4, np.array([[0, 2], [3, 3]]))
    [[0, 2], [1], [3]]
    """
    near = neighbours(count, ends)
    seen: set[int] = set()
    found = []
    for node in range(count):
        if node not in seen:
            group = nearest(near, node, count)
            seen.update(group)
            found.append(sorted(group))
    return sorted(found, key=len, reverse=True)


def neighbours(count: int, ends: Ends) -> list[list[int]]:
    """Return the nodes beside each node, in the order of the links."""
    near: list[list[int]] = [[] for _ in range(count)]
    for start, end in ends.tolist():
        near[start].append(end)
        near[end].append(start)
    return near


def nearest(near: list[list[int]], start: int, most: int) -> list[int]:
    """Return up to `most` nodes around one, the nearest first."""
    found, waiting = {start: None}, deque([start])
    while waiting and len(found) < most:
        for node in near[waiting.popleft()]:
            if node not in found and len(found) < most:
                found[node] = None
                waiting.append(node)
    return list(found)


def place(count: int, ends: Ends) -> Places:
    """Return where each node stands, in inches: groups beside each other, names clear of each other."""
    places = np.zeros((count, 2))
    blocks = [(group, _place_group(group, ends)) for group in components(count, ends)]
    width = max([1.5 * np.sqrt(sum(_area(inner) for _, inner in blocks)), *(_size(inner)[0] for _, inner in blocks)])
    left = top = deepest = 0.0
    for group, inner in blocks:
        wide, high = _size(inner)
        if left > 0 and left + wide > width:
            left, top, deepest = 0.0, top + deepest, 0.0
        places[group] = inner - inner.min(axis=0) + [left + _WIDE / 2, top + _HIGH / 2]
        left, deepest = left + wide, max(deepest, high)
    return places


def _size(places: Places) -> tuple[float, float]:
    wide, high = np.ptp(places, axis=0)
    return float(wide) + _WIDE, float(high) + _HIGH


def _area(places: Places) -> float:
    wide, high = _size(places)
    return wide * high


def _place_group(group: list[int], ends: Ends) -> Places:
    """Springs along the links, all nodes pushing each other away (Fruchterman and Reingold 1991), then names apart."""
    count = len(group)
    if count == 1:
        return np.zeros((1, 2))
    at = {node: n for n, node in enumerate(group)}
    own = np.array([[at[s], at[e]] for s, e in ends.tolist() if s in at and e in at and s != e], np.int64)
    if count == 2:
        return np.array([[0.0, 0.0], [2.4, 0.0]])
    turns = 2 * np.pi * np.arange(count) / count
    places = np.column_stack([np.cos(turns), np.sin(turns)]) * np.sqrt(count)
    length = 1.4  # inches that a link should have
    for heat in np.linspace(1.0, 0.02, 250):
        apart = places[:, None] - places[None]
        distance = np.maximum(np.hypot(apart[..., 0], apart[..., 1]), 0.05)
        push = np.where(distance < 2.2 * length, length**2 / distance**2, 0.0)  # what is far away does not count
        move = (apart * push[..., None]).sum(axis=1)
        along = places[own[:, 0]] - places[own[:, 1]]
        pull = along * (np.hypot(along[:, 0], along[:, 1]) / length)[:, None]
        np.add.at(move, own[:, 0], -pull)
        np.add.at(move, own[:, 1], pull)
        step = np.maximum(np.hypot(move[:, 0], move[:, 1]), 1e-9)
        places = places + move * (np.minimum(step, heat) / step)[:, None]
    return _cleared(_lying(places))


def _lying(places: Places) -> Places:
    """Turn the group so that its longer side lies: names are wider than high."""
    middle = places - places.mean(axis=0)
    _, axes = np.linalg.eigh(middle.T @ middle)
    turned = middle @ axes[:, ::-1]
    signs = np.sign(turned[np.abs(turned).argmax(axis=0), [0, 1]])  # eigenvectors have no sign of their own
    return np.asarray(turned * np.where(signs == 0, 1, signs) * [1.25, 1.0])


def _cleared(places: Places) -> Places:
    """Push names that overlap apart, along the side where that takes less."""
    places = places.copy()
    room = np.array([_WIDE, _HIGH])
    for _ in range(300):
        apart = places[:, None] - places[None]
        overlap = room - np.abs(apart)
        over = np.asarray((overlap > 1e-6).all(axis=2)) & ~np.eye(len(places), dtype=bool)
        if not over.any():
            break
        sideways = overlap[..., 0] / room[0] < overlap[..., 1] / room[1]
        rank = np.arange(len(places))
        way = np.where(apart == 0, np.sign(rank[:, None] - rank[None])[..., None], np.sign(apart))
        push = np.where(np.stack([sideways, ~sideways], axis=2) & over[..., None], overlap * way * 0.3, 0.0)
        places += push.sum(axis=1)
    return places
