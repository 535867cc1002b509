"""Rich text of Jira as plain text: Atlassian documents (API v3) and text (API v2).

text.to_plain(value)             # one value
text.plain(issues["comment"])    # a column; equal values are read once
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.text.plain import document_text
from datalake_kit.jira.text.reading import parse_document

__all__ = ["Kind", "plain", "to_plain"]

Kind = Literal["auto", "adf", "wiki", "plain"]


def to_plain(value: Any, *, kind: Kind = "auto") -> str | None:
    """Return the plain text of one rich-text value.

    Parameters
    ----------
    value
        An Atlassian document as a dict or as JSON text, or text; None and NaN are missing.
    kind
        What the value is. "auto": an Atlassian document where it is one (a dict, or the JSON text of an object whose
        `type` is `doc`), else wiki markup, the form in which API v2 gives rich text. "plain": text as it is.

    Returns
    -------
    str or None
        None for a missing value.

    Raises
    ------
    DataError
        `kind` is "adf" and the value is no document.
    ParameterError
        `kind` is none of these.

    Examples
    --------
    >>> to_plain({"type": "doc", "version": 1, "content": [
    ...     {"type": "paragraph", "content": [{"type": "text", "text": "It works", "marks": [{"type": "strong"}]}]}]})
    'It works'
    """
    return _converted(value, kind, document_text, str)


def plain(column: pd.Series[Any], *, kind: Kind = "auto") -> pd.Series[Any]:
    """Return the plain text of a column of rich text; see `to_plain`.

    Parameters
    ----------
    column
        Documents (dicts or JSON text) or text. Equal texts are converted once.
    kind
        As of `to_plain`.

    Returns
    -------
    pandas.Series
        Text, index and name as of `column`; missing where it is missing.

    Examples
    --------
    >>> plain(pd.Series(["a", None, "a"])).tolist()
    ['a', nan, 'a']
    """
    return _column(column, lambda value: to_plain(value, kind=kind))


def _column(column: pd.Series[Any], convert: Callable[[Any], str | None]) -> pd.Series[Any]:
    known: dict[str, str | None] = {}

    def once(value: Any) -> str | None:
        if not isinstance(value, str):
            return convert(value)
        if value not in known:
            known[value] = convert(value)
        return known[value]

    return pd.Series([once(value) for value in column], index=column.index, name=column.name, dtype="str")


def _converted(value: Any, kind: Kind, of_document: Callable[[Any], str], of_text: Callable[[str], str]) -> str | None:
    if kind not in ("auto", "adf", "wiki", "plain"):
        raise ParameterError(f"No such kind of text: {kind!r}. Give auto, adf, wiki or plain.")
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, Mapping):
        return of_document(value)
    text = value if isinstance(value, str) else str(value)
    document = parse_document(text) if kind in ("auto", "adf") else None
    if document is not None:
        return of_document(document)
    if kind == "adf":
        raise DataError(f"This is no Atlassian document: {text[:60]!r}. Give kind='auto' for a column of both kinds.")
    return of_text(text)
