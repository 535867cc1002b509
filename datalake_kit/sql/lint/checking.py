"""Check query files, folders of them, or a text against the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.dialect.lexing import placeholders, tokens, without_last_semicolon
from datalake_kit.engines.dialect.parsing import parse
from datalake_kit.engines.dialect.places import line_and_column
from datalake_kit.engines.dialect.statements import statement_kind
from datalake_kit.errors import QueryNotFoundError, SqlError
from datalake_kit.sql.folders import read_query_file, sql_files
from datalake_kit.sql.lint.engines import athena, local_functions, on_lake, placed, syntax
from datalake_kit.sql.lint.findings import Broken, Finding, Rule, Statement
from datalake_kit.sql.lint.trees import TREE_RULES
from datalake_kit.sql.lint.words import WORD_RULES
from datalake_kit.sql.query_files import Parameter, Query, header_of, read_parameter

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

_IGNORED = re.compile(r"--\s*check:\s*ignore\s+([\w, -]+)")
_OF_WORDS = ("pasted", "subscript", "datetime-format", "not-portable", "syntax", "athena", "local-engine")
_TEXT_RULES: tuple[Rule, ...] = (*WORD_RULES, syntax, athena)


def check_sql(what: str | Path | Sequence[str | Path], *, lake: Lake | None = None) -> list[Finding]:
    """Check query files against the rules by which a query gives the same answer on Athena and on the local engine.

    Parameters
    ----------
    what
        A file, a folder (every .sql file below it), several of these, or the text of a statement. A text needs no
        header.
    lake
        A lake whose tables the statements name: then types are known, and more is found.

    Returns
    -------
    list of Finding
        In the order of files and lines; empty when all is well. A line that ends in `-- check: ignore RULE` is let
        through by that rule. `datalake_kit.sql.lint.RULES` lists them.

    Raises
    ------
    QueryNotFoundError
        No such file or folder.

    Examples
    --------
    >>> for finding in check_sql("SELECT a[1] AS first FROM t"):
    ...     print(finding)
    line 1, column 9: subscript: x[i] fails where nothing is there; write element_at(x, i)
    """
    if isinstance(what, str) and not _is_path(what):
        return _check(what, "", lake, needs_header=False)
    listed = [what] if isinstance(what, (str, Path)) else list(what)
    found: list[Finding] = []
    for path in map(Path, listed):
        if path.is_dir():
            for file in sql_files(path):
                found += check_query_file(file, root=path, lake=lake)
        elif path.exists() or path.is_symlink():
            found += check_query_file(path, lake=lake)
        else:
            raise QueryNotFoundError(f"No such file or folder: {path}.")
    return found


def _is_path(text: str) -> bool:
    if "\n" in text or "\0" in text or len(text) > 4096:
        return False
    return not re.search(r"\s", text.strip()) or text.endswith(".sql") or Path(text).exists()


def check_query_file(file: str | Path, *, root: Path | None = None, lake: Lake | None = None) -> list[Finding]:
    """Check one query file; see `check_sql`. `root` is the folder out of which it must not lead."""
    try:
        text = read_query_file(Path(file), root)
    except SqlError as error:
        line = re.match(rf"{re.escape(str(file))}:(\d+): ", str(error))
        return [Finding(str(file), int(line[1]) if line else 1, 1, "file", str(error), "or take it out of the folder")]
    return _check(text, str(file), lake, needs_header=True)


def _check(text: str, file: str, lake: Lake | None, *, needs_header: bool) -> list[Finding]:
    header = header_of(text)
    parameters, lines, found = _header(header.lines, file, needs_header=needs_header)
    start = len(text) - len(text[header.start :].lstrip())
    body = text[start:]
    if not body.strip() or not _has_statement(body):
        line, column = line_and_column(text, min(start, len(text)))
        return [*found, Finding(file, line, column, "one-statement", "there is no statement", "write one SELECT")]
    broken = list(_statement(body, parameters, lake, needs_header=needs_header))
    for one in broken:
        line, column = line_and_column(text, start + one.at)
        found.append(Finding(file, line, column, one.rule, one.message, one.instead, one.severity))
    if needs_header and not any(b.rule in ("syntax", "one-statement") for b in broken):
        found += _unused(body, lines, file)
    return _sifted(found, text)


def _has_statement(body: str) -> bool:
    try:
        return any(token.text != ";" for token in tokens(body))
    except SqlError:
        return True  # something is not closed: said as syntax


def _header(
    lines: Sequence[str], file: str, *, needs_header: bool
) -> tuple[dict[str, Parameter], dict[str, int], list[Finding]]:
    parameters: dict[str, Parameter] = {}
    declared: dict[str, int] = {}
    found = []
    described = False
    for number, line in enumerate(lines, start=1):
        if not re.match(r"--\s*:\w", line):
            described = described or (not parameters and bool(line.strip("- \t")))
            continue
        try:
            parameter = read_parameter(line, "")
        except SqlError as error:
            found.append(Finding(file, number, 1, "header", str(error).removeprefix(": "), "mend the line"))
            name = re.match(r"--\s*:(\w+)", line)
            declared.setdefault(name[1] if name else "", number)
            continue
        if parameter.name in declared:
            message = f":{parameter.name} is declared twice"
            found.append(Finding(file, number, 1, "parameters", message, "leave one out"))
        parameters[parameter.name] = parameter
        declared.setdefault(parameter.name, number)
    if needs_header and not described:
        message = "the header does not say what the query answers"
        found.insert(0, Finding(file, 1, 1, "header", message, "begin the file with `-- What it answers.`"))
    return parameters, declared, found


def _statement(
    body: str, parameters: dict[str, Parameter], lake: Lake | None, *, needs_header: bool
) -> Iterator[Broken]:
    try:
        found = tokens(body)
    except SqlError as error:
        yield Broken("syntax", placed(body, str(error)), str(error), "close it")
        return
    if needs_header or parameters:
        for used in placeholders(body):
            if used.name not in parameters:
                instead = f"write `-- :{used.name} text   what it means` into the header"
                yield Broken("parameters", used.start, f":{used.name} is not declared in the header", instead)
    statement = Statement(body, found, None, parameters)
    tree, problem = _parsed(body)
    by_words = [broken for rule in _TEXT_RULES for broken in rule(statement)]
    yield from by_words
    if tree is None:
        if problem and not by_words:
            yield Broken("syntax", placed(body, problem), problem, "see Athena's documentation of SELECT")
        return
    if lake is not None:
        statement = Statement(body, found, tree, parameters, _tables(body, lake))
        yield from athena(statement)
    statement = Statement(body, found, tree, parameters, statement.tables)
    for rule in (*TREE_RULES, local_functions):
        yield from rule(statement)
    if lake is not None:
        text = without_last_semicolon(body).rstrip()
        yield from on_lake(Query("query", "", tuple(parameters.values()), text, Path("query.sql")), lake)


def _parsed(body: str) -> tuple[Any, str]:
    try:
        if statement_kind(body) not in ("SELECT", "WITH", "VALUES"):
            return None, ""
        return parse(body), ""
    except SqlError as error:
        return None, str(error)


def _tables(body: str, lake: Lake) -> dict[str, dict[str, str]]:
    from datalake_kit.engines.dialect import tables_named
    from datalake_kit.engines.dialect.parsing import MARK
    from datalake_kit.errors import NotFoundError

    found = {}
    for database, table in tables_named(body):
        if table.startswith(MARK):
            continue
        name = f"{database}.{table}" if database else table
        try:
            found[name] = {column.name: column.type for column in lake.table(name).columns}
        except (NotFoundError, SqlError):
            continue  # said by on_lake
    return found


def _unused(body: str, lines: dict[str, int], file: str) -> Iterator[Finding]:
    try:
        used = {placeholder.name for placeholder in placeholders(body)}
    except SqlError:
        return
    for name, number in lines.items():
        if name not in used:
            yield Finding(file, number, 1, "parameters", f":{name} is not used", f"leave it out, or use it as :{name}")


def _sifted(found: list[Finding], text: str) -> list[Finding]:
    """Leave out what a line asks to ignore, and a word that was found by another rule already."""
    lines = text.split("\n")
    kept: dict[tuple[int, int, str], Finding] = {}
    for one in found:
        match = _IGNORED.search(lines[one.line - 1]) if one.line <= len(lines) else None
        ignored = re.split(r"[,\s]+", match[1].strip()) if match else []
        if one.rule not in ignored:
            kept.setdefault((one.line, one.column, "" if one.rule in _OF_WORDS else one.rule), one)
    return sorted(kept.values(), key=lambda f: (f.line, f.column))
