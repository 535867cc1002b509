"""The command line: datalake-kit.

Exit codes: 0 fine, 1 a check of the data failed, 2 it could not be done.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from datalake_kit import __version__
from datalake_kit.cli_output import exit_codes, print_json
from datalake_kit.cli_sql import CONTEXT, sql
from datalake_kit.cli_values import pairs_of, tolerances_of
from datalake_kit.errors import ParameterError

if TYPE_CHECKING:
    from datalake_kit.runs import RunResult

app = typer.Typer(
    name="datalake-kit",
    help="Load, prove and draw the data of an AWS data lake.\n\nExit codes: 0 fine, 1 checks failed, 2 could not.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LakeOption = Annotated[
    str | None,
    typer.Option("--lake", "-l", help="A folder, a name from datalake.toml or athena://...; else DATALAKE_KIT_LAKE."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="Folder of the demo lake: new, empty, or a demo lake.")] = Path(
        "demo-lake"
    ),
    report: Annotated[
        Path | None, typer.Option(help="Run every curated notebook on the lake and write DIR/index.html.")
    ] = None,
) -> None:
    """Build the demo lake; with --report, run the notebooks on it too."""
    with exit_codes():
        from datalake_kit.demo import build_demo

        started = time.perf_counter()
        root = build_demo(path)
        typer.echo(f"The demo lake is ready: {root}")
        if report is None:
            typer.echo(f"Try: datalake-kit sql --lake {path} 'SELECT count(*) AS trips FROM taxi.table_1'")
            return
        results = _run_report(root, report, lambda: time.perf_counter() - started)
        if not all(r.ok for r in results):
            raise typer.Exit(2 if any(r.status == "error" for r in results) else 1)


def _run_report(lake_folder: Path, report: Path, seconds: Any) -> list[RunResult]:
    from datalake_kit.lake import connect
    from datalake_kit.runs import notebook_names, run_all, write_index

    results = run_all(
        notebook_names(),
        report,
        each=lambda r: typer.echo(f"{r.name:<34}{r.seconds:6.1f} s  {r.status}: {r.sentence}"),
        lake=str(lake_folder),
    )
    with connect(lake_folder) as lake:
        names = lake.tables().groupby("database")["table"].agg(", ".join)
        tables = [{"database": str(database), "tables": listed} for database, listed in names.items()]
    page = write_index(
        report / "index.html",
        results,
        title="What the demo lake holds, and what was found in it",
        lead="Three data sets, each through its curated notebook: replicated tables, Jira issues, solar irradiance.",
        tables=tables,
        snippet=f'import datalake_kit as dk\n\nlake = dk.connect("{lake_folder}")\nlake.tables()\n'
        'lake.sql("SELECT count(*) AS trips FROM taxi.table_1")',
    )
    typer.echo(f"{'all':<34}{seconds():6.1f} s\nOpen {page}")
    return results


@app.command()
def doctor(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Say what is installed, which lake is meant, whether it can be reached and what tables it has."""
    with exit_codes():
        from datalake_kit.doctor import examine

        report = examine(lake)
        if as_json:
            print_json(report)
        else:
            for line in report["lines"]:
                typer.echo(line)
        if not report["ok"]:
            raise typer.Exit(2)


@app.command()
def tables(
    database: Annotated[str | None, typer.Argument(help="One database; else all.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tables of a lake."""
    with exit_codes():
        from datalake_kit.lake import connect

        with connect(lake) as opened:
            found = opened.tables(database)
        if as_json:
            print_json(found.to_dict("records"))
        else:
            typer.echo(found.to_string(index=False) if len(found) else "The lake has no tables.")


app.command(context_settings=CONTEXT)(sql)


@app.command()
def validate(
    table: Annotated[list[str] | None, typer.Argument(help="database.table, as many as wanted; else all.")] = None,
    staging: Annotated[str, typer.Option(help="Folder of the DMS files; else the lake's _raw/staging.")] = "",
    source: Annotated[
        str, typer.Option(help="The source too: a database URL (or set DATALAKE_KIT_SOURCE_URL), or Parquet.")
    ] = "",
    level: Annotated[Literal["counts", "keys", "values"], typer.Option(help="How deep to compare.")] = "counts",
    key: Annotated[list[str] | None, typer.Option(help="Column that identifies a record; repeat for several.")] = None,
    mode: Annotated[str, typer.Option(help="S, current snapshot, or H, historical; else the table tells.")] = "",
    until: Annotated[str, typer.Option(help="Compare up to this sequence or UTC time.")] = "",
    changed_at: Annotated[str, typer.Option(help="The source's column that says when a row changed.")] = "",
    tolerance: Annotated[list[str] | None, typer.Option(help="column=number, or one number for all.")] = None,
    mask: Annotated[list[str] | None, typer.Option(help="Column whose values are never shown.")] = None,
    config: Annotated[str, typer.Option(help="odpf_raw_table_config: JSON, or dynamodb://NAME?region=.")] = "",
    cadence: Annotated[str, typer.Option(help="Only tables of the configuration of this refresh cadence.")] = "",
    tracker: Annotated[list[str] | None, typer.Option(help="odpf_file_tracker and others: JSON, dynamodb://.")] = None,
    max_lag: Annotated[str, typer.Option(help="A change that waits longer, such as 6h, is a difference.")] = "",
    evidence: Annotated[str, typer.Option(help="DMS's own control tables: a file or folder.")] = "",
    history: Annotated[str, typer.Option(help="Folder whose validations/ keeps a record of each run.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write the report as a page to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the whole report as Markdown.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold replicated tables against the DMS files behind them, and their source. Exit code 1 when one differs."""
    with exit_codes():
        from datalake_kit import cdc
        from datalake_kit.lake import connect
        from datalake_kit.storage import write_atomically

        options: dict[str, Any] = {
            "staging": staging, "source": source or os.environ.get("DATALAKE_KIT_SOURCE_URL"), "keys": key,
            "mode": mode, "until": until, "changed_at": changed_at, "tolerance": tolerances_of(tolerance), "mask": mask,
            "config": config, "cadence": cadence, "trackers": tracker, "max_lag": max_lag, "evidence": evidence,
            "history": history,
        }  # fmt: skip
        with connect(lake) as opened:
            validation = cdc.validate(
                opened, tables=table or None, level=level, **{k: v for k, v in options.items() if v}
            )
        if html is not None:
            with write_atomically(html) as temporary:
                temporary.write_text(validation.to_html(), encoding="utf-8")
        if as_json:
            print_json(validation.to_dict())
        else:
            typer.echo(validation.to_markdown() if markdown else _shown(validation))
        if not validation.ok:
            raise typer.Exit(1 if validation.status == "different" else 2)


def _shown(validation: Any) -> str:
    """The verdict, a line a table and why: what fits a terminal. --html and --markdown have the keys."""
    columns = ["table", "verdict", "source", "expected", "lake", "difference", "missing", "extra", "changed"]
    columns += ["duplicates", "unverified", "lag", "untrusted"]
    summary = validation.summary
    columns = [c for c in columns if c not in ("source", "lag") or summary[c].notna().any()]
    why = summary.loc[summary["explanation"].fillna("") != "", ["table", "explanation"]]
    lines = [validation.status, "", summary[columns].to_string(index=False)]
    lines += ["", *(f"{table}: {text}" for table, text in why.itertuples(index=False))] if len(why) else []
    return "\n".join(lines)


@app.command()
def health(
    table: Annotated[list[str], typer.Argument(help="database.table of Hudi tables, as many as wanted.")],
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look over Hudi tables: files, commits, keys. Exit code 1 when something is wrong with one."""
    with exit_codes():
        from datalake_kit import hudi
        from datalake_kit.lake import connect

        with connect(lake) as opened:
            found = {name: hudi.health(opened, name) for name in table}
        if as_json:
            print_json({name: one.to_dict() for name, one in found.items()})
        else:
            for name, one in found.items():
                typer.echo(f"{name}: {one.status}")
                for row in one.findings.to_dict("records"):
                    typer.echo(f"  {row['severity']}  {row['name']}: {row['what']} {row['todo']}")
        if any(one.status == "error" for one in found.values()):
            raise typer.Exit(1)


@app.command()
def extract(
    files: Annotated[str, typer.Argument(help="Folder, pattern or s3:// prefix of NetCDF files.")],
    points: Annotated[Path, typer.Option(help="CSV with point_id, latitude, longitude (or row, column), or GeoJSON.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// prefix of the daily Parquet files.")],
    max_distance_km: Annotated[float, typer.Option(help="Refuse points farther from the centre of a cell.")] = 5.0,
    on_masked: Annotated[Literal["raise", "keep"], typer.Option(help="Points on sea: refuse, or keep gaps.")] = "raise",
    workers: Annotated[int | None, typer.Option(help="Processes; else as many as the work and the cores are.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Extract time series of points from satellite files. Files that cannot be read are listed as rejects."""
    with exit_codes():
        from datalake_kit import irradiance

        result = irradiance.extract(
            files,
            points,
            out,
            on_masked=on_masked,
            max_distance_km=max_distance_km,
            workers=workers,
            progress=not as_json,
        )
        if as_json:
            print_json({k: _plain(v) for k, v in vars(result).items()})
        else:
            typer.echo(result)


def _plain(value: Any) -> Any:
    return value.to_dict("records") if hasattr(value, "to_dict") else value


@app.command()
def run(
    notebook: Annotated[
        str | None, typer.Argument(help="A curated notebook's name, or a path; else list them.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the run; else runs/NAME.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, as often as needed.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a notebook: executed copy, page without code, verdict. Exit code 1 when its checks failed."""
    with exit_codes():
        from datalake_kit.runs import find_notebook, notebook_names, notebook_parameters, run_notebook
        from datalake_kit.runs.parameters import from_text, read_notebook

        if notebook is None:
            typer.echo("\n".join(notebook_names()))
            return
        source = find_notebook(notebook)
        known = {p.name: p for p in notebook_parameters(read_notebook(source), source)}
        values: dict[str, Any] = {k: from_text(known[k], v) if k in known else v for k, v in pairs_of(param)}
        if lake is not None and "lake" in values:
            raise ParameterError("The lake is given twice, by --lake and by -p lake=.")
        if lake is not None:
            values["lake"] = lake
        result = run_notebook(source, output or Path("runs") / source.stem, check=False, **values)
        if as_json:
            print_json(vars(result))
        else:
            typer.echo(f"{result.status}: {result.sentence}\n{result.page}")
        if not result.ok:
            raise typer.Exit(1)


if __name__ == "__main__":
    main()
