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

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mentions:
    """Statuses as rows name them: ids, names (large_string, null where none), and when that was (microseconds)."""

    ids: pa.Array
    names: pa.Array
    instants: Codes


@dataclass
class Statuses:
    """The distinct statuses; a code is a place in these lists."""

    ids: list[str | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    known_as: list[set[str]] = field(default_factory=list)  # all names and the id, in folded letters

    def __len__(self) -> int:
        return len(self.names)


def code_statuses(parts: Sequence[Mentions]) -> tuple[Statuses, list[Codes]]:
    """Give each mention the code of its status, -1 where it names none.

    A status is its id; names in other languages, or from before it was renamed, do not make another one, and the name
    that it had last stands for it. A mention without an id is the status that has its name, when that is but one.
    """
    ids, id_codes = _factorize([part.ids for part in parts])
    names, name_codes = _factorize([part.names for part in parts])
    pairs, distinct = pd.factorize(id_codes * (len(names) + 1) + name_codes)
    latest = np.full(len(distinct), np.iinfo(np.int64).min)
    np.maximum.at(latest, pairs, np.concatenate([part.instants for part in parts]))
    named = [_pair(int(pair), ids, names) for pair in distinct]
    statuses, code_of = _merge(named, latest)
    codes = np.array(code_of, dtype=np.int64)[pairs] if len(distinct) else np.zeros(0, dtype=np.int64)
    ends = np.cumsum([len(part.instants) for part in parts])
    return statuses, np.split(codes, ends[:-1])


def _factorize(arrays: list[pa.Array]) -> tuple[list[str], Codes]:
    """Distinct texts, and for each row 1 + the place of its text, 0 where it has none."""
    whole = pa.chunked_array(arrays, pa.large_string()).combine_chunks()
    whole = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
    coded = whole.dictionary_encode()
    places = pc.fill_null(pc.add(coded.indices.cast(pa.int64()), 1), 0).to_numpy(zero_copy_only=False)
    return coded.dictionary.to_pylist(), places


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
