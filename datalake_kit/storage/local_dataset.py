"""A dataset in a local folder, replaced in one step: the new folder is made beside it, then the two change places.

Files that stay are linked, not copied. A reader sees the table before or after; a run that is killed leaves it as it
was. Where the system cannot exchange two folders in one step there is a moment between two renames.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from datalake_kit.storage.claiming import claim_folder

__all__ = ["replace_folder"]

_PREFIX = "._dataset-"  # made and removed under the lock of the folder above
_EXCHANGE = 2  # RENAME_EXCHANGE
_HERE = -100  # AT_FDCWD


def replace_folder(
    target: Path, added: Callable[[], Iterable[tuple[Path, str]]], kept: Callable[[Path], Iterable[Path]]
) -> None:
    """Give a folder new files in one step.

    Parameters
    ----------
    added
        Called under the lock: the new files, each with its name relative to the folder; they are moved.
    kept
        Called under the lock with the folder: which of its files stay.
    """
    with claim_folder(target.parent):
        for left in target.parent.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        made = target.parent / f"{_PREFIX}{secrets.token_hex(8)}"
        try:
            made.mkdir()
            for file in kept(target) if target.is_dir() else ():
                _link(file, made / file.relative_to(target))
            for source, name in added():
                there = made / name
                there.parent.mkdir(parents=True, exist_ok=True)
                _move(source, there)
            _put(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)  # now the old one, or the new one when something failed


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.resolve())
        return
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
        source.unlink()


def _put(made: Path, target: Path) -> None:
    if not target.exists():
        made.rename(target)
        return
    made.chmod(target.stat().st_mode & 0o7777)
    if _exchange(made, target):
        return
    aside = made.with_name(f"{made.name}-old")
    target.rename(aside)
    try:
        made.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change their names in one step; False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), ctypes.c_uint(_EXCHANGE)) == 0)
