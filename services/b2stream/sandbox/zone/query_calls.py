"""The two query calls: GEN_QUERY with its pages, and GENQUERY2 with its text."""

import json
import re
from collections.abc import Sequence

from b2stream.sandbox.zone import genquery
from b2stream.sandbox.zone.columns import BY_NAME
from b2stream.sandbox.zone.messages import Node, element, escape, leaves
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.state import Session

# A reply always has this many columns (MAX_SQL_ATTR of iRODS); unused ones are empty.
COLUMNS_IN_REPLY = 50
# Values have one width for the whole reply, at least this (MINIMUM_COL_SIZE), counted with the closing NUL.
LEAST_WIDTH = 50
# The hierarchy is looked up by the server after the query, and has a width of its own.
RESOURCE_HIERARCHY = 422
# Rows of a GENQUERY2 that names no limit.
GENQUERY2_ROWS = 256

_EMPTY_COLUMN = element("SqlResult_PI", leaves([("attriInx", 0), ("reslen", 0)]))
_GENQUERY2 = re.compile(
    r"\s*select\s+(?P<distinct>no\s+distinct\s+)?(?P<columns>[\w\s,.()]+?)"
    r"(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+order\s+by\s+(?P<order>[\w\s,]+?))?"
    r"(?:\s+(?:limit|fetch\s+first)\s+(?P<limit>\d+)(?:\s+rows\s+only)?)?"
    r"(?:\s+offset\s+(?P<offset>\d+)(?:\s+rows)?)?\s*",
    re.IGNORECASE | re.DOTALL,
)
_AND = re.compile(r"(?<=['\)])\s+and\s+(?=\w+\s)", re.IGNORECASE)
_SELECT_OPTIONS = {"min": 2, "max": 3, "sum": 4, "avg": 5, "count": 6}


def gen_query(session: Session, request: Node) -> str:
    """GEN_QUERY: one page. Raises CAT_NO_ROWS_FOUND, with an empty page, where there are no (more) rows."""
    page_rows, page = request.number("maxRows"), request.number("continueInx")
    columns = request.child("InxIvalPair_PI")
    numbers = [int(text) for text in columns.all("inx")]
    if page_rows <= 0:
        session.queries.pop(page, None)
        return _NOTHING
    if page:
        rows = session.queries.pop(page, [])
    else:
        conditions = request.child("InxValPair_PI")
        query = genquery.Query(
            selects=list(zip(numbers, (int(text) for text in columns.all("ivalue")), strict=True)),
            conditions=list(zip((int(text) for text in conditions.all("inx")), conditions.all("svalue"), strict=True)),
            offset=request.number("partialStartIndex"),
            options=request.number("options"),
        )
        rows = genquery.run(session.zone.catalogue.reader(), session.user, query)
        page = next(number for number in range(1, len(session.queries) + 2) if number not in session.queries)
    if not rows:
        raise Refusal(Code.CAT_NO_ROWS_FOUND, body=_NOTHING)
    if len(rows) < page_rows:
        return _page(numbers, rows)
    # A full page never knows whether it was the last, as in iRODS: the next one then finds no rows.
    session.queries[page] = rows[page_rows:]
    return _page(numbers, rows[:page_rows], page)


def _page(numbers: Sequence[int], rows: Sequence[tuple[object, ...]], page: int = 0) -> str:
    counts = [("rowCnt", len(rows)), ("attriCnt", len(numbers)), ("continueInx", page), ("totalRowCount", 0)]
    values = [["" if value is None else str(value) for value in column] for column in zip(*rows, strict=True)]
    width = max([LEAST_WIDTH] + [len(value.encode()) + 1 for column in values for value in column])
    parts = [leaves(counts)]
    for number, column in zip(numbers, values, strict=True):
        own_width = len(column[-1].encode()) + 1 if number == RESOURCE_HIERARCHY else width
        cells = "".join([f"<value>{escape(value)}</value>\n" for value in column])
        parts.append(
            f"<SqlResult_PI>\n<attriInx>{number}</attriInx>\n<reslen>{own_width}</reslen>\n{cells}</SqlResult_PI>\n"
        )
    parts.append(_EMPTY_COLUMN * (COLUMNS_IN_REPLY - len(numbers)))
    return element("GenQueryOut_PI", *parts)


_NOTHING = _page([], [])


def genquery2(session: Session, request: Node) -> str:
    """GENQUERY2: rows as a JSON list of lists of strings. Raises SYS_LIBRARY_ERROR for what this zone cannot parse."""
    match = _GENQUERY2.fullmatch(request.value("query_string"))
    if match is None or request.number("sql_only") or request.number("column_mappings"):
        raise Refusal(Code.SYS_LIBRARY_ERROR)
    selects = [_select(text.strip()) for text in match["columns"].split(",")]
    for text in (match["order"] or "").split(","):
        if text.strip():
            name, _, direction = text.strip().partition(" ")
            order = genquery.ORDER_BY_DESC if direction.strip().lower() == "desc" else genquery.ORDER_BY
            selects = [(number, option | order * (number == _number(name))) for number, option in selects]
    query = genquery.Query(
        selects=selects,
        conditions=[_condition(text) for text in _AND.split(match["where"])] if match["where"] else [],
        limit=int(match["limit"]) if match["limit"] else GENQUERY2_ROWS,
        offset=int(match["offset"] or 0),
        options=genquery.NO_DISTINCT if match["distinct"] else 0,
        sort_by_columns=False,
    )
    rows = genquery.run(session.zone.catalogue.reader(), session.user, query)
    return json.dumps([[str(value) for value in row] for row in rows], separators=(",", ":"), ensure_ascii=False)


def _number(name: str) -> int:
    if name.upper() not in BY_NAME:
        raise Refusal(Code.SYS_LIBRARY_ERROR)
    return BY_NAME[name.upper()]


def _select(text: str) -> tuple[int, int]:
    function, bracket, name = text.rstrip(")").partition("(")
    if not bracket:
        return _number(text), 1
    if function.strip().lower() not in _SELECT_OPTIONS:
        raise Refusal(Code.SYS_LIBRARY_ERROR)
    return _number(name.strip()), _SELECT_OPTIONS[function.strip().lower()]


def _condition(text: str) -> tuple[int, str]:
    name, _, condition = text.strip().partition(" ")
    # This language doubles a quote within a value; GenQuery1, which executes it, does not.
    condition = condition.strip().replace("''", "'")
    return _number(name), re.sub(r"between\s+('.*')\s+and\s+('.*')", r"between \1 \2", condition, flags=re.IGNORECASE)
