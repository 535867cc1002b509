"""Which rule a field follows: from Jira's own fields, from a field's schema, else from the shape of its values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from datalake_kit.jira.fields import desk_rules, known_fields, rules
from datalake_kit.jira.fields.names import FieldInfo
from datalake_kit.jira.fields.rules import Rule
from datalake_kit.jira.fields.sprint_text import is_sprint_text, text_pairs

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")


def _is_sprints(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(is_sprint_text(item) or _is_sprint_object(item) for item in items)


def _is_sprint_object(item: Any) -> bool:
    folded = {key.casefold() for key in item} if isinstance(item, dict) else set()
    return {"name", "state"} <= folded and bool({"boardid", "originboardid"} & folded)


# Rules whose values have a shape of their own, which tells them from others.
_BY_LOOK: tuple[tuple[Rule, Callable[[Any], bool]], ...] = (
    (rules.SPRINT, _is_sprints),
    (desk_rules.SLA, desk_rules.is_sla),
    (desk_rules.REQUEST_TYPE, desk_rules.is_request_type),
    (desk_rules.APPROVALS, desk_rules.is_approvals),
    (desk_rules.CHECKLIST, desk_rules.is_checklist),
    (desk_rules.DEVELOPMENT, desk_rules.is_development),
    (desk_rules.PARENT_LINK, desk_rules.is_parent_link),
)


@dataclass
class Profile:
    """What was seen of one field: kinds of JSON value, some values, whether an object was empty, keys of objects."""

    kinds: set[str] = field(default_factory=set)
    examples: list[Any] = field(default_factory=list)
    has_empty_object: bool = False
    keys: set[str] = field(default_factory=set)

    def see(self, value: Any) -> None:
        """Take note of one value; null and empty lists and objects hold nothing."""
        if value is None:
            return
        kind = _kind(value)
        if kind in ("array", "object") and not value:
            self.has_empty_object |= kind == "object"
            return
        self.kinds.add(kind)
        self.examples.append(value)
        if kind in ("array", "object") or is_sprint_text(value):
            self.keys.update(_keys(value))

    @property
    def holds(self) -> bool:
        """Whether any value was seen."""
        return bool(self.kinds)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _keys(value: Any, depth: int = 4) -> Iterator[str]:
    """Dotted keys of the leaves of an object, or of the objects of a list, some levels deep."""
    for item in value if isinstance(value, list) else [value]:
        if is_sprint_text(item):
            item = text_pairs(item)
        if isinstance(item, dict):
            for key, inner in item.items():
                escaped = key.replace(".", "\\.")
                if isinstance(inner, dict) and depth > 1:
                    yield from (f"{escaped}.{k}" for k in _keys(inner, depth - 1))
                elif inner is not None and inner != []:
                    yield escaped


def unused_keys(rule: Rule, seen: Profile) -> list[str]:
    """Keys of a field's objects that no column of its rule holds."""
    if rule.whole is None or not seen.keys:
        return []
    folded = {key.casefold() for key in seen.keys}
    twins = _twins(seen) if len(folded) < len(seen.keys) else set()
    used = {next((key.casefold() for key in group if key.casefold() in folded), "") for group in rule.used}
    return sorted(key for key in seen.keys if key.casefold() not in used or key.casefold() in twins)


def _twins(seen: Profile) -> set[str]:
    """Keys, folded, that one value has in letters of two kinds: a column holds one of them."""
    twins: set[str] = set()
    for value in seen.examples:
        times = Counter(key.casefold() for key in set(_keys(value)))
        twins.update(key for key, n in times.items() if n > 1)
    return twins


def noteworthy_keys(rule: Rule, seen: Profile) -> list[str]:
    """Unused keys that say something of the issue: where there are such, its objects are kept as JSON."""
    aside = {key.casefold() for key in rule.aside}
    decorative = {key.casefold() for key in rules.DECORATIVE}

    def tells(key: str) -> bool:
        steps = key.casefold().split(".")
        above = {".".join(steps[:n]) for n in range(1, len(steps) + 1)}
        return not (aside & above or decorative & set(steps))

    return [key for key in unused_keys(rule, seen) if tells(key)]


def profile(documents: Iterable[str]) -> dict[str, Profile]:
    """Look at documents (JSON text of `fields`): what each field holds."""
    seen: dict[str, Profile] = {}
    for text in documents:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):  # too deep for Python; DuckDB reads it, its fields are looked at singly
            continue
        for key, value in fields.items():
            at = seen.get(key)
            if at is None:  # not by setdefault, which would make a profile for each value
                at = seen[key] = Profile()
            at.see(value)
    return seen


def profile_values(texts: Iterable[str]) -> Profile:
    """Look at values of one field, each as JSON text."""
    seen = Profile()
    for text in texts:
        try:
            seen.see(json.loads(text))
        except RecursionError:
            seen.kinds.add("array" if text.startswith("[") else "object")
    return seen


def has_fixed_rule(key: str) -> bool:
    """Whether a field is one of Jira's own whose rule does not depend on what it holds."""
    known = known_fields.SYSTEM.get(key.casefold())
    return known is not None and known[1] is not None


def choose_rule(info: FieldInfo, seen: Profile) -> Rule:
    """Choose the rule of a field.

    A schema decides when the values have a shape that its rule can read; without values, or with a schema that says
    nothing, the shape decides.
    """
    return _in_letters_of(seen, explain_rule(info, seen)[0])


def explain_rule(info: FieldInfo, seen: Profile) -> tuple[Rule, str]:
    """The rule of a field, and what decided: that it is Jira's own, its schema, or its values."""
    by_system = known_fields.SYSTEM.get(info.id.casefold())
    if by_system and by_system[1]:
        return by_system[1], "Jira's own"
    by_schema = _schema_rule(info)
    if by_schema and (not seen.holds or _fits(by_schema, seen)):
        return by_schema, "schema"
    return shape_rule(seen), "values, not as the schema says" if by_schema else "values"


def _in_letters_of(seen: Profile, rule: Rule) -> Rule:
    """A rule for keys in the letters that were seen: Athena folds them. In more than one way Python reads them."""
    spelt = set(_shape_keys(rule.shape))
    steps = {step for key in seen.keys for step in key.split(".")}
    otherwise = {step for step in steps - spelt if step.casefold() in {key.casefold() for key in spelt}}
    if not otherwise:
        return rule
    folded = all(step == step.casefold() for step in otherwise)
    if folded and all(key == key.casefold() for key in steps & spelt):
        return replace(rule, shape=_folded(rule.shape))
    return replace(rule, sql=())


def _shape_keys(shape: Any) -> Iterator[str]:
    for element in shape if isinstance(shape, list) else [shape]:
        if isinstance(element, dict):
            for key, inner in element.items():
                yield key
                yield from _shape_keys(inner)


def _folded(shape: Any) -> Any:
    if isinstance(shape, list):
        return [_folded(element) for element in shape]
    return {key.casefold(): _folded(inner) for key, inner in shape.items()} if isinstance(shape, dict) else shape


def _schema_rule(info: FieldInfo) -> Rule | None:
    custom = (info.custom or "").rsplit(":", 1)[-1]
    if custom in known_fields.BY_CUSTOM_TYPE:
        return known_fields.BY_CUSTOM_TYPE[custom]
    if info.type == "array":
        return known_fields.BY_ITEMS.get(info.items or "")
    return known_fields.BY_TYPE.get(info.type or "")


def _fits(rule: Rule, seen: Profile) -> bool:
    """Whether the values seen are of a kind that the rule is made for; a text is taken by most."""
    for special, fits in _BY_LOOK:
        if rule is special:
            return _look_like(fits, seen)
    if rule is rules.TEXT:
        return seen.kinds <= {"string"}
    if rule.scalar:
        return seen.kinds <= {"string", "number", "boolean"} and _scalar_shape(seen, wanted=rule) is rule
    usual = "array" if rule.is_list else "object"
    return usual in seen.kinds and seen.kinds <= {usual, "string"}


def shape_rule(seen: Profile) -> Rule:
    """The rule that the values' own shape asks for."""
    for rule, fits in _BY_LOOK:
        if _look_like(fits, seen) and not _only_errors(seen):
            return rule
    kinds = seen.kinds - {"string"}
    if not kinds or kinds <= {"number", "boolean"}:
        return _development_or_scalar(seen)
    if kinds == {"object"}:
        return _object_shape([v for v in seen.examples if isinstance(v, dict)])
    if kinds == {"array"}:
        return _array_shape(seen)
    return rules.JSON


def _look_like(fits: Callable[[Any], bool], seen: Profile) -> bool:
    """Whether the values are of a shape of their own; older servers send a text in place of some."""
    if not all(fits(value) for value in seen.examples if not isinstance(value, str)):
        return False
    return any(fits(value) for value in seen.examples)


def _only_errors(seen: Profile) -> bool:
    """Whether only messages of errors were seen: of what, nobody can tell."""
    return {key.casefold() for key in seen.keys} == {"errormessage"}


def _development_or_scalar(seen: Profile) -> Rule:
    texts = [v for v in seen.examples if v != "{}"]  # what the development panel tells of nothing
    if texts and all(desk_rules.is_development(v) for v in texts):
        return desk_rules.DEVELOPMENT
    return _scalar_shape(seen)


def _scalar_shape(seen: Profile, wanted: Rule | None = None) -> Rule:
    """Number if any value came as one and all can be read so; then dates; else text."""
    texts = [v for v in seen.examples if isinstance(v, str)]
    if seen.kinds == {"boolean"}:
        return rules.BOOLEAN
    if "boolean" in seen.kinds:
        return rules.TEXT
    if "number" in seen.kinds or wanted is rules.NUMBER:
        return rules.NUMBER if all(_NUMBER.fullmatch(t) for t in texts) else rules.TEXT
    if texts and all(_DATE.fullmatch(t) for t in texts):
        return rules.DATE
    if texts and all(_DATETIME.fullmatch(t) for t in texts):
        return rules.DATETIME
    return rules.TEXT


def looks_numeric(seen: Profile) -> bool:
    """Whether every example is a text that could be a number: then one real number anywhere would decide."""
    return bool(seen.examples) and all(isinstance(v, str) and _NUMBER.fullmatch(v) for v in seen.examples)


def _is_user(value: dict[str, Any]) -> bool:
    folded = {key.casefold() for key in value}
    named = "displayname" in folded and "languagecode" not in folded
    return "accountid" in folded or named or {"emailaddress", "name"} <= folded


def _is_team(value: dict[str, Any]) -> bool:
    folded = {key.casefold() for key in value}
    return bool({"name", "title"} & folded) and bool({"isvisible", "isshared", "isverified"} & folded)


def _is_asset(value: dict[str, Any]) -> bool:
    folded = {key.casefold() for key in value}
    return "objectid" in folded and bool({"workspaceid", "objectkey"} & folded)


def _all(values: list[dict[str, Any]], key: str, known: frozenset[str]) -> bool:
    """Whether every object has a key, and none has keys that such objects do not have; in whatever letters."""
    allowed = {name.casefold() for name in known}
    keys = [{name.casefold() for name in value} for value in values]
    return bool(values) and all(key.casefold() in found and found <= allowed for found in keys)


def _object_shape(values: list[dict[str, Any]]) -> Rule:
    if values and all(_is_user(v) for v in values):
        return rules.USER
    if _all(values, "value", known_fields.OPTION_KEYS):
        return rules.CASCADING if any(rules.pick(v, "child") for v in values) else rules.OPTION
    if _all(values, "rating", frozenset({"rating", "comment"})):
        return desk_rules.RATING
    if _all(values, "languageCode", frozenset({"languageCode", "displayName"})):
        return desk_rules.LANGUAGE
    if values and all(_is_team(v) for v in values):
        return desk_rules.TEAM
    if _all(values, "key", known_fields.NAMED_KEYS | {"projectTypeKey", "simplified", "projectCategory"}):
        return rules.PROJECT
    return rules.NAMED if _all(values, "name", known_fields.NAMED_KEYS) else rules.JSON


def _array_shape(seen: Profile) -> Rule:
    items = [i for v in seen.examples for i in (v if isinstance(v, list) else [v])]
    if all(isinstance(i, str) for i in items):
        return rules.TEXTS
    objects = [i for i in items if isinstance(i, dict)]
    if len(objects) < len(items):
        return rules.JSON
    if all(_is_user(i) for i in objects):
        return rules.USERS
    if objects and all(_is_asset(i) for i in objects):
        return desk_rules.ASSETS
    options = _all(objects, "value", known_fields.OPTION_KEYS - {"child"})
    return rules.NAMES if options or _all(objects, "name", known_fields.NAMED_KEYS) else rules.JSON
