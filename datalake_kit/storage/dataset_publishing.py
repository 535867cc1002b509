"""Files that were sent become a dataset on S3: where they go, what the catalog says of them, which old ones go."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from datalake_kit.engines.types import hive_type
from datalake_kit.errors import EngineError
from datalake_kit.storage.dataset_files import NewFile
from datalake_kit.storage.dataset_reading import StoredDataset
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.listing import list_files, place
from datalake_kit.storage.partition_names import Values, folder_of
from datalake_kit.storage.s3 import S3Path

__all__ = ["Publication"]


class Publication:
    """One write to a dataset on S3."""

    def __init__(
        self,
        root: S3Path,
        glue: GlueTable | None,
        stored: StoredDataset | None,
        keys: tuple[str, ...],
        mode: str,
        run: str,
    ) -> None:
        self.root, self.glue, self.stored, self.keys, self.mode, self.run = root, glue, stored, keys, mode, run
        self._stated: dict[Values, str] = {}  # places as the catalog had them at the beginning
        if glue is not None and stored is not None:
            own = str(getattr(stored, "location", root))
            self._stated = glue.partitions() if keys else {(): own}
        self._chosen: dict[Values, S3Path] = {}
        self._old: list[str] = []

    def place_of(self, file: NewFile) -> S3Path:
        """Return where a file goes."""
        if file.values not in self._chosen:
            self._chosen[file.values] = self._folder(file.values)
        return self._chosen[file.values] / file.path.name

    def publish(self, schema: pa.Schema, places: Mapping[Values, S3Path], said: Mapping[str, Any]) -> None:
        """Let the catalog show the files, which have appeared; it is as it was when something fails."""
        if self.glue is None:
            return
        undo: list[Callable[[], Any]] = []
        try:
            self._bring_table(schema, said, undo)
            if self.keys:
                self._bring_partitions({v: str(p) for v, p in places.items()})
            elif places and self.mode != "append" and self.stored is not None:
                before = (self.glue.entry() or {})["StorageDescriptor"]["Location"]
                self.glue.move(str(places[()]))
                self._old = [before]
        except BaseException:
            for act in reversed(undo):
                with contextlib.suppress(Exception):
                    act()
            raise

    def replaced(self) -> list[S3Path]:
        """Return the old files that count no more; those outside the dataset's own place are left alone."""
        if self.mode == "append" or self.stored is None:
            return []
        if self.glue is None:
            files = self.stored.files
            old = [f.place for f in files if self.mode == "overwrite" or f.values in self._chosen]
        else:
            below = [p for p in map(place, self._old) if isinstance(p, S3Path) and p.is_relative_to(self.root)]
            old = [f for p in below for f in list_files(p)]
        new = self.root / self.run
        return [f for f in old if isinstance(f, S3Path) and not f.is_relative_to(new)]

    def _folder(self, values: Values) -> S3Path:
        name = folder_of(self.keys, values)
        if self.glue is None:
            return self.root / name
        known = self._stated.get(values)
        if known is not None and self.mode == "append":
            found = place(known)
            assert isinstance(found, S3Path)
            return found
        # what a run left that was killed before the catalog knew it must not come up with the new files
        is_free = known is None and self.mode != "overwrite" and not (self.root / name).is_dir()
        return self.root / name if is_free or (self.stored is None and not name) else self.root / self.run / name

    def _bring_table(self, schema: pa.Schema, said: Mapping[str, Any], undo: list[Callable[[], Any]]) -> None:
        glue = self.glue
        assert glue is not None
        types = {f.name: hive_type(f.type) for f in schema}
        known = {f.name for f in self.stored.schema} if self.stored is not None else set()
        more = {k: v for k, v in said.items() if v}
        if self.stored is not None and set(types) <= known and not more:
            return
        is_new = glue.entry() is None
        within = {n: t for n, t in types.items() if n not in self.keys}
        glue.create(str(self.root), within, {k: types[k] for k in self.keys}, **more)
        if is_new:
            undo.append(glue.delete)

    def _bring_partitions(self, places: Mapping[Values, str]) -> None:
        glue = self.glue
        assert glue is not None
        stated = glue.partitions()
        if self.mode == "append":
            for values in places:
                before = self._stated.get(values)
                if before is not None and stated.get(values, "").rstrip("/") != before.rstrip("/"):
                    raise EngineError(
                        f"The partition {'/'.join(map(str, values))} of {glue} was replaced by another run meanwhile. "
                        "Nothing was written; write once more."
                    )
            glue.change(add={v: p for v, p in places.items() if v not in self._stated}, move={}, remove=[])
            return
        move = {v: p for v, p in places.items() if v in stated}
        gone = [v for v in stated if v not in places] if self.mode == "overwrite" else []
        glue.change(add={v: p for v, p in places.items() if v not in stated}, move=move, remove=gone)
        self._old = [stated[v] for v in [*move, *gone]]
