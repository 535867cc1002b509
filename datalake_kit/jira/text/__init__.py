"""Rich text of Jira as plain text and Markdown: Atlassian documents (API v3) and wiki markup (API v2).

text.to_plain(value), text.to_markdown(value)                  # one value
text.plain(issues["description"]), text.markdown(column)       # a column; equal texts are converted once

Nothing that was written is lost: of what neither form can show (colours, sizes, alignment) the text is kept, of a node
that is not known what it holds, of an attachment its name, of a link its address. Lists and quotes deeper than 60
levels are not indented further.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.text.markdown import document_markdown
from datalake_kit.jira.text.plain import document_text
from datalake_kit.jira.text.reading import parse_document
from datalake_kit.jira.text.wiki import parse_wiki

__all__ = ["Kind", "markdown", "plain", "to_markdown", "to_plain"]

# Text without any of these is the same in wiki markup and without.
_SIGNS = re.compile(r"[*_?+^~{}\[\]!|#\\-]|^\s*(?:h[1-6]|bq)\.", re.MULTILINE)

Kind = Literal["auto", "adf", "wiki", "plain"]


def to_plain(value: Any, *, kind: Kind = "auto") -> str | None:
    """Return the plain text of one rich-text value.

    Blocks are apart by an empty line; items, rows and lines have lines of their own (`- `, `1. `, `[x] `, cells apart
    by ` | `); a link is followed by its address unless the text says it. A text is kept as it is where the conversion
    would change nothing but its white space.

    Parameters
    ----------
    value
        An Atlassian document as a dict or as JSON text, or text; None and NaN are missing.
    kind
        What the value is. "auto": an Atlassian document where it is one (a dict, or the JSON text of an object whose
        `type` is `doc`), else wiki markup, the form in which API v2 gives rich text. "wiki" and "plain":
        a text is that, even JSON text; "plain" is for fields of one line, such as the summary, which have no markup.
        "adf": a text that is no document is refused.

    Returns
    -------
    str or None
        None for a missing value; "" for a document that says nothing.

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
    >>> to_plain("see *[the page|https://a.b]*"), to_plain("a *b*", kind="plain")
    ('see the page (https://a.b)', 'a *b*')
    """
    return _converted(value, kind, document_text, _plain_text)


def to_markdown(value: Any, *, kind: Kind = "auto") -> str | None:
    r"""Return one rich-text value as Markdown: CommonMark with the tables, tasks and strike-through of GitHub.

    Characters that would be read as signs are escaped, so that what is shown is what was written. Underlined, raised
    and lowered text is written with the tags `<ins>`, `<sup>`, `<sub>`, lines within a cell are apart by `<br>`.

    Parameters
    ----------
    value, kind
        As of `to_plain`.

    Returns
    -------
    str or None
        None for a missing value.

    Raises
    ------
    DataError
        `kind` is "adf" and the value is no document.
    ParameterError
        `kind` is none of those that `to_plain` names.

    Examples
    --------
    >>> to_markdown("h2. Title\n* *bold*\n* 2 * 3")
    '## Title\n\n- **bold**\n- 2 \\* 3'
    >>> print(to_markdown("1 * 2 * 3", kind="plain"))
    1 \* 2 \* 3
    """
    return _converted(value, kind, document_markdown, _markdown_text)


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
    >>> plain(pd.Series(["a", None, "_a_"])).tolist()
    ['a', nan, 'a']
    """
    return _column(column, lambda value: to_plain(value, kind=kind))


def markdown(column: pd.Series[Any], *, kind: Kind = "auto") -> pd.Series[Any]:
    """Return a column of rich text as Markdown; see `to_markdown`.

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
    >>> markdown(pd.Series(["-old- +new+"])).tolist()
    ['~~old~~ <ins>new</ins>']
    """
    return _column(column, lambda value: to_markdown(value, kind=kind))


def _column(column: pd.Series[Any], convert: Callable[[Any], str | None]) -> pd.Series[Any]:
    known: dict[str, str | None] = {}

    def once(value: Any) -> str | None:
        if not isinstance(value, str):
            return convert(value)
        if value not in known:
            known[value] = convert(value)
        return known[value]

    return pd.Series([once(value) for value in column], index=column.index, name=column.name, dtype="str")


def _converted(
    value: Any, kind: Kind, of_document: Callable[[Any], str], of_text: Callable[[str, Kind], str]
) -> str | None:
    if kind not in ("auto", "adf", "wiki", "plain"):
        raise ParameterError(f"No such kind of text: {kind!r}. Give auto, adf, wiki or plain.")
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, Mapping | list | tuple):
        return of_document(value)
    text = value if isinstance(value, str) else str(value)
    document = parse_document(text) if kind in ("auto", "adf") else None
    if document is not None:
        return of_document(document)
    if kind == "adf":
        raise DataError(f"This is no Atlassian document: {text[:60]!r}. Give kind='auto' for a column of both kinds.")
    return of_text(text, kind)


def _plain_text(text: str, kind: Kind) -> str:
    if kind == "plain" or not _SIGNS.search(text):
        return text
    said = document_text(parse_wiki(text))
    return said if said.split() != text.split() else text


def _markdown_text(text: str, kind: Kind) -> str:
    if kind != "plain":
        return document_markdown(parse_wiki(text))
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = [{"type": "paragraph", "content": [part]} for part in re.split(r"\n\s*\n", lines)]
    return document_markdown({"type": "doc", "content": paragraphs})
