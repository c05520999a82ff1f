"""What nobody answered is no finding: exit code 3, who it was, and what to do."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.errors import AccessRefused, B2streamError, ConfigurationError, DamagedObject, Refused, Retryable
from b2stream.handles.memory import MemoryHandles
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import Outcome, exit_code
from b2stream.programs.audit.verify.subjects import Subject
from b2stream.programs.audit.verify.verifying import Verifier

UNANSWERED = [Retryable("csc is down"), Refused("asking csc"), AccessRefused("csc: no permission")]


@pytest.mark.parametrize("error", UNANSWERED)
def test_who_does_not_answer_or_refuses_us_is_named_and_it_is_exit_3(
    error: B2streamError, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, exit_where_nobody_answers():
        raise error
    assert caught.value.code == 3
    assert capsys.readouterr().err == f"b2stream: {error}\n"


@pytest.mark.parametrize("error", [ConfigurationError("first.url"), DamagedObject("a/b")])
def test_wrong_settings_and_damage_keep_their_own_codes(error: B2streamError) -> None:
    with pytest.raises(type(error)), exit_where_nobody_answers():
        raise error


@pytest.mark.parametrize("error", UNANSWERED)
def test_one_centre_that_refuses_us_is_unreachable_and_the_other_is_still_verified(error: B2streamError) -> None:
    refusing, other = MemoryStore("csc"), MemoryStore("fzj")
    refusing.fail("read", error, times=9)
    checks = list(Verifier([refusing, other]).verify(Subject("SE-Htm/EC/undated/a.csv")))
    assert [check.where for check in checks if check.outcome is Outcome.UNREACHABLE] == ["csc"]
    assert {check.where for check in checks if check.outcome is Outcome.BAD} == {"fzj"}, "nothing is there"
    assert exit_code(check for check in checks if check.where == "csc") == 3


def test_memory_handles_stand_for_a_handle_server_that_refuses_us() -> None:
    handles = MemoryHandles()
    handles.fail("list", Refused("listing 21.T99999: HTTP 401"))
    with pytest.raises(SystemExit) as caught, exit_where_nobody_answers():
        list(handles.list("21.T99999"))
    assert caught.value.code == 3
