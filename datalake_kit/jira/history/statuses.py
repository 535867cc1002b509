"""Which statuses are one: by id, under the latest of their names. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MANY = 1_000_000  # pairs of id and name: a table of all that there could be is quicker below
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mentions:
    """Statuses as rows name them: ids, names (null where none), and when that was (microseconds)."""

    ids: pa.ChunkedArray
    names: pa.ChunkedArray
    instants: Codes


@dataclass
class Statuses:
    """The distinct statuses; a code is a place in these lists."""

    ids: list[str | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    known_as: list[set[str]] = field(default_factory=list)  # all names and the id, in folded letters

    def __len__(self) -> int:
        return len(self.names)

    def differ(self, one: Codes, other: Codes) -> npt.NDArray[np.bool_]:
        """Where two are known, and are not one; of one without id the name tells."""
        places = {name: n for n, name in enumerate(dict.fromkeys(self.names))}
        names = np.array([places[name] for name in self.names] + [-1], dtype=np.int64)
        nameless = np.array([number is None for number in self.ids] + [False])
        same = (one == other) | ((nameless[one] | nameless[other]) & (names[one] == names[other]))
        different: npt.NDArray[np.bool_] = (one >= 0) & (other >= 0) & ~same
        return different


def code_statuses(parts: Sequence[Mentions]) -> tuple[Statuses, list[Codes]]:
    """Give each mention the code of its status, -1 where it names none.

    A status is its id; names in other languages, or from before it was renamed, do not make another one, and the name
    that it had last stands for it. A mention without an id is the status that has its name, when that is but one.
    """
    ids, id_codes = _factorize([part.ids for part in parts])
    names, name_codes = _factorize([part.names for part in parts])
    pairs, distinct = _distinct(id_codes * (len(names) + 1) + name_codes, (len(ids) + 1) * (len(names) + 1))
    latest = np.full(len(distinct), np.iinfo(np.int64).min)
    np.maximum.at(latest, pairs, np.concatenate([part.instants for part in parts]))
    named = [_pair(int(pair), ids, names) for pair in distinct]
    statuses, code_of = _merge(named, latest)
    codes = np.array(code_of, dtype=np.int64)[pairs] if len(distinct) else np.zeros(0, dtype=np.int64)
    ends = np.cumsum([len(part.instants) for part in parts])
    return statuses, np.split(codes, ends[:-1])


def _distinct(values: Codes, size: int) -> tuple[Codes, Codes]:
    """Distinct values below `size`, and for each value its place among them."""
    if size > MANY:
        found = pd.factorize(values)
        return found[0].astype(np.int64), np.asarray(found[1])
    there = np.zeros(size, dtype=bool)
    there[values] = True
    return (np.cumsum(there) - 1)[values], np.flatnonzero(there)


def _factorize(arrays: list[pa.ChunkedArray]) -> tuple[list[str], Codes]:
    """Distinct texts, and for each row 1 + the place of its text, 0 where it has none."""
    chunks = [chunk for array in arrays for chunk in array.cast(pa.large_string()).chunks]
    coded = pa.chunked_array(chunks, pa.large_string()).dictionary_encode().unify_dictionaries()
    if not coded.num_chunks:
        return [], np.zeros(0, dtype=np.int64)
    places = np.concatenate([pc.fill_null(part.indices, -1).to_numpy() for part in coded.chunks])
    return coded.chunk(0).dictionary.to_pylist(), places.astype(np.int64) + 1


Pair = tuple[str | None, str | None]


def _pair(pair: int, ids: list[str], names: list[str]) -> Pair:
    number, name = divmod(pair, len(names) + 1)
    return ids[number - 1] if number else None, names[name - 1] if name else None


def _merge(named: list[Pair], latest: npt.NDArray[Any]) -> tuple[Statuses, list[int]]:
    """One status for each id, and for each name without id that no single status has."""
    owners: dict[str, set[str]] = {}
    for number, name in named:
        if number is not None and name is not None:
            owners.setdefault(name, set()).add(number)
    statuses, place, code_of = Statuses(), dict[Pair, int](), [-1] * len(named)
    for at in np.argsort(latest, kind="stable"):  # so that the latest name comes last
        number, name = named[at]
        if number is None and len(owners.get(name or "", ())) == 1:
            (number,) = owners[name or ""]
        if number is None and name is None:
            continue
        code = place.setdefault((number, None) if number is not None else (None, name), len(place))
        if code == len(statuses):
            statuses.ids.append(number)
            statuses.names.append(name)
            statuses.known_as.append(set())
        statuses.names[code] = name or statuses.names[code] or number
        statuses.known_as[code] |= {text.casefold() for text in (number, name) if text is not None}
        code_of[at] = code
    return statuses, code_of
