"""Redaction of frames of issues: people and free text become pseudonyms before anything is written. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, overload

import numpy as np
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.jira.fields.named_frames import read_frames
from datalake_kit.jira.fields.names import ATTRIBUTE, snake_case
from datalake_kit.jira.fields.rules import JOINT
from datalake_kit.jira.redaction.columns import HISTORY, Treatment, treat
from datalake_kit.jira.redaction.inside_json import USER_FIELDS, JsonRedaction, learn_people
from datalake_kit.jira.redaction.pseudonyms import Pseudonyms, read_key


@overload
def redact(frames: pd.DataFrame, keep: Iterable[str] | str = ..., *, key: str | bytes | None = ...) -> pd.DataFrame: ...
@overload
def redact(
    frames: Mapping[str, pd.DataFrame], keep: Iterable[str] | str = ..., *, key: str | bytes | None = ...
) -> dict[str, pd.DataFrame]: ...
def redact(
    frames: pd.DataFrame | Mapping[str, pd.DataFrame],
    keep: Iterable[str] | str = (),
    *,
    key: str | bytes | None = None,
) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """Replace people and free text by pseudonyms; what is not known to be harmless is redacted.

    A person gets `person-` and 12 hexadecimal digits, a text `text-` and 12: HMAC-SHA-256 under the key, so equal texts
    stay equal, in every column, frame and run with this key, and nobody can go back without it. A person is their
    account; a name or an address counts as its account where the frames show, anywhere, whose it is, and for itself
    where they do not, or where two people have it. Give all frames at once so that each learns from the others.

    What stays: ids, keys, numbers, dates, yes or no, the words of the workflow (project key, issue type, status,
    priority, resolution, types of links, names of fields) and those that measures write (outcome, fate). All other text
    is redacted, also that of columns that this package does not know; labels, components, versions, sprints and options
    too, each value of a list for itself. JSON is redacted inside: addresses and pictures of people are left out, and
    what stands under keys that are not known becomes one text. `redaction_plan` shows what becomes of each column. How
    often a pseudonym occurs, and when, can still tell who it is to one who knows the team; names of columns and fields
    are not changed.

    Parameters
    ----------
    frames
        A frame of this package (issues, a table of them, a measure), or several by name.
    keep
        Columns to leave as they are, in whichever frames have them.
    key
        At least 16 bytes. None: from the environment variable DATALAKE_KIT_REDACT_KEY.

    Returns
    -------
    DataFrame or dict
        Frames of the same rows, columns and order; redacted columns have the type str.

    Raises
    ------
    ConfigError
        No key, or a short one.
    ParameterError
        `frames` is no frame and no dict of frames, or `keep` holds something else than names.
    ColumnNotFoundError
        No frame has a column of `keep`.
    DataError
        Raw issues, whose fields are not unpacked; names of columns in several levels; a column named like a person.

    Examples
    --------
    >>> issues = pd.DataFrame({"key": ["A-1", "A-2"], "status": "Done", "assignee": ["Ann Lee", "ann lee"]})
    >>> redact(issues, key="a key for this example").values.tolist()
    [['A-1', 'Done', 'person-2ab62a284621'], ['A-2', 'Done', 'person-2ab62a284621']]
    """
    named = read_frames(frames, "redact", "")
    people = Pseudonyms(read_key(key))
    kept = _kept(named.values(), keep)
    for frame in named.values():
        _check(frame)
        _learn(frame, people)
    made = {name: _Redaction(frame, kept, people).run() for name, frame in named.items()}
    return made[""] if isinstance(frames, pd.DataFrame) else made


def redaction_plan(df: pd.DataFrame, keep: Iterable[str] | str = ()) -> pd.DataFrame:
    """Show what `redact` does with each column of a frame.

    Parameters
    ----------
    df, keep
        As for `redact`.

    Returns
    -------
    DataFrame
        One row a column: `column`, `treatment` ("kept", "people", "text", "list" (each of its texts), "json",
        "history" (by the field that changed)), `why`, `values` (how many the column holds).

    Raises
    ------
    ColumnNotFoundError, DataError
        As for `redact`.

    Examples
    --------
    >>> issues = pd.DataFrame({"key": ["A-1"], "assignee": ["Ann"], "team": ["Blue"]})
    >>> redaction_plan(issues)[["column", "treatment"]].values.tolist()
    [['key', 'kept'], ['assignee', 'people'], ['team', 'text']]
    """
    kept = _kept([df], keep)
    _check(df)
    rows = []
    for name in df.columns:
        treatment, why = treat(df, name, kept)
        rows.append((str(name), "kept" if treatment == "words" else treatment, why, int(df[name].notna().sum())))
    table = pd.DataFrame(rows, columns=["column", "treatment", "why", "values"])
    return table.astype({"column": "str", "treatment": "str", "why": "str", "values": "int64"})


def _kept(frames: Iterable[pd.DataFrame], keep: Iterable[str] | str) -> frozenset[str]:
    named = [keep] if isinstance(keep, str) else list(keep) if isinstance(keep, Iterable) else [keep]
    if not all(isinstance(name, str) for name in named):
        raise ParameterError(f"keep= takes names of columns, not {keep!r}.")
    kept = frozenset(named)
    known = {str(name) for frame in frames for name in [*frame.columns, *frame.index.names]}
    for name in sorted(kept - known):
        raise ColumnNotFoundError(f"keep= names no column: {name!r}. {did_you_mean(name, known)}")
    return kept


def _check(df: pd.DataFrame) -> None:
    if isinstance(df.columns, pd.MultiIndex):
        raise DataError("The columns have several levels, which may hold people. Give the frame before it was pivoted.")
    if df.columns.duplicated().any():
        raise DataError(f"The frame has a column twice: {df.columns[df.columns.duplicated()][0]}.")
    if "fields" in df.columns and ATTRIBUTE not in df.attrs:
        raise DataError("The fields are not unpacked yet. Give a frame of dk.jira.load(...).frame().")


# --- who is there ---------------------------------------------------------------------------------------------------


def _user_fields(df: pd.DataFrame) -> frozenset[str]:
    """Fields that hold people, by id, name and column."""
    records = [r for r in df.attrs.get(ATTRIBUTE, []) if r["rule"] in ("user", "users")]
    return USER_FIELDS | {name for r in records for name in (r["field"].casefold(), snake_case(r["name"]))}


def _learn(df: pd.DataFrame, people: Pseudonyms) -> None:
    user_fields = _user_fields(df)
    for name in df.columns:
        treatment = treat(df, name, frozenset())[0]
        account = f"{name}_account_id"
        if treatment == "people" and account in df.columns:
            pairs = df[[account, name]].drop_duplicates()
            for pair in pairs.itertuples(index=False):
                people.learn(*pair)
        elif treatment == "people" and not str(name).endswith("_account_id"):
            for value in df[name].dropna().unique():
                people.learn(*([value] if isinstance(value, str) and JOINT not in value else []))
        elif treatment == "json":
            for value in _distinct(df[name]):
                learn_people(_parsed(value), people, user_fields, _place(df, name))
    if HISTORY.issubset(df.columns):
        _learn_changes(df, people, user_fields)


def _learn_changes(df: pd.DataFrame, people: Pseudonyms, user_fields: frozenset[str]) -> None:
    changes = df[df["field"].map(lambda v: snake_case(str(v)) in user_fields)]
    for side in ("from", "to"):
        for pair in changes[[f"{side}_value", f"{side}_text"]].drop_duplicates().itertuples(index=False):
            people.learn(*pair)


def _distinct(column: pd.Series[Any]) -> Iterable[Any]:
    values = column.dropna()
    return values.unique() if all(isinstance(value, str) for value in values) else values


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _place(df: pd.DataFrame, name: Any) -> str:
    """Under which key a whole object of a column would stand: it tells people and the workflow's words."""
    record = next((r for r in df.attrs.get(ATTRIBUTE, []) if r["column"] == name), None)
    if record is None:
        return str(name).removesuffix("_json").replace("_", "")
    return "author" if record["rule"] in ("user", "users") else str(record["field"]).casefold()


# --- column by column -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Redaction:
    df: pd.DataFrame
    kept: frozenset[str]
    people: Pseudonyms

    def run(self) -> pd.DataFrame:
        for name in self.df.columns:
            if isinstance(name, str) and self.people.knows(name) and name not in self.kept:
                raise DataError(f"The column {name!r} is named like a person. Give the frame before it was pivoted.")
        made = {name: self._column(name) for name in self.df.columns}
        if HISTORY.issubset(self.df.columns):
            made |= self._history()
        frame = pd.DataFrame(made, index=self.df.index, columns=self.df.columns)
        frame.index = self._index()
        frame.attrs = {key: value for key, value in self.df.attrs.items() if key == ATTRIBUTE}
        return frame

    def _column(self, name: Any) -> pd.Series[Any]:
        return self._treated(self.df[name], treat(self.df, name, self.kept)[0], _place(self.df, name))

    def _treated(self, column: pd.Series[Any], treatment: Treatment, place: str) -> pd.Series[Any]:
        if treatment in ("kept", "history"):
            return column
        inside = JsonRedaction(self.people, _user_fields(self.df))
        ways: dict[str, Callable[[str], str]] = {
            "people": lambda text: self._each(text, self.people.person),
            "list": lambda text: self._each(text, self.people.text),
            "text": self.people.text,
            "words": lambda text: self.people.text(text) if text.lstrip().startswith(("{", "[")) else text,
            "json": lambda text: inside.redact_text(text, place),
        }
        return _mapped(column, ways[treatment], lambda value: inside.redact(value, place))

    def _each(self, text: str, one: Callable[[str], str]) -> str:
        """Each text of a list that is joined, or that stays a JSON list because its texts hold the joint."""
        parsed = _parsed(text) if text.startswith("[") else None
        texts = parsed if isinstance(parsed, list) and all(isinstance(v, str) for v in parsed) else text.split(JOINT)
        return JOINT.join(one(v) for v in texts)

    def _history(self) -> dict[str, pd.Series[Any]]:
        """The values of a long changelog, by the field that changed."""
        inside = JsonRedaction(self.people, _user_fields(self.df))
        made: dict[str, pd.Series[Any]] = {}
        ids = self.df["field_id"] if "field_id" in self.df.columns else self.df["field"]
        for side in ("from", "to"):
            value, text = f"{side}_value", f"{side}_text"
            if {value, text} & self.kept:
                continue
            rows = pd.DataFrame({"f": self.df["field"], "i": ids, "v": self.df[value], "t": self.df[text]}).astype(
                "str"
            )
            known: dict[tuple[Any, ...], tuple[str | None, str | None]] = {}
            pairs = []
            for row in rows.itertuples(index=False, name=None):
                clean = tuple(v if isinstance(v, str) else None for v in row)
                if clean not in known:
                    names = {snake_case(v) or v for v in clean[:2] if v}
                    known[clean] = inside.redact_change(names, clean[2], clean[3])
                pairs.append(known[clean])
            made[value] = pd.Series([p[0] for p in pairs], index=self.df.index, dtype="str")
            made[text] = pd.Series([p[1] for p in pairs], index=self.df.index, dtype="str")
        return made

    def _index(self) -> pd.Index[Any]:
        """The index, whose levels are treated like columns of their names."""
        index = self.df.index
        levels = [pd.Series(index.get_level_values(n)) for n in range(index.nlevels)]
        names = [name if name is not None else "" for name in index.names]
        made = []
        for name, level in zip(names, levels, strict=True):
            about = pd.DataFrame({name: level})
            about.attrs = self.df.attrs
            made.append(self._treated(level, treat(about, name, self.kept)[0], _place(about, name)))
        if all(new is old for new, old in zip(made, levels, strict=True)):
            return index
        if index.nlevels > 1:
            return cast("pd.Index[Any]", pd.MultiIndex.from_arrays(made, names=index.names))
        return cast("pd.Index[Any]", pd.Index(made[0], name=index.name))


_PLAIN = (bool, int, float, complex, np.generic, pd.Timestamp, pd.Timedelta)


def _mapped(column: pd.Series[Any], text: Callable[[str], str], nested: Callable[[Any], Any]) -> pd.Series[Any]:
    """A column with each text and nested value redacted; numbers and times among them stay."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if isinstance(column.dtype, pd.StringDtype):
        return column.map({v: text(v) for v in column.dropna().unique()}).astype("str")

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if hasattr(value, "tolist") and not isinstance(value, np.generic):
            value = value.tolist()
        if isinstance(value, dict | list | tuple):
            return nested(list(value) if isinstance(value, tuple) else value)
        if value is None or isinstance(value, _PLAIN) or pd.isna(value) or hasattr(value, "isoformat"):
            return value
        return text(str(value))

    made = column.map(one)
    texts = made.map(lambda v: v is None or isinstance(v, str) or (isinstance(v, float) and v != v)).all()
    return made.astype("str") if texts else made
