"""Which lake is meant: a folder, a name from datalake.toml, an athena:// address, or the default.

datalake.toml::

    default = "demo"

    [lakes.demo]
    path = "demo/lake"              # a folder, relative to this file
    sql = "my-queries"              # a folder of query files, or a list of them, relative to this file

    [lakes.prod]
    workgroup = "analysts"          # Amazon Athena
    database = "taxi"
    region = "eu-west-1"
    role = "arn:aws:iam::123456789012:role/analyst"     # assumed, and renewed for as long as the lake is used
    max_scan = "100 GB"

What neither the address nor the file says of a lake on Athena is taken from the environment (`DATALAKE_KIT_REGION`,
`DATALAKE_KIT_MAX_SCAN`, ... : any key, in capitals), then from the ordinary AWS chain.

The file is searched from the working folder upwards, then in the user's configuration folder
(`$XDG_CONFIG_HOME/datalake_kit/` or `~/.config/datalake_kit/`).
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from datalake_kit.errors import ConfigError, LakeNotFoundError, did_you_mean

FILE_NAME = "datalake.toml"
ENVIRONMENT_NAME = "DATALAKE_KIT_LAKE"
THREE_WAYS = f"""Name the lake in one of three ways:
  1. a folder:                 dk.connect("demo-lake")      (datalake-kit demo demo-lake makes one)
  2. the environment:          export {ENVIRONMENT_NAME}=demo-lake      (a folder, a name or athena://...)
  3. a file {FILE_NAME}:    default = "demo", and a table [lakes.demo] with path = "demo-lake" (or workgroup = "...")"""


_OLDEST = 7 * 24 * 60  # minutes
_MINUTES = {"s": Fraction(1, 60), "m": Fraction(1), "h": Fraction(60), "d": Fraction(1440)}


@dataclass(frozen=True)
class FolderSettings:
    """A lake in a local folder, read by the embedded engine."""

    path: Path
    name: str | None = None
    database: str | None = None
    sql: tuple[Path, ...] = ()


@dataclass(frozen=True)
class AthenaSettings:
    """A lake behind Amazon Athena. Credentials come from the ordinary AWS chain and are never kept here.

    Attributes
    ----------
    workgroup, database, catalog, region
        Where statements run, and where a table lies that is named without its database.
    profile
        The profile of the AWS configuration files whose credentials count.
    role_arn, role_session_name, external_id
        A role that is assumed with those credentials (key `role` in an address and in datalake.toml).
    output_location
        Where results go on S3, unless the workgroup says so itself.
    endpoint
        The address of all services, for a test server or a proxy.
    max_scan
        Bytes that a statement may read at most; see `Lake.sql`. Written as "10 GB".
    price_per_tb
        US dollars for a terabyte (2**40 bytes) read.
    poll_interval
        Seconds between two questions about a long query, at most; a short one is asked about more often.
    max_age
        Minutes that an earlier result of the same statement may be old to be given again. Written as "10 min".
    redact_parameters
        Keep values out of `last_query`, errors and logs.
    keep_results
        Leave the objects of ordinary results on S3, where they are else removed when their rows are read.
    sql
        Folders of query files beside the package's own; from datalake.toml or `connect(..., sql=)`.
    """

    workgroup: str
    name: str | None = None
    database: str | None = None
    region: str | None = None
    catalog: str = "awsdatacatalog"
    profile: str | None = None
    role_arn: str | None = None
    role_session_name: str | None = None
    external_id: str | None = field(default=None, repr=False)
    output_location: str | None = None
    endpoint: str | None = None
    max_scan: int | None = None
    price_per_tb: float = 5.0
    poll_interval: float = 1.0
    max_age: int | None = None
    redact_parameters: bool = False
    keep_results: bool = False
    sql: tuple[Path, ...] = ()


LakeSettings = FolderSettings | AthenaSettings
QueryFolder = str | Path

_FOLDER_KEYS = {f.name for f in fields(FolderSettings)} - {"name"}
_ATHENA_KEYS = ({f.name for f in fields(AthenaSettings)} | {"role"}) - {"name", "role_arn"}
_NUMBERS = {"max_scan", "max_age", "price_per_tb", "poll_interval", "redact_parameters", "keep_results"}
_ADDRESS_KEYS = _ATHENA_KEYS - {"workgroup", "sql"}
_ENVIRONMENT = {f"DATALAKE_KIT_{key.upper()}": key for key in sorted(_ATHENA_KEYS - {"sql"})}


def lake_settings(
    target: str | Path | None = None, *, database: str | None = None, sql: QueryFolder | Sequence[QueryFolder] = ()
) -> LakeSettings:
    """Find the settings of a lake.

    Parameters
    ----------
    target
        A folder, a name from datalake.toml, an address `athena://WORKGROUP?database=&region=&catalog=`, or None for
        the environment variables DATALAKE_KIT_LAKE and DATALAKE_KIT_WORKGROUP and then the file's default. A plain word
        is looked up in the file first and taken as a folder second.
    database
        The database of table names that are written without one.
    sql
        Folders of query files; they count instead of those of datalake.toml.

    Raises
    ------
    LakeNotFoundError
        No such folder and no such name.
    ConfigError
        Nothing says which lake is meant, or the file or the address has a key that is not known.
    """
    settings = _settings(target)
    if database is not None:
        settings = replace(settings, database=database)
    folders = query_folders(sql, Path.cwd(), "sql=")
    return replace(settings, sql=folders) if folders else settings


def find_file(start: Path | None = None) -> Path | None:
    """Return the datalake.toml that counts for a folder, or None."""
    here = (start or Path.cwd()).absolute()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "datalake_kit"
    candidates = (folder / FILE_NAME for folder in [here, *here.parents, user])
    return next((c for c in candidates if c.is_file()), None)


def _settings(target: str | Path | None) -> LakeSettings:
    if target is None or target == "":
        target = os.environ.get(ENVIRONMENT_NAME)
        if not target and os.environ.get("DATALAKE_KIT_WORKGROUP"):
            return _athena({}, "environment")
        target = target or _default_of_file()
    if isinstance(target, Path):
        return _folder(target)
    if not isinstance(target, str):
        raise ConfigError(f"A lake is named by text or a path, not by {target!r}.\n{THREE_WAYS}")
    if "://" in target:
        return _address(target)
    if not _is_plain_word(target):
        return _folder(Path(target))
    lakes, _, file = _read_file()
    if target in lakes:
        assert file is not None  # a name can only come from a file
        return _lake_of_file(target, lakes[target], file)
    if Path(target).is_dir():
        return _folder(Path(target))
    where = f"in {file}" if file else f"(no {FILE_NAME} was found)"
    raise LakeNotFoundError(
        f"No lake {target!r}: no folder of this name in {Path.cwd()}, no lake of this name {where}. "
        f"{did_you_mean(target, lakes) if lakes else ''}\n{THREE_WAYS}"
    )


def _default_of_file() -> str:
    lakes, default, file = _read_file()
    if default is None:
        raise ConfigError(f"Which lake is meant? Nothing was given, and nothing is configured.\n{THREE_WAYS}")
    if default not in lakes:
        raise ConfigError(f"{file}: default = {default!r} is none of its lakes. {did_you_mean(default, lakes)}")
    return default


def _is_plain_word(text: str) -> bool:
    return not (text.startswith((".", "~")) or "/" in text or os.sep in text)


def _folder(path: Path, **more: Any) -> FolderSettings:
    folder = path.expanduser().absolute()
    if not folder.exists():
        near = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
        hint = did_you_mean(folder.name, near) if near else ""
        raise LakeNotFoundError(f"No such folder: {folder}. {hint}".rstrip())
    if not folder.is_dir():
        raise LakeNotFoundError(
            f"A lake is a folder, this is a file: {folder}. Give the folder that holds the databases."
        )
    return FolderSettings(folder, **more)


def _address(target: str) -> AthenaSettings:
    parts = urlsplit(target)
    if parts.scheme == "file":
        raise ConfigError("Give a local lake as a folder, without file://.")
    if parts.scheme != "athena":
        raise ConfigError(f"{parts.scheme}:// is no lake. Use athena://WORKGROUP?database=&region= or a folder.")
    if "@" in parts.netloc:
        raise ConfigError("No user or password belongs in an athena:// address; credentials come from the AWS chain.")
    if not parts.netloc or parts.path not in ("", "/") or parts.fragment or " " in target:
        raise ConfigError("An Athena address names its workgroup: athena://WORKGROUP?database=&region=&catalog=")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    repeated = {k for k, _ in pairs if [name for name, _ in pairs].count(k) > 1}
    if repeated:
        raise ConfigError(f"athena://{parts.netloc}: given twice: {', '.join(sorted(repeated))}.")
    values = {key: value for key, value in pairs if value}
    _refuse_unknown(dict(pairs), _ADDRESS_KEYS, f"athena://{parts.netloc}")
    return _athena({"workgroup": parts.netloc, **values}, f"athena://{parts.netloc}")


def _athena(values: Mapping[str, Any], where: str, *, name: str | None = None) -> AthenaSettings:
    """Put settings together: what was given, then what the environment says."""
    found = {key: _setting(key, value, f"{where}: {key}") for key, value in values.items()}
    for variable, key in _ENVIRONMENT.items():
        if key not in found and os.environ.get(variable):
            found[key] = _setting(key, os.environ[variable], variable)
    read = {("role_arn" if key == "role" else key): value for key, value in found.items()}
    if read.get("external_id") and not read.get("role_arn"):
        raise ConfigError(f"{where}: external_id belongs to a role; give role= beside it.")
    return AthenaSettings(name=name, **read)


def _setting(key: str, value: Any, where: str) -> Any:
    readers: dict[str, Any] = {
        "max_scan": size_in_bytes,
        "max_age": minutes,
        "price_per_tb": _not_negative,
        "poll_interval": _not_negative,
        "redact_parameters": _yes_or_no,
        "keep_results": _yes_or_no,
    }
    if key in readers:
        try:
            return readers[key](value)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
    begins = {"output_location": ("s3://",), "endpoint": ("http://", "https://"), "role": ("arn:",)}
    if key in begins and not value.startswith(begins[key]):
        raise ConfigError(f"{where}: it begins with {' or '.join(begins[key])}, not {value!r}.")
    return value


def _not_negative(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < 1e9:
        raise ValueError(f"{value!r} is no number from 0 upwards.")
    return number


def _yes_or_no(value: Any) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    if str(value).lower() not in known:
        raise ValueError(f"{value!r} is neither true nor false.")
    return known[str(value).lower()]


def _read_file() -> tuple[Mapping[str, Any], str | None, Path | None]:
    file = find_file()
    if file is None:
        return {}, None, None
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None
    _refuse_unknown(content, {"default", "lakes"}, str(file))
    lakes = content.get("lakes", {})
    if not isinstance(lakes, dict) or not all(isinstance(v, dict) for v in lakes.values()):
        raise ConfigError(f'{file}: lakes are tables: write [lakes.demo] and below it path = "...".')
    default = content.get("default")
    if default is not None and not isinstance(default, str):
        raise ConfigError(f"{file}: default must be the name of a lake as text, not {default!r}.")
    return lakes, default, file


def _lake_of_file(name: str, table: Mapping[str, Any], file: Path) -> LakeSettings:
    where = f"{file}, [lakes.{name}]"
    _refuse_unknown(table, _FOLDER_KEYS | _ATHENA_KEYS, where)
    sql = query_folders(table.get("sql", ()), file.parent, f"{where}: sql")
    table = {key: value for key, value in table.items() if key != "sql"}
    for key, value in table.items():
        if key in _NUMBERS and isinstance(value, (bool, int, float)):
            continue
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {key} must be text in quotes, not {value!r}.")
        if not value.strip():
            raise ConfigError(f"{where}: {key} is empty. Give it a value or leave it out.")
    if ("path" in table) == ("workgroup" in table):
        raise ConfigError(f"{where}: give either path (a folder) or workgroup (Athena).")
    kind, keys = (FolderSettings, _FOLDER_KEYS) if "path" in table else (AthenaSettings, _ATHENA_KEYS)
    _refuse_unknown(table, keys, where)
    if kind is AthenaSettings:
        return replace(_athena(table, where, name=name), sql=sql)
    try:
        folder = file.parent / Path(table["path"]).expanduser()
        return _folder(folder, name=name, database=table.get("database"), sql=sql)
    except LakeNotFoundError as error:
        raise LakeNotFoundError(f"{where}: {error}") from None


def query_folders(given: Any, base: Path, where: str) -> tuple[Path, ...]:
    """Return folders of query files relative to `base`; raise ConfigError for what is none, `where` in its message."""
    listed = [given] if isinstance(given, (str, Path)) else given
    if not isinstance(listed, (list, tuple)) or not all(isinstance(f, (str, Path)) and str(f).strip() for f in listed):
        raise ConfigError(f"{where} is a folder of query files, or a list of folders, not {given!r}.")
    folders = tuple(base / Path(f).expanduser() for f in listed)
    missing = next((f for f in folders if not f.is_dir()), None)
    if missing is not None:
        raise ConfigError(f"{where}: no such folder: {missing}. Make it, or leave it out.")
    return folders


def size_in_bytes(value: Any) -> int:
    """Return a number of bytes that is written as a number or as text.

    >>> size_in_bytes("10 GB"), size_in_bytes("1.5 KiB"), size_in_bytes(2048)
    (10000000000, 1536, 2048)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp]?)(i?)b)?\s*", str(value), re.IGNORECASE)
    if isinstance(value, bool) or not found or Fraction(found[1]) <= 0:
        raise ValueError(f"{value!r} is no size. Write it as 10 GB, 500 MB or 1 TiB.")
    power = " kmgtp".index((found[2] or " ").lower())
    return int(Fraction(found[1]) * (1024 if found[3] else 1000) ** power)


def minutes(value: Any) -> int:
    """Return whole minutes, rounded up, of a number of minutes, a timedelta or text.

    >>> minutes("10 min"), minutes("2 hours"), minutes(90), minutes(dt.timedelta(seconds=61))
    (10, 120, 90, 2)
    """
    if isinstance(value, dt.timedelta):
        number = Fraction(value // dt.timedelta(microseconds=1), 60_000_000)
    else:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)?[a-z]*\s*", str(value), re.IGNORECASE)
        if isinstance(value, bool) or not found:
            raise ValueError(f"{value!r} is no age. Write it as 10 min, 2 hours, 1 day, or as a timedelta.")
        number = Fraction(found[1]) * _MINUTES[(found[2] or "m").lower()]
    if not 0 <= number <= _OLDEST:
        raise ValueError(f"{value!r} is more than Athena keeps results for reuse: 7 days. Give less.")
    return math.ceil(number)


def _refuse_unknown(given: Iterable[str], known: set[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key {key!r}. {did_you_mean(key, known)} Known: {', '.join(sorted(known))}."
            )
