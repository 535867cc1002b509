"""The command `sql`: run a statement or a named query, list queries, show one, check files."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datalake_kit.cli_output import exit_codes, print_json
from datalake_kit.cli_values import csv_text, pairs_of, typed
from datalake_kit.errors import ConfigError, LakeNotFoundError, ParameterError, did_you_mean

if TYPE_CHECKING:
    from datalake_kit.sql import Parameter, Query, QueryFolders

CONTEXT = {"ignore_unknown_options": True, "help_option_names": []}
OPTIONS = ("--lake", "--param", "--json", "--csv", "--rows", "--sql", "--check", "--list", "--allow-write", "--help")
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")


def sql(
    context: typer.Context,
    text: Annotated[
        list[str] | None,
        typer.Argument(
            help="A statement, - for stdin, or the name of a query (cdc/row_count) and its parameters: --table taxi.t. "
            "With --check: files and folders."
        ),
    ] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, as often as needed.")] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            "--lake", "-l", help="A folder, a name from datalake.toml or athena://...; else DATALAKE_KIT_LAKE."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, every row.")] = False,
    rows: Annotated[int, typer.Option(help="Rows shown as text.", min=1)] = 50,
    folder: Annotated[
        list[Path] | None, typer.Option("--sql", help="A folder of your own queries; as often as needed.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check query files; exit code 1 with findings.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the queries.")] = False,
    allow_write: Annotated[bool, typer.Option("--allow-write", help="Let a statement write.")] = False,
) -> None:
    """Run one statement in Athena's dialect, or a named query, and print its rows.

    NAME --help shows what a query answers and its parameters. --check holds files against the rules by which a query
    gives the same answer on Athena and on a folder.
    """
    with exit_codes():
        words, given, wants_help = _split(text or [])
        if check:
            _check(words, given, lake, as_json)
        elif listed:
            _list(_queries(lake, folder), as_json)
        elif not words and (wants_help or not given):
            typer.echo(context.get_help())
            raise typer.Exit(0 if wants_help else 2)
        elif wants_help:
            _help(_queries(lake, folder).load(_one(words)), as_json)
        else:
            values = pairs_of([*(param or []), *given])
            found = _run(_one(words), values, lake, folder, allow_write)
            _print(found, rows, as_json=as_json, as_csv=as_csv)


def _split(words: Sequence[str]) -> tuple[list[str], list[str], bool]:
    """Take --name value and --name=value apart from other words; a text with blanks is a statement, never an option."""
    plain: list[str] = []
    given: list[str] = []
    rest = list(words)
    wants_help = False
    while rest:
        word = rest.pop(0)
        if word == "--help":
            wants_help = True
        elif not re.fullmatch(r"--[A-Za-z_][\w-]*(=.*)?", word, re.DOTALL):
            plain.append(word)
        else:
            name, sign, value = word[2:].partition("=")
            if not sign and not rest:
                raise ParameterError(f"--{name} needs a value: --{name} VALUE.")
            given.append(f"{name.replace('-', '_')}={value if sign else rest.pop(0)}")
    return plain, given, wants_help


def _one(words: list[str]) -> str:
    if len(words) != 1:
        raise ParameterError(f"One statement or name at a time, not {len(words)}: {' '.join(words)!r}. Quote it.")
    return sys.stdin.read() if words[0] == "-" else words[0].strip()


def _queries(lake: str | None, folders: list[Path] | None) -> QueryFolders:
    """The queries of a lake that need not be there: without one, those of the package and of --sql."""
    from datalake_kit.config import lake_settings, query_folders
    from datalake_kit.sql import QueryFolders

    own = query_folders(folders or [], Path.cwd(), "--sql")
    try:
        return QueryFolders(own or lake_settings(lake).sql)
    except (ConfigError, LakeNotFoundError):
        if lake is not None:
            raise
        return QueryFolders()


def _run(
    text: str, pairs: list[tuple[str, str]], lake: str | None, folders: list[Path] | None, allow_write: bool
) -> Any:
    from datalake_kit.lake import connect
    from datalake_kit.sql import QueryFolders, bind_query

    with connect(lake, sql=folders or ()) as opened:
        queries = QueryFolders(opened.settings.sql)
        if text in queries.names() or _NAME.fullmatch(text):
            query = queries.load(text)
            text, values = bind_query(query, _typed(query, pairs))
        else:
            values = {name: typed(name, value, None) for name, value in pairs}
        return opened.arrow(text, params=values, allow_write=allow_write)


def _typed(query: Query, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read the values of a query by the types that its header declares."""
    known = {p.name: p for p in query.parameters}
    for name, _ in pairs:
        if name not in known:
            near = [*known, *(option[2:] for option in OPTIONS)]
            raise ParameterError(
                f"Query {query.name} has no parameter {name!r}. {did_you_mean(name, near)} "
                f"`datalake-kit sql {query.name} --help` shows them ({query.file})."
            )
    return {name: _value(known[name], text) for name, text in pairs}


def _value(parameter: Parameter, text: str) -> Any:
    from datalake_kit.sql.query_files import from_text

    if parameter.type == "list" and not text.startswith("["):
        return text.split(",")
    try:
        return from_text(parameter.type, text)
    except (ValueError, KeyError):
        shown = {"date": "2026-01-31", "timestamp": "2026-01-31T13:45:00", "boolean": "true", "list": "a,b"}
        hint = f" Write it as {shown[parameter.type]}." if parameter.type in shown else ""
        raise ParameterError(f"{parameter.name} must be {parameter.type}, not {text!r}.{hint}") from None


def _print(found: Any, rows: int, *, as_json: bool, as_csv: bool) -> None:
    from datalake_kit.tables import to_pandas

    if as_json:
        print_json(found.to_pylist())
    elif as_csv:
        typer.echo(csv_text(found), nl=False)
    else:
        typer.echo(to_pandas(found.slice(0, rows)).to_string(index=False))
        if found.num_rows > rows:
            typer.echo(f"... {found.num_rows - rows} more rows (--rows, --csv or --json)")


def _list(queries: QueryFolders, as_json: bool) -> None:
    listing = queries.listing()
    if as_json:
        print_json([{**asdict(one), "parameters": [str(p) for p in one.parameters]} for one in listing])
        return
    width = max((len(one.name) for one in listing), default=0)
    for one in listing:
        typer.echo(f"{one.name:<{width}}  {f'PROBLEM: {one.problem}' if one.problem else one.description}")


def _help(query: Query, as_json: bool) -> None:
    if as_json:
        print_json(asdict(query))
        return
    typer.echo(f"{query.name}: {query.description or '(its header says nothing)'}\n{query.file}\n")
    if not query.parameters:
        typer.echo("It has no parameters.")
        return
    lines = [
        (f"--{p.name} {p.type}", "required" if p.required else f"= {_default(p)}", p.help) for p in query.parameters
    ]
    first, second = (max(len(line[i]) for line in lines) for i in (0, 1))
    for name, default, explained in lines:
        typer.echo(f"  {name:<{first}}  {default:<{second}}  {explained}".rstrip())
    typer.echo("\nA parameter that is named as an option of this command is given by -p name=value.")


def _default(parameter: Parameter) -> str:
    return str(parameter).partition(" = ")[2]


def _check(words: list[str], given: list[str], lake: str | None, as_json: bool) -> None:
    from datalake_kit.lake import connect
    from datalake_kit.sql.lint import check_sql

    if not words or given:
        raise ParameterError("Which files? datalake-kit sql --check FILE_OR_FOLDER ..., without other values.")
    paths = [Path(word) for word in words]
    if lake is None:
        found = check_sql(paths)
    else:
        with connect(lake) as opened:
            found = check_sql(paths, lake=opened)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            typer.echo(one)
        files = len({one.file for one in found})
        typer.echo(f"{len(found)} findings in {files} files." if found else "All is well.")
    if found:
        raise typer.Exit(1)
