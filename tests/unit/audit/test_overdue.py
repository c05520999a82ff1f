"""Since when a copy counts as checked where the log that told its checks is gone."""

import pytest

from b2stream.policies import Policies, Rule
from tests.unit.audit.facts import NOW_S, judged, kinds, path_of, whole_archive

YEARLY = Policies("rules-1", "00", (Rule(series="*", check_days=365),))
DAY_S = 86_400


@pytest.mark.parametrize(("closed_days_ago", "is_overdue"), [(400, True), (300, False)])
def test_I12_a_commit_event_that_was_published_again_is_no_check(closed_days_ago: int, is_overdue: bool) -> None:
    closed_at_us = int((NOW_S - closed_days_ago * DAY_S) * 1e6)
    index = whole_archive(1, committed_s=NOW_S - DAY_S, closed_at_us=closed_at_us)
    expected = [("overdue", path_of(0), centre) for centre in ("csc", "fzj")] if is_overdue else []
    assert kinds(judged(index, policies=YEARLY)) == expected


def test_a_check_since_then_counts() -> None:
    index = whole_archive(1, committed_s=NOW_S - DAY_S, closed_at_us=int((NOW_S - 400 * DAY_S) * 1e6))
    index.note_check("csc", path_of(0), int((NOW_S - 10 * DAY_S) * 1e6), None)
    (found,) = judged(index, policies=YEARLY)
    assert (found.centre, found.detail.partition(",")[0]) == ("fzj", "checked 400 days ago")
