"""What is given as one frame or as several by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from datalake_kit.errors import ParameterError


def read_frames(frames: Any, verb: str, alone: str) -> dict[str, pd.DataFrame]:
    """Take a frame, as the one called `alone`, or a mapping of names to frames.

    Raises
    ------
    ParameterError
        It is neither.

    Examples
    --------
    >>> list(read_frames(pd.DataFrame(), "export", "data"))
    ['data']
    """
    if isinstance(frames, pd.DataFrame):
        return {alone: frames}
    odd = [f for f in frames.values() if not isinstance(f, pd.DataFrame)] if isinstance(frames, Mapping) else [frames]
    if odd:
        raise ParameterError(
            f"{verb} takes a frame, or a dict of names and frames, not {type(odd[0]).__name__}. "
            "Issues of dk.jira.load give one with .frame()."
        )
    return dict(frames)
