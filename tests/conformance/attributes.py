"""What every object store must do with attributes (AVUs). A test class inherits this and gives the fixture `store`, empty at first."""

import threading

import pytest

from b2stream.archive.attributes import LONGEST_CHARACTERS
from b2stream.archive.store import ObjectStore
from b2stream.errors import MissingObject
from tests.conformance.archive import CONTENT, FOLDER, put, sha256

PATH = f"{FOLDER}/it's a day~abc.csv"


class AttributesConformance:
    """Inherited by one test class per implementation."""

    @pytest.fixture(autouse=True)
    def placed(self, store: ObjectStore) -> None:
        put(store, PATH)
        put(store, f"{FOLDER}/it_s a day~abc.csv", b"whose name looks like a pattern of the other's")

    def test_a_new_object_has_a_resource_and_no_attributes(self, store: ObjectStore) -> None:
        found = store.attributes(PATH)
        assert found.values == {}
        assert len(found.resources) == 1

    def test_attributes_are_set_and_not_piled_up(self, store: ObjectStore) -> None:
        store.set_attributes(PATH, {"PID": "21.T1/a", "EUDAT/ROR": "21.T1/a", "ICOS/rows": "1"})
        store.set_attributes(PATH, {"PID": "21.T1/b", "ICOS/rows": "1"})
        store.set_attributes(PATH, {"EUDAT/REPLICA": "21.T2/a"})
        assert store.attributes(PATH).values == {
            "PID": ("21.T1/b",),
            "EUDAT/ROR": ("21.T1/a",),
            "ICOS/rows": ("1",),
            "EUDAT/REPLICA": ("21.T2/a",),
        }

    def test_setting_what_is_there_changes_nothing(self, store: ObjectStore) -> None:
        wanted = {"PID": "21.T1/a", "ICOS/station": "SE-Htm"}
        for _ in range(2):
            store.set_attributes(PATH, wanted)
            assert not store.attributes(PATH).lacks(wanted)
        assert store.attributes(PATH).lacks({"PID": "21.T1/b"})

    def test_I4_the_object_itself_stays_as_it_is(self, store: ObjectStore) -> None:
        store.set_attributes(PATH, {"PID": "21.T1/a"})
        state = store.describe(PATH)
        assert state is not None
        assert state.is_exactly(len(CONTENT), sha256(CONTENT))

    def test_an_object_whose_name_is_alike_has_its_own_attributes(self, store: ObjectStore) -> None:
        store.set_attributes(PATH, {"PID": "21.T1/a"})
        assert store.attributes(f"{FOLDER}/it_s a day~abc.csv").values == {}

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("räksmörgås 北 😀", "räksmörgås 北 😀"),
            ("say \"x\" & <b> 'y' `z` \\ % _", "say \"x\" & <b> 'y' `z` \\ % _"),
            ("two\r\nlines\rthree", "two\nlines\nthree"),
            ("a\x01b\x00c", "a�b�c"),
            ("x" * (LONGEST_CHARACTERS + 5), "x" * LONGEST_CHARACTERS),
        ],
    )
    def test_any_text_is_kept_as_far_as_a_centre_can(self, store: ObjectStore, given: str, kept: str) -> None:
        store.set_attributes(PATH, {"ICOS/fileName": given, "PID": "21.T1/a"})
        assert store.attributes(PATH).values == {"ICOS/fileName": (kept,), "PID": ("21.T1/a",)}

    def test_an_empty_text_is_left_out_and_hurts_no_other(self, store: ObjectStore) -> None:
        store.set_attributes(PATH, {"ICOS/fileName": "", "PID": "21.T1/a"})
        assert store.attributes(PATH).values == {"PID": ("21.T1/a",)}

    def test_what_is_not_there_has_no_attributes(self, store: ObjectStore) -> None:
        with pytest.raises(MissingObject):
            store.attributes(f"{FOLDER}/nothing")
        with pytest.raises(MissingObject):
            store.set_attributes(f"{FOLDER}/nothing", {"PID": "21.T1/a"})

    def test_many_attributes_of_one_object_are_all_told(self, store: ObjectStore) -> None:
        wanted = {f"ICOS/{number}": str(number) for number in range(300)}
        store.set_attributes(PATH, wanted)
        assert store.attributes(PATH).values == {name: (value,) for name, value in wanted.items()}

    def test_two_who_set_the_same_at_once_end_at_one_value_each(self, store: ObjectStore) -> None:
        store.set_attributes(PATH, {"PID": "old"})
        failures: list[Exception] = []
        start = threading.Barrier(2)

        def work() -> None:
            start.wait()
            try:
                store.set_attributes(PATH, {"PID": "21.T1/a", "EUDAT/FIO": "21.T1/a"})
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert store.attributes(PATH).values == {"PID": ("21.T1/a",), "EUDAT/FIO": ("21.T1/a",)}
