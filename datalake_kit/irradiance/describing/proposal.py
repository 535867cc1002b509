"""A description for files of a kind that is not known yet, out of what one of them says."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.file_facts import FileFacts, find_axes, grid_variables
from datalake_kit.irradiance.describing.product import Product, Variable, product_of_name
from datalake_kit.irradiance.describing.stamps import Stamp, find_stamps, parse_stamp

__all__ = ["propose"]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Slot:
    """Where the slot stands: the fields of a product that say so."""

    pattern: str
    slot_in: Literal["name", "attribute", "time"]
    time_attribute: str = ""
    time_variable: str = ""


def propose(facts: FileFacts, *, step: timedelta | None = None) -> Product:
    """Return a description that fits a file, or the known product that it is of.

    Raises
    ------
    DataError
        The file is on no grid of degrees, holds several times, states no time, or nothing tells the step.
    """
    latitude, longitude = find_axes(facts)
    variables = grid_variables(facts, latitude, longitude)
    known = product_of_name(facts.name)
    if known is not None and _fits(known, facts, variables):
        return known
    found = _find_slot(facts, step)
    length = step or _step(facts, found)
    means = _are_means(facts, variables)
    return Product(
        name=_short(facts.name, found.pattern),
        title=str(facts.attributes.get("title", "")).strip() or _short(facts.name, found.pattern),
        pattern=found.pattern,
        variables=variables,
        step=length,
        latitude=latitude.name,
        longitude=longitude.name,
        time_attribute=found.time_attribute,
        day_folders=False,
        instantaneous=not means,
        slot_in=found.slot_in,
        time_variable=found.time_variable,
        slot_shift=_shift(facts, found, length) if means else timedelta(0),
    )


def _fits(known: Product, facts: FileFacts, variables: tuple[Variable, ...]) -> bool:
    here = {v.name for v in variables}
    return {v.name for v in known.variables} <= here and {known.latitude, known.longitude} <= set(facts.variables)


def _find_slot(facts: FileFacts, step: timedelta | None) -> _Slot:
    """Find the stamp of the name that agrees with a time inside; without one the slot is the time inside."""
    stamps = list(find_stamps(facts.name))
    length = step or facts.resolution or (facts.bounds[1] - facts.bounds[0] if facts.bounds else timedelta(minutes=2))
    inside = [((name, "") if kind == "attribute" else ("", name), t) for (kind, name), t in facts.times.items()]
    # where the name agrees with the bounds alone, the time inside is another moment of the step: it is not compared
    for compared, time in inside + [(("", ""), t) for t in facts.bounds or ()]:
        agreeing = [s for s in stamps if _agrees(time, s, length)]
        if agreeing:
            stamp = min(agreeing, key=lambda s: (-len(s.text), abs(s.time - time)))
            return _Slot(_pattern(facts.name, stamp), "name", *compared)
    if inside:
        attribute, variable = inside[0][0]
        return _Slot(_pattern(facts.name, None), "attribute" if attribute else "time", attribute, variable)
    exact = [s for s in stamps if not any(_within(s, other) for other in stamps)]
    if len(exact) != 1:
        said = f"{len(exact)} times stand in its name" if exact else "none stands in its name"
        raise DataError(f"{facts.name} states no time inside, and {said}: describe it by hand, as a Product.")
    return _Slot(_pattern(facts.name, exact[0]), "name")


def _within(stamp: Stamp, other: Stamp) -> bool:
    """Tell whether a stamp is a part of a longer one."""
    end, other_end = stamp.start + len(stamp.text), other.start + len(other.text)
    return len(other.text) > len(stamp.text) and other.start <= stamp.start and end <= other_end


def _agrees(inside: datetime, stamp: Stamp, length: timedelta) -> bool:
    """Tell whether a stamp is the slot of a time; one to the day says it of days alone."""
    if sum(c.isdigit() for c in stamp.text) == 8 and length == _DAY:
        return inside.date() == stamp.time.date()
    return abs(inside - stamp.time) < length / 2


def _pattern(name: str, slot: Stamp | None) -> str:
    """Return the pattern of names like this one: the slot as a group, other times as any digits."""
    if slot is None:
        return "".join("[0-9]+" if p.isdigit() else re.escape(p) for p in re.split(r"([0-9]+)", name))
    end = slot.start + len(slot.text)
    return f"{_any_times(name[: slot.start])}(?P<slot>{slot.pattern}){_any_times(name[end:])}"


def _any_times(text: str) -> str:
    """Return a pattern of the text in which stamps to the minute or second may be any."""
    for stamp in find_stamps(text):
        if sum(c.isdigit() for c in stamp.text) >= 12:
            end = stamp.start + len(stamp.text)
            return f"{_any_times(text[: stamp.start])}{stamp.pattern}{_any_times(text[end:])}"
    return re.escape(text)


def _short(name: str, pattern: str) -> str:
    """Return a name for the product: what stands before the slot in that of the file."""
    found = re.fullmatch(pattern, name)
    start = found.start("slot") if found and "slot" in found.groupdict() else len(name)
    before = re.sub(r"\W+|_+", "_", name[:start].rsplit(".", 1)[0] if start == len(name) else name[:start])
    return before.strip("_") or "PRODUCT"


def _step(facts: FileFacts, found: _Slot) -> timedelta:
    """Return the step: as the file says, else the most frequent time between the slots of the names beside it.

    One gap between two files tells nothing: the same must be there twice.

    Raises
    ------
    DataError
        Neither tells.
    """
    slots = sorted({t for name in facts.siblings if (t := _slot_of(found, name)) is not None})
    between = Counter(b - a for a, b in pairwise(slots))
    candidates = [facts.resolution, facts.bounds and facts.bounds[1] - facts.bounds[0]]
    candidates += [gap for gap, count in between.most_common(1) if count > 1]
    for candidate in candidates:
        if candidate and timedelta(0) < candidate <= _DAY and not _DAY % candidate:
            return candidate
    raise DataError(
        f"{facts.name}: nothing tells how long the step is. Give step=timedelta(minutes=15), or what it is."
    )


def _slot_of(found: _Slot, name: str) -> datetime | None:
    match = re.fullmatch(found.pattern, name) if found.slot_in == "name" else None
    return parse_stamp(match["slot"]) if match else None


def _are_means(facts: FileFacts, variables: tuple[Variable, ...]) -> bool:
    """Tell by cell_methods whether values are means over the step; without any they are of an instant, as CF says."""
    methods = [facts.variables[v.name].text("cell_methods").casefold() for v in variables]
    stated = [m for m in methods if "time:" in m]
    return bool(stated) and re.search(r"time:\s*(mean|sum)", stated[0]) is not None


def _shift(facts: FileFacts, found: _Slot, step: timedelta) -> timedelta:
    """Return what leads from the stated time to the start of the step, by the bounds of the time."""
    match = re.fullmatch(found.pattern, facts.name) if found.slot_in == "name" else None
    kind = ("attribute", found.time_attribute) if found.time_attribute else ("time", found.time_variable)
    stated = parse_stamp(match["slot"]) if match else facts.times.get(kind)
    if facts.bounds is None or stated is None:
        return timedelta(0)
    shift = facts.bounds[0] - stated
    return shift if abs(shift) <= step else timedelta(0)
