"""A question that nobody answered is no finding: one exit code and one sentence for all commands of this folder."""

import contextlib
import sys
from collections.abc import Iterator

import click

from b2stream.errors import AccessRefused, B2streamError, Refused, Retryable
from b2stream.programs.audit.verify.checks import EXIT_UNREACHABLE, Check, Outcome

UNANSWERED = (Retryable, Refused, AccessRefused)
"""Kafka, a registry, a Handle server or a centre does not answer, or does not let us ask: nothing is known of any object."""


@contextlib.contextmanager
def exit_where_nobody_answers() -> Iterator[None]:
    """End the program with exit code 3, and say who did not answer, or refused our credentials."""
    try:
        yield
    except UNANSWERED as error:
        click.echo(f"b2stream: {error}", err=True)
        sys.exit(EXIT_UNREACHABLE)


def unanswered(where: str, about: str, error: B2streamError) -> Check:
    """The line of a report for one question that nobody answered; the others are asked all the same."""
    return Check(where, about, Outcome.UNREACHABLE, error.detail if isinstance(error, Retryable) else str(error))
