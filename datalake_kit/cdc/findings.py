"""Differences in words: one finding a key."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from datalake_kit.cdc.compare import DUPLICATE, Aligned
from datalake_kit.cdc.cuts import shown
from datalake_kit.cdc.details import Changed, Difference
from datalake_kit.cdc.explain import Explanation
from datalake_kit.cdc.table_check import TO_LAKE, TableCheck


class Told:
    """Adds findings to a check; values of masked columns are not shown, keys of masked columns as short digests."""

    def __init__(
        self, check: TableCheck, aligned: Aligned, mask: Collection[str], has_sequence: bool, hop: str = TO_LAKE
    ) -> None:
        self._check, self._hop, self._has_sequence = check, hop, has_sequence
        hidden = {name.casefold() for name in mask}
        self._masked_keys = [p.name.casefold() in hidden for p in aligned.keys]
        self._sequences = [p.is_sequence for p in aligned.keys]

    def add(self, one: Difference, changed: Changed | None, reason: Explanation, commit: str | None) -> None:
        """Add one finding."""
        text = reason.text
        if one.kind == DUPLICATE:
            text = f"{text} ({len(one.lake)} rows; {_state(one)})"
        self._check.note(
            one.kind,
            hop=self._hop,
            key=masked_key(self._as_stored(one.key), self._masked_keys),
            column=", ".join(changed.columns) if changed else None,
            before=changed.told(changed.before) if changed else self._rows(one.expected_sequences),
            after=changed.told(changed.after) if changed else self._rows(one.lake_sequences),
            file=reason.file,
            commit=reason.commit or commit,
            explanation=text,
            brief=reason.short,
        )

    def _as_stored(self, key: Any) -> Any:
        """A key whose sequence (mode H) has no zeros before it that only order it."""
        if not any(self._sequences) or not isinstance(key, tuple):
            return key
        return tuple(shown(k) if is_sequence else k for k, is_sequence in zip(key, self._sequences, strict=True))

    def _rows(self, sequences: Sequence[str]) -> str | None:
        """The sequences of rows as text; a full-load row has none."""
        if not sequences:
            return None
        if not self._has_sequence:
            return f"{len(sequences)} rows" if len(sequences) > 1 else "a row"
        return ", ".join(shown(s) or "full load" for s in sequences)


def _state(one: Difference) -> str:
    """Whether the newest row of a key with several is right."""
    if not one.expected:
        return "there should be none"
    return "the newest is right" if set(one.expected) & set(one.lake) else "the newest is not right"


def masked_key(key: Any, masked: Sequence[bool]) -> Any:
    """A key without the values of masked columns."""
    if not any(masked):
        return key
    parts = key if isinstance(key, tuple) else (key,)
    shown = [short_digest(part) if hide else part for part, hide in zip(parts, masked, strict=True)]
    return shown[0] if len(shown) == 1 else tuple(shown)


def hidden_key(key: Any, names: Sequence[str], mask: Collection[str]) -> Any:
    """A key without the values of masked columns; where its parts are not those of `names`, every part is hidden."""
    hidden = {name.casefold() for name in mask}
    masked = [name.casefold() in hidden for name in names]
    if not any(masked) or key is None:
        return key
    parts = len(key) if isinstance(key, tuple) else 1
    return masked_key(key, masked if len(masked) == parts else [True] * parts)


def short_digest(value: Any) -> str:
    """Eight hexadecimal digits that stand for a value that is not shown."""
    return "***" + hashlib.blake2b(repr(value).encode(), digest_size=4).hexdigest()
