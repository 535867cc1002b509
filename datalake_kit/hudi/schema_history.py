"""The history of a schema that Hudi evolves by column numbers (ALTER TABLE ... RENAME and DROP, "schema on read").

Files written before a rename hold the column under its old name, and only the numbers in `.hoodie/.schema` say so. Such
tables are refused: by name alone the old values would read as NULL, or as those of another column.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from datalake_kit.errors import HudiError
from datalake_kit.hudi.properties import TableProperties
from datalake_kit.storage import Place, files_in

_SUFFIX = ".schemacommit"


def refuse_renames(table: TableProperties, until: str) -> None:
    """Raise HudiError when a column was renamed, or dropped and added anew, by the schemas up to an instant."""
    folder = table.folder / ".hoodie" / ".schema"
    files = {f.name.removesuffix(_SUFFIX): f for f in files_in(folder) if f.name.endswith(_SUFFIX)}
    known = sorted(instant for instant in files if instant <= until)
    if not known:
        raise HudiError(
            f"{table.folder}: its commits say that the schema was evolved by column numbers, and the history of it in "
            f"{folder} is gone, so it is not known which columns were renamed. Restore the folder, or read the table "
            "in Spark."
        )
    newest = files[known[-1]]
    names: dict[int, dict[str, None]] = defaultdict(dict)
    numbers: dict[tuple[int, str], set[int]] = defaultdict(set)
    for parent, number, name in _columns(newest):
        names[number].setdefault(name)
        numbers[parent, name.casefold()].add(number)
    renamed = next((n for n in names.values() if len({x.casefold() for x in n}) > 1), None)
    anew = next((name for (_, name), found in numbers.items() if len(found) > 1), None)
    if renamed or anew:
        what = f"{' -> '.join(renamed)} was renamed" if renamed else f"{anew} was dropped and added anew"
        raise HudiError(
            f"{table.folder}: the column {what} by ALTER TABLE ({newest}), and older files are not told apart by "
            "names. Read the table in Spark, or rewrite it (INSERT OVERWRITE) so that all files have the new name."
        )


def _columns(file: Place) -> Iterator[tuple[int, int, str]]:
    """Give (number of the parent, number, name) of each column of each schema in a file of the history."""
    try:
        schemas = json.loads(file.read_bytes())["schemas"]
        for schema in sorted(schemas, key=lambda s: int(s["version_id"])):
            yield from _members(schema, -1)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise HudiError(f"The history of the schema {file} cannot be read ({problem!r}). Restore the file.") from None


def _members(kind: Any, parent: int) -> Iterator[tuple[int, int, str]]:
    if not isinstance(kind, Mapping):
        return
    for field in kind.get("fields", ()):
        number = int(field["id"])
        yield parent, number, str(field["name"])
        yield from _members(field["type"], number)
    for inner in ("element", "value"):
        if inner in kind:
            yield from _members(kind[inner], int(kind.get(f"{inner}_id", parent)))
