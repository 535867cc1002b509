"""A validation as a page: verdict, provenance, counts, files, sample keys, checks. Every value is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from datalake_kit.cdc.result import Validation

MOST_ROWS = 20
_SIGNS = {"equal": "\N{CHECK MARK}", "different": "\N{BALLOT X}", "not compared": "\N{WARNING SIGN}"}
_COLOURS = {"equal": "#0072B2", "different": "#A3123A", "not compared": "#8A5A00"}
_TITLES = {
    "table": "table",
    "full_load": "full load",
    "by_file": "file",
}
_COUNTS = [
    "table",
    "verdict",
    "source",
    "expected",
    "lake",
    "difference",
    "missing",
    "extra",
    "changed",
    "duplicates",
    "unverified",
    "lag",
    "full_load",
    "changes",
    "untrusted",
    "mode",
    "compared",
]
_STYLE = """
.dk-check { font: 14px/1.45 system-ui, sans-serif; color: #222; max-width: 75rem; }
.dk-check h1 { font-size: 1.35rem; margin: 0 0 .3rem; } .dk-check h2 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
.dk-check table { border-collapse: collapse; font-size: 13px; } .dk-check .scroll { overflow-x: auto; }
.dk-check th, .dk-check td { padding: .25rem .6rem; border-bottom: 1px solid #E3E6EA; }
.dk-check th, .dk-check td { text-align: left; vertical-align: top; }
.dk-check th { color: #555; font-weight: 600; white-space: nowrap; }
.dk-check td.n { text-align: right; white-space: nowrap; }
.dk-check td.w { overflow-wrap: anywhere; min-width: 12rem; } .dk-check .v { font-weight: 600; white-space: nowrap; }
.dk-check pre { background: #F5F6F8; padding: .6rem; overflow-x: auto; font-size: 12px; }
.dk-check .facts td { overflow-wrap: anywhere; } .dk-check .note { color: #555; }
"""


def html_page(check: Validation) -> str:
    """The whole report as a page of its own."""
    title = html.escape(f"Replication check: {check.status}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f'</head><body style="margin:1.5rem">{html_fragment(check)}</body></html>\n'
    )


def html_fragment(check: Validation, *, short: bool = False) -> str:
    """The report as a part of a page; `short` gives the verdict and the counts."""
    parts = [_verdict(check)]
    if not short:
        parts.append(_section("What was compared", _provenance(check)))
    parts.append(_section("Counts", _html_table(_counts(check))))
    if not short:
        parts += [_section(title, *_html_part(frame)) for title, frame in _parts(check)]
    return f'<div class="dk-check"><style>{_STYLE}</style>{"".join(parts)}</div>'


def markdown(check: Validation) -> str:
    """The report as Markdown."""
    lines = [f"# Replication check: {_SIGNS[check.status]} {check.status}", "", _plain(check.headline), ""]
    lines += [f"Equal means: {_plain(str(check.provenance.get('rule', check.level)))}.", ""]
    lines += ["## What was compared", ""]
    lines += [f"- {_plain(name)}: {_plain(text)}" for name, text in _facts(check)]
    lines += ["", "## Counts", "", *_markdown_table(_counts(check))]
    for title, frame in _parts(check):
        lines += ["", f"## {title}", "", *_markdown_table(frame.head(MOST_ROWS))]
        if len(frame) > MOST_ROWS:
            lines += ["", f"{len(frame) - MOST_ROWS} more rows are not shown."]
    return "\n".join(lines) + "\n"


def _counts(check: Validation) -> pd.DataFrame:
    """The summary without explanations; source and lag only where there are such."""
    known = check.summary
    return known[[c for c in _COUNTS if c not in ("source", "lag") or known[c].notna().any()]]


def _parts(check: Validation) -> list[tuple[str, pd.DataFrame]]:
    """The tables of the report after the counts, each with a title; empty ones are left out."""
    explained = check.summary.loc[check.summary["explanation"] != "", ["table", "verdict", "explanation"]]
    worst = check.by_file.assign(size=check.by_file["difference"].abs()).query("size > 0")
    worst = worst.sort_values("size", ascending=False, kind="stable").drop(columns="size")
    parts = [
        ("Why", explained),
        ("Files whose rows are not as they should be, worst first", worst),
        *((f"Keys: {kind}", _findings(check, kind)) for kind in ("missing", "extra", "changed", "duplicate")),
        ("Not verified", _findings(check, "unverified").drop(columns=["key"])),
        ("What waits to be processed", check.lag),
        ("What the staged files leave doubtful", _doubts(check)),
        ("Checks", check.checks.assign(passed=["yes" if p else "no" for p in check.checks["passed"]])),
    ]
    return [(title, frame) for title, frame in parts if len(frame)]


def _findings(check: Validation, kind: str) -> pd.DataFrame:
    found = check.findings[check.findings["kind"] == kind]
    return found[["table", "hop", "key", "column", "before", "after", "file", "commit", "explanation"]]


def _doubts(check: Validation) -> pd.DataFrame:
    grouped = check.untrusted.groupby(["table", "kind"], sort=False)["key"]
    counted = grouped.agg(rows="size", examples=lambda keys: ", ".join(str(k) for k in list(keys)[:5]))
    return counted.reset_index()


def _facts(check: Validation) -> list[tuple[str, str]]:
    facts = []
    for name, value in check.provenance.items():
        if name in ("count statement", "rule") or not value:
            continue
        if isinstance(value, dict):
            value = _by_table({str(k): str(v) for k, v in value.items()})
        elif isinstance(value, (list, tuple)):
            value = ", ".join(str(v) for v in value)
        facts.append((name, str(value)))
    return facts


def _by_table(said: Mapping[str, str]) -> str:
    """What is said of each table; what is said of several alike is said once."""
    tables: dict[str, list[str]] = {}
    for table, text in said.items():
        tables.setdefault(text, []).append(table)
    return "; ".join(f"{', '.join(names)}{':' if len(names) > 1 else ''} {text}" for text, names in tables.items())


def _verdict(check: Validation) -> str:
    colour = _COLOURS[check.status]
    head = html.escape(f"{_SIGNS[check.status]} {check.status}")
    rule = html.escape(f"{check.headline} Equal means: {check.provenance.get('rule', check.level)}.")
    return f'<h1>Replication check: <span style="color:{colour}">{head}</span></h1><p>{rule}</p>'


def _provenance(check: Validation) -> str:
    rows = "".join(f"<tr><th>{html.escape(n)}</th><td>{html.escape(v)}</td></tr>" for n, v in _facts(check))
    statement = html.escape(str(check.provenance.get("count statement", "")))
    shown = (
        f"<details><summary>The statement that counted</summary><pre>{statement}</pre></details>" if statement else ""
    )
    return f'<div class="scroll"><table class="facts">{rows}</table></div>{shown}'


def _html_part(frame: pd.DataFrame) -> tuple[str, str]:
    more = len(frame) - MOST_ROWS
    note = f'<p class="note">{more} more rows are not shown.</p>' if more > 0 else ""
    return _html_table(frame.head(MOST_ROWS)), note


def _section(title: str, *parts: str) -> str:
    return f"<h2>{html.escape(title)}</h2>{''.join(parts)}"


def _html_table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(_title(c))}</th>" for c in frame.columns)
    rows = ("".join(_cell(c, v) for c, v in zip(frame.columns, row, strict=True)) for row in _rows(frame))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(column: Any, value: Any) -> str:
    text = _text(column, value)
    if column == "verdict" and text in _SIGNS:
        return f'<td class="v" style="color:{_COLOURS[text]}">{_SIGNS[text]} {html.escape(text)}</td>'
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    kind = " class=n" if numeric or column == "hop" else " class=w" if len(text) > 40 else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _markdown_table(frame: pd.DataFrame) -> list[str]:
    head = "| " + " | ".join(_plain(_title(c)) for c in frame.columns) + " |"
    rule = "|" + " --- |" * len(frame.columns)
    cells = ((_plain(_text(c, v)) for c, v in zip(frame.columns, row, strict=True)) for row in _rows(frame))
    rows = (f"| {' | '.join(row)} |" for row in cells)
    return [head, rule, *rows]


def _rows(frame: pd.DataFrame) -> Iterable[Sequence[Any]]:
    return frame.astype(object).itertuples(index=False, name=None)


def _title(column: Any) -> str:
    return _TITLES.get(str(column), str(column).replace("_", " "))


def _text(column: Any, value: Any) -> str:
    if not isinstance(value, (tuple, list)) and pd.isna(value):
        return "\N{EN DASH}"
    if isinstance(value, tuple):
        return ", ".join(str(v) for v in value)
    if isinstance(value, int) and not isinstance(value, bool) and column not in ("key", "commit"):
        return f"{value:+,}" if column == "difference" and value else f"{value:,}"
    return str(value)


def _plain(text: str) -> str:
    """Text that Markdown takes as text."""
    escaped = html.escape(text, quote=False)
    return "".join(f"\\{c}" if c in "|*_`[]\\" else c for c in escaped).replace("\n", " ")
