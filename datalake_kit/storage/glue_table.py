"""One table of Parquet files in the Glue catalog: made, and its partitions changed together or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from datalake_kit.errors import ConfigError, DatabaseNotFoundError, EngineError, did_you_mean
from datalake_kit.sql import split_name
from datalake_kit.storage.partition_names import NULL_PARTITION, Values

__all__ = ["GlueTable", "table_names"]

_CREATED, _DELETED, _ASKED = 100, 25, 1000  # what Glue takes in one request
_NOT_FOR_INPUT = (
    "DatabaseName", "CreateTime", "UpdateTime", "CreatedBy", "IsRegisteredWithLakeFormation", "CatalogId", "VersionId",
    "FederatedTable", "IsMultiDialectView", "Status", "IsMaterializedView",
)  # fmt: skip


class GlueTable:
    """A table's place in the Glue catalog.

    Attributes
    ----------
    database, name : str
        In lower case.
    session : boto3.Session or None
        None: the one that the environment names.
    """

    def __init__(self, table: str, session: Any = None) -> None:
        self.database, self.name = table_names(table)
        self.session = session
        self._client: Any = None

    def __str__(self) -> str:
        return f"{self.database}.{self.name}"

    def check_database(self, *, create: bool) -> None:
        """Raise DatabaseNotFoundError where there is no such database, or make it."""
        with self._asked():
            if create:
                with contextlib.suppress(self._glue.exceptions.AlreadyExistsException):
                    self._glue.create_database(DatabaseInput={"Name": self.database})
                return
            try:
                self._glue.get_database(Name=self.database)
            except self._glue.exceptions.EntityNotFoundException:
                pages = self._glue.get_paginator("get_databases").paginate()
                names = [d["Name"] for page in pages for d in page["DatabaseList"]]
                raise DatabaseNotFoundError(
                    f"The Glue catalog has no database {self.database!r}. {did_you_mean(self.database, names)} "
                    "create_database=True makes it."
                ) from None

    def entry(self) -> dict[str, Any] | None:
        """Return what Glue says of the table; None where there is none."""
        with self._asked():
            try:
                found: dict[str, Any] = self._glue.get_table(DatabaseName=self.database, Name=self.name)["Table"]
            except self._glue.exceptions.EntityNotFoundException:
                return None
            return found

    def create(self, location: str, columns: Mapping[str, str], partitions: Mapping[str, str], **said: Any) -> None:
        """Make the table by awswrangler, or add the columns that it lacks and what is said of it.

        Parameters
        ----------
        columns, partitions
            Types in Hive's words.
        **said
            `description`, `parameters`, `columns_comments`, `columns_parameters` as in awswrangler.
        """
        import awswrangler as wr

        with self._asked():
            wr.catalog.create_parquet_table(
                self.database,
                self.name,
                location.rstrip("/") + "/",
                columns_types=dict(columns),
                partitions_types=dict(partitions),
                compression="zstd",
                mode="append",  # "overwrite" would remove the partitions of one who was faster
                boto3_session=self.session,
                **said,
            )

    def move(self, location: str) -> Callable[[], None]:
        """Let the table lie elsewhere, with one request; return what takes it back."""
        with self._asked():
            entry = self.entry() or {}
            before = {k: v for k, v in entry.items() if k not in _NOT_FOR_INPUT}
            storage = {**before["StorageDescriptor"], "Location": location.rstrip("/") + "/"}
            self._glue.update_table(DatabaseName=self.database, TableInput={**before, "StorageDescriptor": storage})
            return lambda: self._glue.update_table(DatabaseName=self.database, TableInput=before)

    def delete(self) -> None:
        """Remove the table from the catalog; its files stay."""
        with self._asked():
            self._glue.delete_table(DatabaseName=self.database, Name=self.name)

    # --- partitions

    def partitions(self) -> dict[Values, str]:
        """Return the place of every partition by its values."""
        with self._asked():
            pages = self._glue.get_paginator("get_partitions").paginate(
                DatabaseName=self.database, TableName=self.name, ExcludeColumnSchema=True
            )
            found = (p for page in pages for p in page["Partitions"])
            return {_from_glue(p["Values"]): p["StorageDescriptor"]["Location"] for p in found}

    def change(
        self, *, add: Mapping[Values, str], move: Mapping[Values, str], remove: Iterable[Values]
    ) -> Callable[[], None]:
        """Add, move and remove partitions: all, or none when something fails.

        One request takes 100 partitions, and in between a reader may see some changed and some not. A partition that
        another run added meanwhile at the same place counts as added. What was changed is looked up afterwards.

        Returns
        -------
        callable
            Takes everything back.

        Raises
        ------
        EngineError
            Glue refuses; it names the partition. Everything is as it was, or the message says what is not.
        """
        undo: list[Callable[[], Any]] = []
        remove = list(remove)
        if not (add or move or remove):
            return lambda: None
        try:
            with self._asked():
                storage = (self.entry() or {}).get("StorageDescriptor", {})
                self._move(move, storage, undo)
                self._add(add, storage, undo)
                self._remove(remove, undo)
                self._check([*add, *move])
        except BaseException as problem:
            left = _take_back(undo)
            if left and isinstance(problem, EngineError):
                raise EngineError(f"{problem} It could not be taken back: {left}.") from problem
            raise
        return lambda: self._taken_back(undo)

    def bring(self, there: Mapping[Values, str]) -> tuple[list[Values], list[Values]]:
        """Let the catalog have these partitions and no others; return those that are new or moved, and those gone."""
        stated = self.partitions()
        add = {v: place for v, place in there.items() if v not in stated}
        move = {v: place for v, place in there.items() if v in stated and not _same(stated[v], place)}
        gone = sorted((v for v in stated if v not in there), key=str)
        self.change(add=add, move=move, remove=gone)
        return [v for v in there if v in add or v in move], gone

    def _taken_back(self, undo: list[Callable[[], Any]]) -> None:
        left = _take_back(undo)
        if left:
            raise EngineError(f"The partitions of {self} could not be taken back: {left}.")

    def _add(self, add: Mapping[Values, str], storage: Any, undo: list[Callable[[], Any]]) -> None:
        for some in _chunks(list(add), _CREATED):
            inputs = [_input(v, add[v], storage) for v in some]
            undo.append(lambda some=some: self._delete(some))  # type: ignore[misc] # before: an answer may be lost
            told = self._glue.batch_create_partition(**self._where, PartitionInputList=inputs).get("Errors", [])
            refused = {_from_glue(e["PartitionValues"]): e["ErrorDetail"] for e in told}
            made = [v for v in some if v not in refused]
            undo[-1] = lambda made=made: self._delete(made)  # type: ignore[misc]
            for values, detail in refused.items():
                self._check_refused(values, add[values], detail)

    def _check_refused(self, values: Values, location: str, detail: Mapping[str, str]) -> None:
        code = str(detail.get("ErrorCode", ""))
        if code == "AlreadyExistsException":
            found = self._found([values])
            if values in found and _same(str(found[values]["StorageDescriptor"]["Location"]), location):
                return
            code = "another run added it meanwhile, at another place. Write once more"
        raise EngineError(f"The Glue catalog did not add the partition {_shown(values)} of {self}: {code}.")

    def _move(self, move: Mapping[Values, str], storage: Any, undo: list[Callable[[], Any]]) -> None:
        for some in _chunks(list(move), _CREATED):
            before = self._found(some)
            back = [
                _entry(v, _input(v, p["StorageDescriptor"]["Location"], p["StorageDescriptor"], p))
                for v, p in before.items()
            ]
            undo.append(lambda back=back: self._update(back))  # type: ignore[misc]
            self._update([_entry(v, _input(v, move[v], storage)) for v in some])

    def _update(self, entries: list[dict[str, Any]]) -> None:
        told = self._glue.batch_update_partition(**self._where, Entries=entries).get("Errors", [])
        if told:
            values = _from_glue(told[0]["PartitionValueList"])
            code = told[0]["ErrorDetail"].get("ErrorCode", "")
            raise EngineError(f"The Glue catalog did not change the partition {_shown(values)} of {self}: {code}.")

    def _remove(self, remove: list[Values], undo: list[Callable[[], Any]]) -> None:
        for some in _chunks(remove, _DELETED):
            before = self._found(some)
            back = [_input(v, p["StorageDescriptor"]["Location"], p["StorageDescriptor"], p) for v, p in before.items()]
            undo.append(
                lambda back=back: self._glue.batch_create_partition(**self._where, PartitionInputList=back)  # type: ignore[misc]
            )
            self._delete(some)

    def _delete(self, some: list[Values]) -> None:
        for few in _chunks(some, _DELETED):
            told = self._glue.batch_delete_partition(
                **self._where, PartitionsToDelete=[{"Values": _to_glue(v)} for v in few]
            ).get("Errors", [])
            told = [e for e in told if e["ErrorDetail"].get("ErrorCode") != "EntityNotFoundException"]
            if told:
                values = _from_glue(told[0]["PartitionValues"])
                raise EngineError(f"The Glue catalog did not remove the partition {_shown(values)} of {self}.")

    def _check(self, wanted: list[Values]) -> None:
        absent = [
            v for some in _chunks(wanted, _ASKED) for found in [self._found(some)] for v in some if v not in found
        ]
        if absent:
            raise EngineError(f"The Glue catalog has no partition {_shown(absent[0])} of {self} after it was added.")

    def _found(self, some: Sequence[Values]) -> dict[Values, Any]:
        found: dict[Values, Any] = {}
        ask = [{"Values": _to_glue(v)} for v in some]
        while ask:
            told = self._glue.batch_get_partition(**self._where, PartitionsToGet=ask)
            found |= {_from_glue(p["Values"]): p for p in told.get("Partitions", [])}
            ask = told.get("UnprocessedKeys") or []
        return found

    # --- asking

    @property
    def _where(self) -> dict[str, str]:
        return {"DatabaseName": self.database, "TableName": self.name}

    @property
    def _glue(self) -> Any:
        if self._client is None:
            import boto3

            self._client = (self.session or boto3).client("glue")
        return self._client

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as problem:
            code = (getattr(problem, "response", None) or {}).get("Error", {}).get("Code", "")
            why = ""
            if code in ("AccessDeniedException", "AccessDenied"):
                why = f"The permission glue:{getattr(problem, 'operation_name', '')} is missing. "
            raise EngineError(f"The Glue catalog refused {self}: {why}{problem}") from problem


def table_names(table: str) -> tuple[str, str]:
    """Return database and table of a name; ConfigError for a name that Athena does not take."""
    import re

    parts = split_name(table)
    if len(parts) != 2:
        raise ConfigError(f"Name the table as database.table, not {table!r}.")
    taken = tuple(re.sub(r"[^a-z0-9_]", "_", p.lower()) for p in parts)
    if taken != tuple(parts):
        raise ConfigError(f"The Glue catalog takes no name such as {table!r}. Give {'.'.join(taken)}, for example.")
    return taken[0], taken[1]


def _take_back(undo: list[Callable[[], Any]]) -> str:
    """Take back in the opposite order; return what could not be, as text."""
    left = []
    while undo:
        try:
            undo.pop()()
        except Exception as problem:  # noqa: BLE001 - whatever it was, the rest is taken back, and it is told
            left.append(str(problem))
    return "; ".join(left)


def _input(values: Values, location: str, storage: Any, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    more = {"Parameters": before["Parameters"]} if before and before.get("Parameters") else {}
    return {"Values": _to_glue(values), "StorageDescriptor": {**storage, "Location": location}, **more}


def _entry(values: Values, given: dict[str, Any]) -> dict[str, Any]:
    return {"PartitionValueList": _to_glue(values), "PartitionInput": given}


def _to_glue(values: Values) -> list[str]:
    return [NULL_PARTITION if v is None else v for v in values]


def _from_glue(values: Iterable[str]) -> Values:
    return tuple(None if v == NULL_PARTITION else v for v in values)


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _shown(values: Values) -> str:
    return "/".join("NULL" if v is None else v for v in values)


def _chunks(things: Sequence[Any], size: int) -> Iterator[Any]:
    for start in range(0, len(things), size):
        yield things[start : start + size]
