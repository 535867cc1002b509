"""Landed files on S3, copied to a private folder for as long as their issues are in use."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

from datalake_kit.storage import Place, S3Path, for_each


class LocalFiles:
    """Files that can be read locally: those of a folder as they are, those on S3 as copies.

    A copy keeps name and time of its file, by which versions are put in order. The copies are removed with this object.

    Attributes
    ----------
    paths : list of Path
        In the order given.
    """

    def __init__(self, files: Iterable[Place]) -> None:
        places = list(files)
        self._folder: Path | None = None
        self._shown: dict[str, str] = {}
        if any(isinstance(p, S3Path) for p in places):
            self._folder = Path(tempfile.mkdtemp(prefix="datalake-kit-jira-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self.paths = for_each(self._local, places)

    def shown(self, path: str) -> str:
        """Return the place that a local path stands for, as text."""
        return self._shown.get(path, path)

    def explained(self, text: str) -> str:
        """Return a text with the places instead of their copies."""
        for path, shown in self._shown.items():
            text = text.replace(path, shown)
        return text

    def _local(self, place: Place) -> Path:
        if not isinstance(place, S3Path):
            return place
        if self._folder is None:
            raise AssertionError("the folder is made where there is a file on S3")
        copy = self._folder / place.bucket / place.key
        copy.parent.mkdir(parents=True, exist_ok=True)
        place.download(copy)
        moment = place.stat().st_mtime_ns
        os.utime(copy, ns=(moment, moment))
        self._shown[str(copy)] = str(place)
        return copy
