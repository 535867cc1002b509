"""Redaction inside JSON: links, comments, worklogs, sprints, changelogs and the objects that Jira's fields hold. Pure.

A key that is known to be harmless keeps its value; a person becomes a pseudonym, and so does every other text. What
stands under keys that are not known is put together under one key, `redacted`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from datalake_kit.jira.fields.names import snake_case
from datalake_kit.jira.redaction.pseudonyms import Pseudonyms

_WORD = re.compile(r"[\w.:+/-]{1,80}")
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,40}-\d{1,9}")
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?")
_IDS = re.compile(r"\d{1,9}(, ?\d{1,9})*")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")
_SPAN = re.compile(r"(\d{1,6}[wdhm] ?)+")

# Key in small letters -> what its text must look like to stay.
_HARMLESS = {
    **dict.fromkeys(("id", "issueid", "field", "fieldid", "fieldtype", "state", "mimetype"), _WORD),
    **dict.fromkeys(("created", "updated", "started", "startdate", "enddate", "completedate", "releasedate"), _TIME),
    "key": _KEY,
    "timespent": _SPAN,
}
# Objects whose words belong to the workflow: their names stay.
_WORKFLOW = frozenset({"status", "statuscategory", "issuetype", "priority", "resolution", "linktype"})
_WORKFLOW_TEXTS = frozenset({"id", "key", "name", "inward", "outward", "colorname"})
_PEOPLE = frozenset({"author", "updateauthor", "assignee", "reporter", "creator", "user"})
_PERSON_KEYS = ("accountid", "key", "name", "displayname", "emailaddress")  # the first that is there is who it is
_SURE_PERSON = frozenset({"accountid", "displayname", "emailaddress"})
_TEXTS = frozenset(
    {"name", "value", "body", "comment", "summary", "description", "goal", "filename", "content", "displayname"}
)
_INSIDE = frozenset(
    {"comments", "worklogs", "histories", "fields", "inwardissue", "outwardissue", "visibility", "child"}
)
_DROPPED = frozenset(
    {"self", "avatarurls", "iconurl", "thumbnail", "timezone", "avatarid", "expand", "maxresults", "untranslatedname"}
)
# Items of a changelog by their fields, in small letters.
USER_FIELDS = frozenset({"assignee", "reporter", "creator"})
_WORKFLOW_FIELDS = frozenset({"status", "issuetype", "issue_type", "priority", "resolution", "key"})


def is_harmless(text: str) -> bool:
    """Whether a text is a short number, a date or an instant, or the key of an issue."""
    return any(pattern.fullmatch(text) for pattern in (_NUMBER, _TIME, _KEY))


def learn_people(value: Any, people: Pseudonyms, user_fields: frozenset[str] = USER_FIELDS, at: str = "") -> None:
    """Note the people in a JSON value: which names and addresses belong to which account."""
    if isinstance(value, list):
        for item in value:
            learn_people(item, people, user_fields, at)
    elif isinstance(value, dict):
        folded = {key.casefold(): v for key, v in value.items()}
        if at in _PEOPLE or _SURE_PERSON & set(folded):
            people.learn(*_identifiers(folded))
        elif at == "items" and _field(folded) & user_fields:
            for account, name in (("from", "fromstring"), ("to", "tostring")):
                people.learn(folded.get(account), folded.get(name))
        else:
            for key, inner in folded.items():
                learn_people(inner, people, user_fields, key)
    elif isinstance(value, str) and at in _PEOPLE:
        people.learn(value)


def _identifiers(folded: dict[str, Any]) -> list[str]:
    return [v for v in map(folded.get, _PERSON_KEYS) if isinstance(v, str)] or [""]


def _field(item: dict[str, Any]) -> set[str]:
    return {snake_case(v) or v for v in (item.get("field"), item.get("fieldid")) if isinstance(v, str)}


class JsonRedaction:
    """Redacts JSON values with the pseudonyms and the user fields it was made with."""

    def __init__(self, people: Pseudonyms, user_fields: frozenset[str] = USER_FIELDS) -> None:
        self._people = people
        self._user_fields = user_fields

    def redact_text(self, text: str, at: str = "") -> str:
        """Redact JSON text; a text that is not JSON is redacted whole."""
        try:
            value = json.loads(text)
            if isinstance(value, dict | list):
                return json.dumps(self.redact(value, at), ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            pass
        return self._people.person(text) if at in _PEOPLE else self._people.text(text)

    def redact(self, value: Any, at: str = "") -> Any:
        """Redact a value that stands under a key (in small letters)."""
        if isinstance(value, list):
            return [self.redact(item, at) for item in value]
        if isinstance(value, str):
            return self._people.person(value) if at in _PEOPLE else self._people.text(value)
        return self._object(value, at) if isinstance(value, dict) else value

    def _object(self, value: dict[str, Any], at: str) -> dict[str, Any]:
        folded = {key.casefold() for key in value}
        if at in _PEOPLE or folded & _SURE_PERSON:
            return self._person(value)
        if at == "items":
            return self._item(value)
        at_type = "linktype" if at == "type" and folded & {"inward", "outward"} else at
        if at_type in _WORKFLOW:
            return self._each(value, lambda key, inner: self._of_workflow(key, inner))
        return self._each(value, self._of_object)

    def _each(self, value: dict[str, Any], one: Callable[[str, Any], Any]) -> dict[str, Any]:
        """Each key with what `one` makes of it; what it does not know is put together."""
        made: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        for key, inner in value.items():
            if key.casefold() in _DROPPED:
                continue
            found = one(key.casefold(), inner)
            (unknown if found is _UNKNOWN else made)[key] = inner if found is _UNKNOWN else found
        if unknown:
            made["redacted"] = self._people.text(json.dumps(unknown, ensure_ascii=False))
        return made

    def _of_workflow(self, key: str, inner: Any) -> Any:
        if key in _WORKFLOW:
            return self.redact(inner, key)
        if key == "description":
            return self._whole(inner)
        if key in _WORKFLOW_TEXTS or (key in ("subtask", "hierarchylevel") and not isinstance(inner, str)):
            return inner if not isinstance(inner, dict | list) else _UNKNOWN
        return _UNKNOWN

    def _of_object(self, key: str, inner: Any) -> Any:
        if key in _TEXTS:
            return self._whole(inner)
        if key in _HARMLESS:
            if isinstance(inner, dict | list):
                return _UNKNOWN
            return inner if not isinstance(inner, str) or _HARMLESS[key].fullmatch(inner) else self._people.text(inner)
        if key in _WORKFLOW or key in _PEOPLE or key in _INSIDE or key in ("type", "items"):
            return inner if key in _WORKFLOW and isinstance(inner, str) else self._inside(key, inner)
        return inner if key in _NUMBERS and not isinstance(inner, str | dict | list) else _UNKNOWN

    def _inside(self, key: str, inner: Any) -> Any:
        if key == "type" and isinstance(inner, str):  # of a visibility: role or group
            return inner if inner in ("role", "group") else self._people.text(inner)
        return self.redact(inner, key)

    def _whole(self, value: Any) -> Any:
        """A text in its place; of a document (an Atlassian Document in a body) its JSON as one text."""
        if isinstance(value, dict | list):
            return self._people.text(json.dumps(value, ensure_ascii=False))
        return self._people.text(value) if isinstance(value, str) else value

    def _person(self, value: dict[str, Any]) -> dict[str, Any]:
        who = _identifiers({key.casefold(): v for key, v in value.items()})[0]
        pseudonym = self._people.person(who)
        made = {key: pseudonym for key, v in value.items() if key.casefold() in _PERSON_KEYS and v is not None}
        return made | {key: v for key, v in value.items() if key.casefold() == "active" and isinstance(v, bool)}

    def _item(self, value: dict[str, Any]) -> dict[str, Any]:
        """One item of a changelog, each side by its field."""
        names = {key.casefold(): key for key in value}
        fields = _field({key: value[name] for key, name in names.items()})
        made = {names[key]: value[names[key]] for key in ("field", "fieldid", "fieldtype") if key in names}
        made = {name: self._whole(v) if isinstance(v, dict | list) else v for name, v in made.items()}
        for number, text in (("from", "fromstring"), ("to", "tostring")):
            pair = [value.get(names.get(key, "")) for key in (number, text)]
            pair = list(self.redact_change(fields, *(v if v is None else str(v) for v in pair)))
            made |= {names[key]: v for key, v in zip((number, text), pair, strict=True) if key in names}
        for key in ("tmpfromaccountid", "tmptoaccountid"):
            if key in names and isinstance(value[names[key]], str):
                made[names[key]] = self._people.person(value[names[key]])
        return made

    def redact_change(
        self, fields: Iterable[str], value: str | None, text: str | None
    ) -> tuple[str | None, str | None]:
        """One side of a change (value and text) by the names of its field in small letters."""
        fields = set(fields)
        if fields & _WORKFLOW_FIELDS:
            return value, text
        if fields & self._user_fields:
            who = value or text
            made = None if not who else self._people.person(who)
            return (made if value else value), (made if text else text)
        if "sprint" in fields and value and _IDS.fullmatch(value):
            return value, self._sprint_names(value, text)
        return self._side(value), self._side(text)

    def _sprint_names(self, ids: str, names: str | None) -> str | None:
        """Each sprint of its own where they can be told apart: names may hold commas."""
        if not names:
            return names
        each = names.split(", ")
        return ", ".join(map(self._people.text, each if len(each) == len(ids.split(",")) else [names]))

    def _side(self, text: str | None) -> str | None:
        return text if text is None or is_harmless(text) else self._people.text(text)


_UNKNOWN: Any = object()
_NUMBERS = frozenset(
    {"total", "startat", "islast", "size", "timespentseconds", "boardid", "originboardid", "rapidviewid", "released",
     "archived", "votes", "watchcount", "progress", "percent", "active"}
)  # fmt: skip
