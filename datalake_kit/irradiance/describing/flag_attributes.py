"""What the attributes of a variable say of its flags, as the CF conventions define them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["parse_flags"]


def parse_flags(attributes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the named flags of a variable: `meanings`, and `masks`, `values` or both; empty when it names none.

    With masks alone a flag is set where value & mask is not 0; with values alone where the number is the value, as in
    a list of kinds; with both where value & mask is the value. Nothing is invented: without names, or when their number
    is not that of the masks and values, there are no named flags and the number in the file stays what it is.

    Source
    ------
    CF conventions 1.11, section 3.5 (flag_values, flag_masks, flag_meanings).

    Examples
    --------
    >>> parse_flags({"flag_masks": np.array([1, 2], "u1"), "flag_meanings": "sea cloudy"})
    {'masks': [1, 2], 'meanings': ['sea', 'cloudy']}
    >>> parse_flags({"flag_values": [0, 1, 2], "flag_meanings": "clear cloudy"})
    {}
    """
    meanings = str(attributes.get("flag_meanings", "")).split()
    masks, values = (_integers(attributes.get(name)) for name in ("flag_masks", "flag_values"))
    given = [numbers for numbers in (masks, values) if numbers is not None]
    if not meanings or not given or any(len(numbers) != len(meanings) for numbers in given):
        return {}
    found: dict[str, list[Any]] = {}
    if masks is not None:
        found["masks"] = masks
    if values is not None:
        found["values"] = values
    return found | {"meanings": meanings}


def _integers(stated: Any) -> list[int] | None:
    """Return the numbers of an attribute, which may be text; none where there is none, an empty list for others."""
    if stated is None:
        return None
    items = str(stated).replace(",", " ").split() if isinstance(stated, str | bytes) else np.atleast_1d(stated).tolist()
    try:
        numbers = [int(str(i).rstrip("bBsSlLuU"), 0) if isinstance(i, str) else int(i) for i in items]
    except (ValueError, TypeError):
        return []
    return numbers if all(isinstance(i, str) or i == n for i, n in zip(items, numbers, strict=True)) else []
