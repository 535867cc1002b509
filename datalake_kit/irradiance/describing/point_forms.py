"""The forms in which points may be given: frames, CSV, GeoJSON, sequences, and index pairs of a grid."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import DataError
from datalake_kit.storage import local_path

__all__ = ["PointsLike", "frame_of", "index_points"]

PointsLike = pd.DataFrame | str | Path | Mapping[str, Any] | Sequence[tuple[Any, float, float]]

_GEOJSON = (".geojson", ".json")
_NUMBERS = ("latitude", "lat", "longitude", "lon", "lng", "long", "altitude")
_TRIPLE = "A point is (id, latitude, longitude); one of the list has another length."


def index_points(pairs: Sequence[tuple[int, int]] | Sequence[tuple[Any, int, int]]) -> pd.DataFrame:
    """Return points that are given as cells of a grid: rows and columns counted from 0, as they lie in the files.

    Parameters
    ----------
    pairs : sequence of (row, column) or of (id, row, column)
        Row along the latitudes, column along the longitudes. Without an id the number in the sequence is the id.

    Returns
    -------
    DataFrame
        point_id, row, column: what `extract` and `read_points` take. The places are those of the cells.

    Raises
    ------
    DataError
        Another number of members, or a row or column that is no whole number from 0 on.

    Examples
    --------
    >>> index_points([(699, 1754), ("alba", 706, 1761)]).to_dict("list")
    {'point_id': ['0', 'alba'], 'row': [699, 706], 'column': [1754, 1761]}
    """
    rows: list[tuple[Any, ...]] = []
    for number, pair in enumerate(pairs):
        members = tuple(pair)
        if len(members) not in (2, 3):
            raise DataError(f"An index pair is (row, column) or (id, row, column), not {members!r}.")
        rows.append((str(number), *members) if len(members) == 2 else (str(members[0]), *members[1:]))
    frame = pd.DataFrame(rows, columns=["point_id", "row", "column"])
    for name in ("row", "column"):
        frame[name] = whole_numbers(frame[name], name)
    return frame


def whole_numbers(values: pd.Series, name: str) -> pd.Series:
    """Return rows or columns of a grid as integers.

    Raises
    ------
    DataError
        One of them is no whole number from 0 on.
    """
    numbers = pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() | (numbers < 0) | (numbers != numbers.round())
    if bad.any():
        raise DataError(f"A {name} is a whole number from 0 on, not {values[bad].iloc[0]!r}.")
    return numbers.astype("int64")


def frame_of(points: PointsLike) -> pd.DataFrame:
    """Return points in any form as a frame with the columns that they came with; sequences get their names.

    Raises
    ------
    DataError
        A file that is not there or is no table of points, or members that are no points.
    """
    if isinstance(points, pd.DataFrame):
        named = str(points.index.name or "").casefold() in ("point_id", "id", "point", "station")
        return points.reset_index() if named else points
    if isinstance(points, Mapping):
        return _features(points, "the points")
    if isinstance(points, str | Path):
        return _file(local_path(points))
    rows = list(points)
    kinds = {type(point) for point in rows}
    if any(issubclass(kind, str) or not issubclass(kind, Sequence) for kind in kinds) or set(map(len, rows)) - {3}:
        raise DataError(_TRIPLE)
    return pd.DataFrame(rows, columns=["point_id", "latitude", "longitude"])


def _file(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(
            f"No file of points: {path}. Give a CSV file with the columns id, latitude, longitude, or GeoJSON."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text: save it as CSV in UTF-8.") from None
    if path.suffix.casefold() in _GEOJSON or text.lstrip().startswith("{"):
        return _parse_geojson(text, path)
    return _parse_csv(text, path)


def _parse_csv(text: str, path: Path) -> pd.DataFrame:
    """Read text cells, so that an id "007" or "NA" stays what it is; semicolons and decimal commas as in Excel."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path} is empty: give a line of names, id, latitude, longitude, and a line for each point.")
    separator = max(";\t,", key=lines[0].count)
    names = [name.strip() for name in next(csv.reader(lines[:1], delimiter=separator, skipinitialspace=True))]
    cells = _cells(lines[1:], separator, len(names), path)
    decimals = [n for n, name in enumerate(names) if separator != "," and name.casefold() in _NUMBERS]
    for number in decimals:
        cells[number] = cells[number].str.replace(",", ".")
    return cells.set_axis(names, axis="columns")


def _cells(body: list[str], separator: str, width: int, path: Path) -> pd.DataFrame:
    """Return the cells below the line of names as text; every line must have as many as there are names."""
    if not any('"' in line for line in body) and body:
        with contextlib.suppress(pa.ArrowInvalid):  # some line has another number of cells: it is looked for below
            return _plain_cells(body, separator, width)
    rows = list(csv.reader(body, delimiter=separator, skipinitialspace=True))
    for number, row in enumerate(rows):
        if len(row) != width:
            raise DataError(
                f"{path}: line {number + 2} has {len(row)} cells, the names are {width}: {body[number]!r}. "
                "Where commas are decimal signs, separate the cells by semicolons."
            )
    return pd.DataFrame([[cell.strip() for cell in row] for row in rows], columns=range(width), dtype="str")


def _plain_cells(body: list[str], separator: str, width: int) -> pd.DataFrame:
    """Return cells without quotes, of a million lines in half a second."""
    import pyarrow.csv

    names = [str(n) for n in range(width)]
    table = pyarrow.csv.read_csv(
        pa.py_buffer("\n".join(body).encode()),
        read_options=pyarrow.csv.ReadOptions(column_names=names),
        parse_options=pyarrow.csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return pd.DataFrame({n: pc.utf8_trim_whitespace(table[str(n)]).to_pandas() for n in range(width)}, dtype="str")


def _parse_geojson(text: str, path: Path) -> pd.DataFrame:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is no GeoJSON: {error}.") from None
    return _features(document, str(path))


def _features(document: Any, called: str) -> pd.DataFrame:
    """Return the points of a FeatureCollection or of one Feature, with their properties."""
    kind = document.get("type") if isinstance(document, Mapping) else None
    if kind not in ("FeatureCollection", "Feature"):
        raise DataError(
            f"{called}: GeoJSON of points is a FeatureCollection or a Feature, not {kind or type(document).__name__}."
        )
    features = document.get("features", ()) if kind == "FeatureCollection" else [document]
    return pd.DataFrame([_feature(f, n, called) for n, f in enumerate(features)])


def _feature(feature: Any, number: int, called: str) -> dict[str, Any]:
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    where = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    if not isinstance(geometry, Mapping) or geometry.get("type") != "Point" or not isinstance(where, list):
        raise DataError(f"{called}: feature {number} is no Point; give points, for an area the one that stands for it.")
    if len(where) < 2:
        raise DataError(f"{called}: feature {number} has the coordinates {where!r}: longitude and latitude are needed.")
    known = {str(k): v for k, v in (feature.get("properties") or {}).items()}
    result = {k: v for k, v in known.items() if k.casefold() in ("name", "altitude")}
    result["point_id"] = _identifier(feature, known, number)
    result["longitude"], result["latitude"] = where[0], where[1]
    if len(where) > 2 and "altitude" not in result:
        result["altitude"] = where[2]
    return result


def _identifier(feature: Mapping[str, Any], known: Mapping[str, Any], number: int) -> Any:
    """Return the id of a feature: its own, else that of its properties, else its name, else its number."""
    if feature.get("id") is not None:
        return feature["id"]
    lowered = {k.casefold(): v for k, v in known.items() if v is not None}
    return next((lowered[k] for k in ("point_id", "id", "point", "station", "name") if k in lowered), str(number))
