"""I13: a centre that takes nothing is known as such, with who waits; one that takes anything is not."""

import pytest

from b2stream.errors import AccessRefused, Retryable
from b2stream.outages import Outage

NOBODY = Retryable("nobody there")
REFUSED = AccessRefused("no permission")


@pytest.fixture
def outage() -> Outage:
    return Outage("csc", answered_at_s=100.0)


def test_it_lasts_from_the_first_failure_and_counts_who_waits_for_what(outage: Outage) -> None:
    outage.failed("a", NOBODY, 110.0, is_refused=False)
    outage.failed("b", REFUSED, 120.0, is_refused=True)
    outage.failed("a", NOBODY, 130.0, is_refused=False)
    assert (outage.unanswered, outage.refused, outage.lasts_s(140.0)) == (1, 1, 30.0)
    outage.failed("a", REFUSED, 150.0, is_refused=True)
    assert (outage.unanswered, outage.refused) == (0, 2)
    assert outage.answered_at_s == 100.0


def test_I11_one_batch_that_gets_through_ends_it_whatever_others_do(outage: Outage) -> None:
    outage.failed("stuck", REFUSED, 110.0, is_refused=True)
    outage.succeeded("good", 900.0)
    assert (outage.lasts_s(1_000.0), outage.refused, outage.answered_at_s) == (0.0, 1, 900.0)
    outage.failed("stuck", REFUSED, 950.0, is_refused=True)
    assert outage.lasts_s(1_000.0) == 50.0


def test_what_lay_there_already_shows_a_centre_that_answers_not_one_that_takes_anything(outage: Outage) -> None:
    outage.failed("new", REFUSED, 110.0, is_refused=True)
    outage.succeeded("old", 200.0, is_new=False)
    assert (outage.lasts_s(210.0), outage.answered_at_s) == (100.0, 200.0)


@pytest.mark.parametrize("end", ["forget", "succeeded"])
def test_it_is_over_when_nobody_waits_any_more(outage: Outage, end: str) -> None:
    outage.failed("a", NOBODY, 110.0, is_refused=False)
    if end == "forget":
        outage.forget("a")
    else:
        outage.succeeded("a", 120.0)
    assert (outage.unanswered, outage.lasts_s(5_000.0), outage.why(5_000.0, 60.0)) == (0, 0.0, None)


def test_the_sentence_names_centre_time_counts_and_the_last_error(outage: Outage) -> None:
    outage.failed("a", NOBODY, 100.0, is_refused=False)
    assert outage.why(699.0, 600.0) is None
    why = outage.why(700.0, 600.0)
    assert why is not None
    assert why.startswith("csc took nothing for 10 minutes: 1 batches wait for an answer, 0 are refused")
    assert "nobody there" in why
