"""GenQuery, iRODS's query language, as SQL over the catalogue.

A query is a list of columns and a list of conditions on columns; which tables they need and how those join is worked
out here, as a real catalogue does. A condition is text such as `= 'x'`, `like 'a%'`, `in ('a','b')` or `between 'a' 'b'`,
several of them joined with `||`.
"""

import functools
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from b2stream.sandbox.zone.catalogue import READ_OBJECT
from b2stream.sandbox.zone.columns import COLUMNS, LINKS, TABLES, Column
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import User

# Select options of an output column.
_AGGREGATES = {2: "min", 3: "max", 4: "sum", 5: "avg", 6: "count"}
ORDER_BY, ORDER_BY_DESC = 0x400, 0x800
# Options of a query.
NO_DISTINCT, UPPER_CASE_WHERE = 0x40, 0x200

_OPERATOR = r"not\s+like|like|not\s+in|in|between|<>|!=|<=|>=|=|<|>"
_CONDITION = re.compile(rf"\s*(?P<operator>{_OPERATOR})\s*(?P<operand>.*)", re.IGNORECASE | re.DOTALL)
_VALUES = re.compile(r"'([^']*)'")
# A quote inside a value is not doubled by clients, so an alternative starts only where an operator and a quote follow.
_ALTERNATIVE = re.compile(rf"(?<=['\)])\s*\|\|\s*(?=(?:{_OPERATOR})\s*\(?\s*')", re.IGNORECASE)


@dataclass(slots=True)
class Query:
    """What is asked: (column, select option) pairs and (column, condition) pairs; a negative limit means all rows."""

    selects: Sequence[tuple[int, int]]
    conditions: Sequence[tuple[int, str]]
    limit: int = -1
    offset: int = 0
    options: int = 0
    # What distinguishes this zone's two query languages: GenQuery sorts by its columns, the other by nothing.
    sort_by_columns: bool = True


# The operator of each alternative of a condition, and how many values it has.
_Shape = tuple[tuple[str, int], ...]


def run(db: sqlite3.Connection, user: User, query: Query) -> list[tuple[object, ...]]:
    """All rows. Raises CAT_UNKNOWN_TABLE, CAT_INVALID_ARGUMENT or CAT_FAILED_TO_LINK_TABLES."""
    values: list[object] = []
    conditions = tuple((number, _shape(text, values)) for number, text in query.conditions)
    statement, accesses = _statement(
        tuple(query.selects), conditions, query.options, query.sort_by_columns, user.administrator
    )
    values += [user.user_id] * accesses
    return db.execute(statement, (*values, query.limit, query.offset)).fetchall()


def _shape(text: str, values: list[object]) -> _Shape:
    """What a condition asks but for its values, which are added to those that there are."""
    parts = []
    for part in _ALTERNATIVE.split(text) if "||" in text else (text,):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise Refusal(Code.CAT_INVALID_ARGUMENT)
        operator = " ".join(match["operator"].lower().split())
        several = operator in ("in", "not in", "between")
        found = _VALUES.findall(match["operand"]) if several else [_quoted(match["operand"])]
        values += found
        parts.append((operator, len(found)))
    return tuple(parts)


@functools.lru_cache(maxsize=256)
def _statement(
    selects: tuple[tuple[int, int], ...],
    conditions: tuple[tuple[int, _Shape], ...],
    options: int,
    sort_by_columns: bool,
    administrator: bool,
) -> tuple[str, int]:
    """The SQL, and how often its access conditions take the user's id. Clients ask the same few things again and again.

    Every piece of the text is a constant of this package; what the client gave is bound as values.
    """
    tables: list[str] = []
    outputs, order, aggregated = [], [], False
    for number, option in selects:
        column = _column(number)
        _need(tables, column.table)
        function = _AGGREGATES.get(option & 0xF)
        aggregated = aggregated or function is not None
        outputs.append(f"{function}({column.sql})" if function else column.sql)
        if option & (ORDER_BY | ORDER_BY_DESC):
            order.append(f"{column.sql} {'DESC' if option & ORDER_BY_DESC else 'ASC'}")
    if not outputs:
        raise Refusal(Code.CAT_INVALID_ARGUMENT)
    where = _where(tables, conditions, upper=bool(options & UPPER_CASE_WHERE))
    accesses = [] if administrator else _accesses(tables)
    groups = [out for out in outputs if aggregated and "(" not in out]
    if not order and sort_by_columns:
        # PostgreSQL answers `select distinct` sorted by its columns, left to right (seen in the recordings).
        order = [out for out in outputs if "(" not in out]
    plain = bool(options & NO_DISTINCT) or aggregated
    pieces = ["SELECT" if plain else "SELECT DISTINCT", ", ".join(outputs), "FROM", _joined(tables)]
    if where or accesses:
        pieces += ["WHERE", " AND ".join([*where, *accesses])]
    if groups:
        pieces += ["GROUP BY", ", ".join(groups)]
    if order:
        pieces += ["ORDER BY", ", ".join(order)]
    return " ".join([*pieces, "LIMIT ? OFFSET ?"]), len(accesses)


def _need(tables: list[str], alias: str) -> None:
    if alias not in tables:
        tables.append(alias)


def _column(number: int) -> Column:
    if number not in COLUMNS:
        raise Refusal(Code.CAT_UNKNOWN_TABLE)
    return COLUMNS[number]


def _where(tables: list[str], conditions: tuple[tuple[int, _Shape], ...], *, upper: bool) -> list[str]:
    where = []
    seen: dict[int, int] = {}
    for number, shape in conditions:
        column = _column(number)
        seen[number] = seen.get(number, 0) + 1
        alias, expression = column.table, column.sql
        if alias in ("data_meta", "coll_meta") and seen[number] > 1:
            # A second condition on an attribute speaks of another AVU of the same object.
            _need(tables, alias)
            alias = f"{alias}{seen[number]}"
            expression = expression.replace(".", f"{seen[number]}.", 1)
        _need(tables, alias)
        parts = [_condition(f"upper({expression})" if upper else expression, *part) for part in shape]
        where.append(parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})")
    return where


def _condition(expression: str, operator: str, values: int) -> str:
    if operator in ("in", "not in"):
        return f"{expression} {operator} ({','.join('?' * values)})"
    if operator == "between":
        if values != 2:
            raise Refusal(Code.CAT_INVALID_ARGUMENT)
        return f"{expression} BETWEEN ? AND ?"
    return f"{expression} {operator} ?" + (" ESCAPE '\\'" if operator.endswith("like") else "")


def _quoted(operand: str) -> str:
    """The value between the first and the last quote: clients do not double a quote within it."""
    first, last = operand.find("'"), operand.rfind("'")
    if first < 0 or last <= first:
        raise Refusal(Code.CAT_INVALID_ARGUMENT)
    return operand[first + 1 : last]


def _accesses(tables: list[str]) -> list[str]:
    """Strict access lists: who is no administrator sees only what they may read."""
    return [
        f"{key} IN (SELECT object_id FROM r_objt_access WHERE access_type_id >= {READ_OBJECT}"  # noqa: S608
        " AND user_id IN (SELECT group_user_id FROM r_user_group WHERE user_id = ?))"
        for alias, key in (("data", "data.data_id"), ("coll", "coll.coll_id"))
        if alias in tables
    ]


def _joined(tables: list[str]) -> str:
    """The tables with their joins: starting from the first, each further one by the shortest chain of links."""
    first, *others = tables
    joined = {first}
    text = f"{_base_table(first)} AS {first}"
    for alias in others:
        for step, condition in _chain(joined, alias):
            text += f" JOIN {_base_table(step)} AS {step} ON {condition}"
            joined.add(step)
    return text


def _base_table(alias: str) -> str:
    return TABLES[alias.rstrip("0123456789")]


def _chain(joined: set[str], target: str) -> Iterable[tuple[str, str]]:
    """The joins that lead from what is joined already to `target`. Raises CAT_FAILED_TO_LINK_TABLES."""
    if target in joined:
        return []
    plain = target.rstrip("0123456789")
    suffix = target[len(plain) :]
    paths: dict[str, list[tuple[str, str]]] = {alias: [] for alias in joined}
    frontier = list(joined)
    while frontier:
        here = frontier.pop(0)
        for link in _links(suffix, plain):
            for near, far in ((link[0], link[1]), (link[1], link[0])):
                if near == here and far not in paths:
                    paths[far] = [*paths[here], (far, link[2])]
                    frontier.append(far)
        if target in paths:
            return paths[target]
    raise Refusal(Code.CAT_FAILED_TO_LINK_TABLES)


def _links(suffix: str, plain: str) -> list[tuple[str, str, str]]:
    """The links, with the numbered aliases of a repeated AVU in place of the plain ones."""
    if not suffix:
        return LINKS
    renamed = {plain: plain + suffix, plain.replace("meta", "map"): plain.replace("meta", "map") + suffix}
    links = []
    for one, other, condition in LINKS:
        for alias, numbered in renamed.items():
            condition = condition.replace(f"{alias}.", f"{numbered}.")
        links.append((renamed.get(one, one), renamed.get(other, other), condition))
    return links
