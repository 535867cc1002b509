"""What is said of files that were never processed: which, why, and since when. Pure: plain Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from datalake_kit.cdc.explain.bench import Bench
from datalake_kit.cdc.explain.case import (
    DROPPED_SECOND,
    LAG,
    LOAD_FAILED,
    NOT_COMMITTED,
    PART_WITHHELD,
    STOPPED,
    WITHHELD,
    Case,
    Fault,
)
from datalake_kit.cdc.explain.withheld import Withheld

_DATE_FOLDER = re.compile(r"^(\d{1,2}|\d{4}|\d{4}[-_]?\d{2}|\d{4}[-_]?\d{2}[-_]?\d{2}([-_]?\d{2})?)$")
_LOAD_NAME = re.compile(r"^LOAD[0-9A-F]{8}$", re.IGNORECASE)


@dataclass(frozen=True)
class Reason:
    """Why some files were never processed: the cause, the words, the commit, and words for many keys together."""

    cause: str
    text: str
    commit: str | None = None
    brief: str = ""


def is_load(name: str) -> bool:
    """Whether a staged file is a part of the full load."""
    return bool(_LOAD_NAME.match(name.rsplit("/", 1)[-1].partition(".")[0]))


def is_undated(name: str) -> bool:
    """Whether a change file lies beside the full load, not in a folder of its date."""
    folders = name.split("/")[:-1]
    return not is_load(name) and not (folders and _DATE_FOLDER.match(folders[-1]))


def reason_of(bench: Bench, withheld: Withheld, files: frozenset[int]) -> Reason:
    """Say of some of the files never processed why they were not, as far as the case tells."""
    case = bench.case
    names = case.names(files)
    verb = "were" if len(files) > 1 else "was"
    never = f"{names} {verb} never processed"
    if _landed_with_load(bench, files):
        text = f"{never}: landed in the second of the full load, and what lands then is marked processed and dropped"
        return Reason(DROPPED_SECOND, text)
    if all(is_load(case.file_names[f]) for f in files) and files <= set(case.null_ordering):
        text = f"{never}: NULL in the ordering column makes the upsert of a full load fail, and later files went in"
        return Reason(LOAD_FAILED, text)
    marks = {case.processed[f] for f in files} if case.processed else {None}
    if marks == {False}:
        return Reason(LAG, f"{names} {verb} not yet processed{_since(case, files)}")
    marked = f"{names} {verb} marked as processed, and what {verb} in it is not in the table"
    never = marked if marks == {True} else never
    commit = _pending_commit(case, files)
    if commit is not None:
        return Reason(NOT_COMMITTED, f"{never}: {_lowered(commit.problem)}", commit.commit)
    if withheld.stopped:
        return _stopped(case, withheld, files, never)
    if max(files) == len(case.file_names) - 1 and marks == {None}:
        never = f"{never} (or not yet: nothing newer is staged)"
    return Reason(WITHHELD, never)


def part_reason(case: Case, file: int, part: str) -> Reason:
    """Say of the deletes, or of the other changes, of a file that they were never processed; `part` names them."""
    text = f"the {part} of {case.file_names[file]} were never processed"
    commits = case.commits or [""] * len(case.file_names)
    before = max((c for c in commits[:file] if c), default="")  # its own commit may be that of the rest
    after = min((c for c in commits[file + 1 :] if c), default="")
    commit = _only(case, before, after)
    if commit is None:
        return Reason(PART_WITHHELD, text)
    return Reason(NOT_COMMITTED, f"{text}: {_lowered(commit.problem)}", commit.commit)


def _landed_with_load(bench: Bench, files: frozenset[int]) -> bool:
    """Whether files landed in the second of the full load, and no other file that did was processed."""
    case = bench.case
    seconds = {n: t.replace(microsecond=0) for n, t in enumerate(case.landed) if t is not None}
    loads = {seconds.get(n) for n, name in enumerate(case.file_names) if is_load(name)} - {None}
    then = {n for n, t in seconds.items() if t in loads and not is_load(case.file_names[n])}
    return bool(then) and files <= then and then <= bench.untraced


def _since(case: Case, files: frozenset[int]) -> str:
    times = [case.landed[f] for f in files] if case.landed else []
    known = [t for t in times if t is not None]
    return f": landed {min(known):%Y-%m-%d %H:%M:%S} UTC" if known else ""


def _pending_commit(case: Case, files: frozenset[int]) -> Fault | None:
    """The one commit that was begun and not completed, when the files can have been its content.

    It must lie after the commits of the files before and before those of the files after.
    """
    commits = case.commits or [""] * len(case.file_names)
    before = max((c for c in commits[: min(files)] if c), default="")
    after = min((c for c in commits[max(files) + 1 :] if c), default="")
    return _only(case, before, after)


def _only(case: Case, before: str, after: str) -> Fault | None:
    between = {p.commit: p for p in case.pending if p.commit > before and (not after or p.commit < after)}
    return next(iter(between.values())) if len(between) == 1 else None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _stopped(case: Case, withheld: Withheld, files: frozenset[int], never: str) -> Reason:
    first = min(withheld.files)
    if first == 0:
        brief = "nothing of the staged files was ever processed"
        return Reason(STOPPED, f"{never}: {brief}", brief=brief)
    where = f" (commit {case.last_commit})" if case.last_commit else ""
    after = f"after {case.file_names[first - 1]}{where}"
    later = " (or not yet: nothing newer is staged)" if not case.processed else ""
    text = f"{never}: the run stopped {after}{later}"
    brief = f"the run stopped {after}, and the {len(withheld.files)} files that follow were never processed{later}"
    return Reason(STOPPED, text, case.last_commit or None, brief)
