"""Who may import whom, and what `import datalake_kit` costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "datalake_kit"

# The lowest layer first. A module imports its own layer and those below; the longest matching name counts.
HUDI_FILES = (
    "archive",
    "avro_schema",
    "base_files",
    "commits",
    "condition",
    "content",
    "evolution",
    "instants",
    "log_merge",
    "log_records",
    "logformat",
    "merging",
    "pairing",
    "part_sql",
    "path_values",
    "properties",
    "relay",
    "schema_history",
    "slices",
    "snapshot",
)
# Datasets know the types of the engines; what the engines read files by lies below them.
DATASET_FILES = (
    "dataset_files", "dataset_publishing", "dataset_reading", "dataset_rows", "dataset_target", "datasets",
    "glue_table", "partition_names", "registering",
)  # fmt: skip
LAYERS: list[tuple[str, ...]] = [
    ("errors",),
    ("config", "storage"),
    ("sql", "engines", *(f"hudi.{name}" for name in HUDI_FILES), *(f"storage.{name}" for name in DATASET_FILES)),
    ("lake", "tables"),
    ("latest", "hudi", "cdc", "jira", "irradiance"),
    ("plots", "runs"),
    ("demo", "doctor", "cli", "cli_output", "cli_sql", "cli_values"),
]
EXPLAIN_FILES = ("bench", "case", "lake_files", "order", "parts", "ways", "withheld", "words")
# Frames in, frames out: nothing of the lake, its engines or AWS.
PURE = (
    "cdc.compare", "cdc.explain", *(f"cdc.explain.{name}" for name in EXPLAIN_FILES), "cdc.pipeline", "cdc.replay",
    "cdc.csv_rows", "cdc.cuts", "cdc.dms_names", "cdc.settings", "cdc.transactions",
    "latest",
)  # fmt: skip
PURE_PACKAGES = (
    "irradiance.deriving",
    "irradiance.judging",
    "jira.fields",
    "jira.flow",
    "jira.history",
    "jira.redaction",
    "jira.relations",
    "jira.sprinting",
    "jira.text",
)
LAKE_SIDE = ("lake", "tables", "engines", "config", "sql")
HEAVY = (
    "pandas", "numpy", "pyarrow", "duckdb", "sqlglot", "matplotlib", "netCDF4", "h5py", "xarray", "pvlib", "hudi",
    "awswrangler", "pyathena", "boto3", "botocore", "papermill", "nbconvert", "nbformat", "IPython", "typer", "tqdm",
    "scipy", "fastavro", "imagecodecs", "sqlalchemy", "pymysql", "psycopg", "openpyxl",
)  # fmt: skip
# These are loaded inside functions, or in modules that exist for them alone.
LAZY = (
    "matplotlib", "pvlib", "hudi", "awswrangler", "pyathena", "boto3", "botocore", "IPython", "xarray", "sqlalchemy",
    "pymysql", "psycopg", "openpyxl",
)  # fmt: skip
MAY_LOAD_AT_TOP = {"plots": ("matplotlib",)}


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name without `datalake_kit.`; the package itself is ''."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = list(file.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.AST, *, typing_too: bool = False, nested_too: bool = True) -> set[str]:
    """Names that a module imports when it runs; what stands below `if TYPE_CHECKING` counts only when asked for."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not typing_too:
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not nested_too:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {f"{base}.{alias.name}" for alias in node.names} | {base}
        else:
            found |= imports(node, typing_too=typing_too, nested_too=nested_too)
    return found


def layer(module: str) -> int:
    """Number of the layer that the longest matching name gives."""
    best = max(
        ((len(name), number) for number, names in enumerate(LAYERS) for name in names if _within(module, name)),
        default=(0, -1),
    )
    return best[1]


def _within(module: str, name: str) -> bool:
    return module == name or module.startswith(name + ".")


MODULES = modules()
OWN = {
    name: {i.removeprefix("datalake_kit.") for i in imports(tree) if _within(i, "datalake_kit")}
    for name, tree in MODULES.items()
}


def test_every_module_has_a_layer() -> None:
    assert [m for m in MODULES if m and layer(m) < 0] == []


@pytest.mark.parametrize("module", [m for m in MODULES if m])
def test_imports_go_down(module: str) -> None:
    upward = {i for i in OWN[module] if layer(i) > layer(module)}
    assert not upward, f"{module} imports {upward}, which lie above it"


def pure() -> list[str]:
    return [*PURE, *(m for m in MODULES if any(_within(m, package) for package in PURE_PACKAGES))]


# Within the issues: what a package may import beside itself.
JIRA = {
    "text": set(),
    "fields": set(),
    "history": {"fields"},
    "landing": {"fields"},
    "kept": {"fields", "landing"},
    "relations": {"fields", "history", "text"},
    "flow": {"fields", "history"},
    "sprinting": {"fields", "history", "relations"},
    "redaction": {"fields"},
    "exporting": {"fields"},
}


@pytest.mark.parametrize("package", list(JIRA))
def test_packages_of_issues_build_on_one_another_in_one_direction(package: str) -> None:
    of_package = [m for m in MODULES if _within(m, f"jira.{package}")]
    assert of_package
    reached = {i.split(".")[1] for m in of_package for i in OWN[m] if i.startswith("jira.")}
    assert reached - {package} <= JIRA[package]


# Within irradiance: what a package may import beside itself.
IRRADIANCE = {
    "describing": set(),
    "judging": set(),
    "reading": {"describing"},
    "deriving": {"judging"},
    "stored": {"describing", "judging"},
    "extracting": {"describing", "reading", "stored"},
    "exchange": {"deriving", "describing", "judging"},
}


@pytest.mark.parametrize("package", list(IRRADIANCE))
def test_packages_of_irradiance_build_on_one_another_in_one_direction(package: str) -> None:
    of_package = [m for m in MODULES if _within(m, f"irradiance.{package}")]
    assert of_package
    reached = {i.split(".")[1] for m in of_package for i in OWN[m] if i.startswith("irradiance.")}
    assert reached - {package} <= IRRADIANCE[package]


@pytest.mark.parametrize("module", pure())
def test_pure_modules_know_no_lake(module: str) -> None:
    lake_side = {i for i in OWN[module] if any(_within(i, name) for name in LAKE_SIDE)}
    aws = {i for i in imports(MODULES[module]) if i.split(".")[0] in ("boto3", "botocore", "pyathena", "awswrangler")}
    assert not lake_side | aws


@pytest.mark.parametrize("module", list(MODULES))
def test_heavy_packages_load_when_first_used(module: str) -> None:
    top = {i.split(".")[0] for i in imports(MODULES[module], nested_too=False)}
    allowed = {p for name, packages in MAY_LOAD_AT_TOP.items() if _within(module, name) for p in packages}
    assert not (top & set(LAZY)) - allowed


def loaded_by(statement: str) -> set[str]:
    """Packages that a fresh Python has loaded after a statement."""
    code = f"import sys, json; {statement}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import datalake_kit as dk; dir(dk)") & set(HEAVY) == set()


def test_the_command_line_starts_without_the_data_packages() -> None:
    assert loaded_by("import datalake_kit.cli") & (set(HEAVY) - {"typer"}) == set()


def test_a_local_lake_needs_no_aws_and_no_pictures() -> None:
    loaded = loaded_by("import datalake_kit as dk; dk.connect('.').sql('SELECT 1 AS one')")
    assert loaded & {"boto3", "botocore", "pyathena", "awswrangler", "matplotlib", "netCDF4", "hudi"} == set()


def test_an_athena_lake_does_not_load_awswrangler_or_duckdb() -> None:
    loaded = loaded_by("import datalake_kit as dk; dk.connect('athena://w?region=eu-west-1')")
    assert loaded & {"awswrangler", "duckdb", "matplotlib"} == set()
