"""What happens to bytes between the programs and the zones, and what zones do that answer and do not mean it."""

from collections.abc import Callable

import pytest

from tests.faults import load
from tests.faults.links.linked import ANSWER_S, FILES, HEALED_S, LinkedChain, within
from tests.faults.proxy import DOWN, UP, Fault
from tests.faults.scale import deadline_s
from tests.waiting import until

Say = Callable[[str], None]

pytestmark = pytest.mark.timeout(deadline_s(300))

all_faults = pytest.mark.usefixtures("all_faults")
CENTRES = [("first", "first"), ("second", "second"), ("source", "first")]
"""Links and the zones behind them: the processor's, and the replicator's two."""
LIES = [("DATA_OBJ_WRITE", action) for action in ("pretend", "store_half", "store_flipped")]
LIES += [("DATA_OBJ_CLOSE", "pretend"), ("DATA_OBJ_RENAME", "pretend")]
OTHERS_WAIT_S = deadline_s(60.0)


def test_I11_a_zone_that_hangs_after_it_accepted_is_given_up_and_asked_again(chain: LinkedChain, say: Say) -> None:
    link = chain.links["first"]
    link.break_off("reset")  # connections of threads that are at rest
    chain.strike("first", Fault("hold", DOWN))
    chain.stay(ANSWER_S + 1.0)
    assert chain.waiting(), "something came through"
    say(chain.settle())


@all_faults
@pytest.mark.parametrize(
    ("link", "kind"), [("first", "cut"), ("first", "reset"), ("first", "half_close"), ("second", "cut")]
)
def test_I4_a_link_that_closes_after_half_the_bytes_leaves_nothing_half(
    chain: LinkedChain, say: Say, link: str, kind: str
) -> None:
    files = chain.next_files()
    chain.strike(link, Fault(kind, UP, len(files[0].content) // 2, within(files[0], 0), times=1), files)
    say(chain.settle())


@all_faults
def test_I7_a_source_that_closes_after_half_the_bytes_is_read_again(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("source", Fault("cut", DOWN, len(files[0].content) // 2, within(files[0], 0), times=1), files)
    say(chain.settle())


def test_I5_a_byte_flipped_on_the_way_to_the_first_zone_is_never_committed(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("first", Fault("flip", UP, 10, within(files[0]), times=1), files)
    say(chain.settle())


@all_faults
def test_I7_a_byte_flipped_on_the_way_to_the_second_zone_is_never_placed(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("second", Fault("flip", UP, 10, within(files[0]), times=1), files)
    say(chain.settle())


@all_faults
def test_I7_a_byte_flipped_on_the_way_from_a_zone_is_not_believed(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("source", Fault("flip", DOWN, 10, within(files[0]), times=1), files)
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("link", ["first", "second", "source"])
def test_I5_a_byte_flipped_in_what_the_catalogue_answers_is_not_believed(
    chain: LinkedChain, say: Say, link: str
) -> None:
    chain.strike(link, Fault("flip", DOWN, 10, "sha2:", times=1))
    say(chain.settle())


@all_faults
@pytest.mark.parametrize(("link", "zone"), CENTRES)
def test_I11_a_zone_whose_link_swallows_everything_is_lag_and_nothing_else(
    chain: LinkedChain, say: Say, link: str, zone: str
) -> None:
    chain.strike(link, Fault("black_hole"))
    chain.stay(ANSWER_S + 1.0)
    assert chain.waiting(), f"{zone} took everything all the same"
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("zone", ["first", "second"])
def test_I5_success_that_is_none_is_not_believed(chain: LinkedChain, say: Say, zone: str) -> None:
    """The zone stores nothing, half of the bytes, another byte; it does not close, it does not move; and says each time that it did."""
    hits = [chain.misbehave(zone, call, action, times=2) for call, action in LIES]
    chain.give(chain.next_files(2 * FILES))
    until(
        lambda: all(each() == 2 for each in hits), lambda: f"{[each() for each in hits]}: {chain.describe()}", HEALED_S
    )
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("zone", ["first", "second"])
def test_I5_a_checksum_that_takes_longer_than_the_timeout_is_looked_for_again(
    chain: LinkedChain, say: Say, zone: str
) -> None:
    hits = chain.misbehave(zone, "DATA_OBJ_CLOSE", "delay", seconds=ANSWER_S + 2.0, times=2)
    chain.give(chain.next_files())
    until(lambda: hits() == 2, chain.describe, HEALED_S)
    until(chain.is_drained, chain.describe, HEALED_S)  # with the fault still there
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("code", [-818000, -110000], ids=["permission", "quota"])
def test_I11_what_is_refused_to_one_station_waits_and_the_others_go_on(chain: LinkedChain, say: Say, code: int) -> None:
    """Moves into one station's collections are refused: a permission revoked (-818000), a quota exceeded (-110000)."""
    hits = chain.misbehave("first", "DATA_OBJ_RENAME", "error", code=code, path=f"/{load.FOREST}/")
    refused = chain.next_file(lambda file: file.station == load.FOREST)
    others = [chain.next_file(lambda file: file.station != load.FOREST) for _ in range(3)]
    chain.give([refused])
    until(lambda: hits() > 0, chain.describe)
    chain.give(others)
    until(lambda: len(chain.waiting()) == 1, chain.describe, OTHERS_WAIT_S)
    assert [refused.station in name for name in chain.waiting()] == [True]
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("content", ["same", "other"])
def test_I4_a_target_that_is_there_already_is_taken_if_it_is_ours_and_never_replaced(
    chain: LinkedChain, say: Say, content: str
) -> None:
    """Another client has put an object at the very path: with our bytes it is ours, with others the batch waits until somebody acts."""
    half_hour = lambda file: file.name.startswith(f"{load.FOREST}_EC")  # noqa: E731
    first, file = chain.next_file(half_hour), chain.next_file(half_hour)
    chain.give([first])
    until(chain.is_drained, chain.describe)
    path = chain.place_of(file, beside=first)
    placed = file.content if content == "same" else b"somebody else's"
    with chain.session() as session:
        with session.data_objects.open(path, "w") as handle:
            handle.write(placed)
        session.data_objects.chksum(path)
        number = session.data_objects.get(path).id
        others = [chain.next_file(lambda one: one.station != load.FOREST) for _ in range(2)]
        chain.give([file])
        if content == "other":
            chain.give(others)
            until(lambda: len(chain.waiting()) == 1, chain.describe, OTHERS_WAIT_S)
            with session.data_objects.open(path, "r") as handle:
                assert handle.read() == placed, "it was replaced"
            session.data_objects.unlink(path, force=True)  # what an administrator does
        until(chain.is_drained, chain.describe, HEALED_S)
        assert (session.data_objects.get(path).id == number) is (content == "same")
    say(chain.settle())


@all_faults
def test_I11_a_slow_link_to_a_zone_is_slow_and_nothing_else(chain: LinkedChain, say: Say) -> None:
    chain.strike("first", Fault("throttle", bytes_per_s=60_000))
    until(chain.is_drained, chain.describe, 180.0)
    say(chain.settle())
