"""What readers of stations' files share: the text of a file, errors that name it, and the frame of a series."""

from __future__ import annotations

import contextlib
import gzip
import re
import traceback
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from datalake_kit import storage
from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["Station", "make_frame", "name_file", "open_text", "reading", "refuse", "within"]

_HTML = re.compile(r"\s*<(!doctype|html|\?xml|head|body)", re.IGNORECASE)
_PARSING = (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, pd.errors.ParserError)
UNITS = {
    "temp_air": "degC",
    "relative_humidity": "%",
    "wind_speed": "m/s",
    "wind_direction": "degree",
    "solar_zenith": "degree",
    "solar_elevation": "degree",
}


@dataclass(frozen=True)
class Station:
    """What a file says of its series; `units` names those beside the usual ones."""

    point: dict[str, Any]
    title: str
    source: str
    origin: str
    instantaneous: bool
    units: dict[str, str] = field(default_factory=dict)


def name_file(path: str | storage.Place) -> str:
    """Return the name of a file without its folder."""
    return PurePosixPath(str(path).replace("\\", "/")).name


def open_text(path: str | storage.Place, kind: str, *, encoding: str = "latin-1") -> str:
    """Return the text of a local file or one on S3; what is gzipped is unpacked.

    Raises
    ------
    UnreadableFileError
        Missing, a folder, empty, cut short, a web page, or not text.
    """
    try:
        content = storage.place(path).read_bytes()
    except FileNotFoundError:
        raise UnreadableFileError(f"There is no file {path}. Give the path of a {kind} file.") from None
    except OSError as problem:
        raise UnreadableFileError(f"{path} cannot be read: {problem}. Give the path of a {kind} file.") from None
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise refuse(path, kind, f"the gzip stream is damaged ({problem})") from None
    if not content.strip():
        raise refuse(path, kind, "the file is empty")
    if b"\0" in content:
        raise refuse(path, kind, "it is not text")
    text = content.decode(encoding, errors="replace").replace("\r\n", "\n")
    if _HTML.match(text):
        raise refuse(path, kind, "it is a web page: the download gave an error page in place of the file")
    if not text.endswith("\n") and not text.lstrip().startswith("{"):
        raise refuse(path, kind, "the file ends within a line: it was cut short")
    return text


def refuse(path: str | storage.Place, kind: str, reason: str) -> UnreadableFileError:
    """Return the error for a file that is not what it should be."""
    return UnreadableFileError(f"{path} is no whole {kind} file: {reason}. Download it again, or check what it is.")


@contextlib.contextmanager
def reading(path: str | storage.Place, kind: str) -> Iterator[None]:
    """Run a reader of pvlib: its failures name the file, and its use of an outgoing pandas keyword stays silent."""
    with warnings.catch_warnings():
        # pvlib 0.16 passes inplace=True, which pandas 3 announces to drop; the values are not touched by it.
        warnings.filterwarnings("ignore", message="The inplace keyword", category=Warning)
        warnings.filterwarnings("ignore", message="unclosed file", category=ResourceWarning)
        try:
            yield
        except UnreadableFileError:
            raise
        except _PARSING as problem:
            traceback.clear_frames(problem.__traceback__)  # pvlib leaves its file open when it fails: closed here
            raise refuse(path, kind, f"{type(problem).__name__}: {problem}") from None


def within(degrees: float, most: float) -> float:
    """Return a latitude or longitude; ValueError beyond `most`, or when it is NaN."""
    if not abs(degrees) <= most:
        raise ValueError(f"{degrees} degrees is no latitude or longitude")
    return float(degrees)


def make_frame(values: pd.DataFrame, station: Station, path: str | storage.Place) -> pd.DataFrame:
    """Return values by time as the frame of a series: a regular step, gaps as NaN, and what the file says.

    Raises
    ------
    DataError
        Two values for one time, or labels off the step.
    """
    index = pd.DatetimeIndex(values.index).as_unit("us").rename("time")
    if index.hasnans or index.has_duplicates:
        raise DataError(f"{path} has a time twice, or a line without one: {_offending(index)}. Mend the file first.")
    step = step_of(index)
    regular = pd.date_range(index.min(), index.max(), freq=step, name="time").as_unit("us")
    outside = index.difference(regular)
    if len(outside):
        raise DataError(f"{path} has times off its step of {step}, such as {outside[0]}. Split it into regular parts.")
    frame = values.set_axis(index).sort_index().reindex(regular)
    place = dict(station.point)
    frame.attrs = {
        "table": "",
        "origin": station.origin,
        "product": station.title,
        "title": station.title,
        "source": station.source,
        "synthetic": False,
        "units": {str(c): u for c in frame.columns if (u := _unit(str(c), station.units))},
        "flags": {},
        "step_seconds": int(step.total_seconds()),
        "instantaneous": station.instantaneous,
        "scan_uncertainty_seconds": 0.0,
        "tz": "UTC",
        "point": place,
        "points": {place["point_id"]: place},
    }
    return frame


def _offending(index: pd.DatetimeIndex) -> str:
    return "no time" if index.hasnans else str(index[index.duplicated()][0])


def _unit(column: str, units: dict[str, str]) -> str:
    if column.endswith("_flag"):
        return ""
    return units.get(column) or UNITS.get(column) or "W/m2"
