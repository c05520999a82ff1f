"""What commands print for a person: names and values stay whole, in a narrow window and in a pipe alike."""

from collections.abc import Iterable, Sequence

import click


def print_columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows below one another, each column as wide as its widest cell; the terminal breaks what is longer than a line."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """The text with control characters written as escapes: a file's name may hold a line break, or worse."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
