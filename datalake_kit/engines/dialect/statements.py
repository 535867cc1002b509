"""What kind of statement a text is: one that reads, one that writes, one about the catalog, or several."""

from __future__ import annotations

from dataclasses import dataclass

from datalake_kit.engines.dialect.lexing import Token, tokens
from datalake_kit.errors import SqlError, UnsupportedSqlError, WriteRefusedError

_READING = frozenset({"SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"})
_WRITING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "COPY", "UNLOAD"})


def statement_kind(text: str) -> str:
    """Return the first keyword of the one statement in `text`, in capitals: 'SELECT', 'INSERT', 'CREATE'...

    A query in parentheses is a 'SELECT'; `DESC` is 'DESCRIBE'; `EXPLAIN` of a statement that does not read, and
    `EXPLAIN ANALYZE`, which runs its statement, give all their words up to the verb: 'EXPLAIN INSERT'.

    Raises
    ------
    SqlError
        There is no statement.
    WriteRefusedError
        There is more than one statement.

    >>> statement_kind("-- of 2026\\n SELECT 1")
    'SELECT'
    >>> statement_kind("EXPLAIN ANALYZE DELETE FROM t")
    'EXPLAIN ANALYZE DELETE'
    """
    return _kind(_one_statement(text))


def is_read_only(text: str) -> bool:
    """Tell whether the one statement in `text` only reads: SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN of them.

    >>> is_read_only("SELECT 'DROP TABLE t'")
    True
    >>> is_read_only("WITH a AS (SELECT 1 AS x) INSERT INTO t SELECT x FROM a")
    False
    """
    statement = _one_statement(text)
    return _kind(statement) in _READING and not _hidden_write(statement)


def check_read_only(text: str) -> None:
    """Raise WriteRefusedError unless `text` is one statement that only reads.

    Raises
    ------
    WriteRefusedError
        The statement writes, or is none that is known to read, or there is more than one.
    """
    statement = _one_statement(text)
    kind, hidden = _kind(statement), _hidden_write(statement)
    if kind not in _READING or hidden:
        shown = f"{kind} ... {hidden}" if hidden else kind
        raise WriteRefusedError(
            f"{shown} is not run: only statements that read are (SELECT, WITH, VALUES, SHOW, DESCRIBE, EXPLAIN); "
            "say allow_write=True to run one that writes"
        )


def _one_statement(text: str) -> tuple[Token, ...]:
    found = tokens(text)
    end = len(found)
    while end and found[end - 1].text == ";":
        end -= 1
    statement = found[:end]
    if not statement:
        raise SqlError("there is no statement: the text is empty or holds only comments")
    more = next((i for i, token in enumerate(statement) if token.text == ";"), None)
    if more is not None:
        second = _first_word(statement[more:])
        raise WriteRefusedError(f"two statements in one text (the second begins with {second}): run them one at a time")
    return statement


def _first_word(statement: tuple[Token, ...]) -> str:
    return next((t.word for t in statement if t.word), "a symbol")


def _kind(statement: tuple[Token, ...]) -> str:
    rest = list(statement)
    while rest and rest[0].text == "(":
        rest.pop(0)
    word = rest[0].word if rest else ""
    if not word:
        raise SqlError(f"a statement cannot begin with {statement[0].text!r}")
    if word == "DESC":
        return "DESCRIBE"
    return _explained(rest[1:]) if word == "EXPLAIN" else word


def _explained(rest: list[Token]) -> str:
    words = ["EXPLAIN"]
    while rest and rest[0].word in ("ANALYZE", "VERBOSE"):
        words.append(rest.pop(0).word)
    if rest and rest[0].text == "(" and len(rest) > 1 and rest[1].word in ("TYPE", "FORMAT", "ANALYZE"):
        if any(t.word == "ANALYZE" for t in rest[: _closing(rest)]):
            words.append("ANALYZE")
        del rest[: _closing(rest) + 1]
    inner = _kind(tuple(rest)) if rest else "nothing"
    plain = words == ["EXPLAIN"] and inner in ("SELECT", "WITH", "VALUES")
    return "EXPLAIN" if plain else " ".join([*words, inner])


def _closing(rest: list[Token]) -> int:
    return next((i for i, token in enumerate(rest) if token.text == ")"), len(rest) - 1)


def _hidden_write(statement: tuple[Token, ...]) -> str:
    """Return the verb of a statement that begins by reading and then writes: WITH ... INSERT, SELECT ... INTO."""
    for before, token, after in zip(statement, statement[1:], statement[2:], strict=False):
        if token.word in _WRITING and before.text in ("(", ")") and after.kind != "symbol":
            return token.word
    return ""


@dataclass(frozen=True, slots=True)
class CatalogStatement:
    """A statement about the catalog.

    `kind` is 'databases', 'tables' or 'columns'; `database` and `table` are folded to lower case; `pattern` is the
    LIKE pattern of SHOW ... LIKE (Athena's own SHOW TABLES takes a regular expression there).
    """

    kind: str
    database: str | None = None
    table: str | None = None
    pattern: str | None = None


def catalog_statement(text: str) -> CatalogStatement | None:
    """Return what a SHOW or DESCRIBE statement asks for, or None when `text` is another statement.

    Known: SHOW DATABASES | SCHEMAS, SHOW TABLES [IN | FROM db], SHOW COLUMNS IN | FROM [db.]table,
    DESCRIBE [db.]table, each SHOW with LIKE 'pattern'.

    Raises
    ------
    UnsupportedSqlError
        Another SHOW or DESCRIBE.

    >>> catalog_statement("DESCRIBE taxi.table_1")
    CatalogStatement(kind='columns', database='taxi', table='table_1', pattern=None)
    >>> catalog_statement("SELECT 1") is None
    True
    """
    statement = list(_one_statement(text))
    verb = statement.pop(0).word
    if verb not in ("SHOW", "DESCRIBE", "DESC"):
        return None
    subject = statement.pop(0).word if verb == "SHOW" and statement else "COLUMNS"
    pattern = _take_like(statement)
    names = _take_names(statement, needs_in=verb == "SHOW")
    answer = _answer(subject, names, pattern) if not statement and len(names) <= 2 else None
    if answer is None:
        raise UnsupportedSqlError(
            f"{verb} {subject if verb == 'SHOW' else ''}".strip()
            + " in this form is not answered: write SHOW DATABASES, "
            "SHOW TABLES IN db, SHOW COLUMNS IN db.table or DESCRIBE db.table, or use lake.tables()"
        )
    return answer


def _answer(subject: str, names: list[str], pattern: str | None) -> CatalogStatement | None:
    if subject in ("DATABASES", "SCHEMAS") and not names:
        return CatalogStatement("databases", pattern=pattern)
    if subject == "TABLES" and len(names) <= 1:
        return CatalogStatement("tables", database=names[0] if names else None, pattern=pattern)
    if subject == "COLUMNS" and names:
        return CatalogStatement("columns", names[0] if len(names) == 2 else None, names[-1], pattern)
    return None


def _take_like(statement: list[Token]) -> str | None:
    if statement and statement[-1].kind == "string":
        pattern = statement.pop().text[1:-1].replace("''", "'")
        if statement and statement[-1].word == "LIKE":
            statement.pop()
        return pattern
    return None


def _take_names(statement: list[Token], *, needs_in: bool) -> list[str]:
    if needs_in and statement:
        if statement[0].word not in ("IN", "FROM"):
            return []
        statement.pop(0)
    names: list[str] = []
    while statement and statement[0].kind in ("word", "quoted"):
        names.append(_name(statement.pop(0)))
        if not (statement and statement[0].text == "."):
            break
        statement.pop(0)
    if len(names) == 3 and names[0] == "awsdatacatalog":
        names.pop(0)
    return names


def _name(token: Token) -> str:
    if token.kind == "word":
        return token.text.lower()
    quote = token.text[0]
    return token.text[1:-1].replace(quote * 2, quote).lower()
