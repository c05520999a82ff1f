"""The data object that the demo verifies at its end is any of them."""

import hashlib
from random import Random

from b2stream.batches.identity import id24
from b2stream.sandbox.demo.example import Example, choose

SEEN = {
    f"SE-Sim/EC/2024/03/{name}": (number, size_bytes, hashlib.sha256(name.encode()).hexdigest())
    for number, (name, size_bytes) in enumerate(
        {"a.csv": 10, "a.csv.manifest.json": 900, "b.json": 1, "c.bin": 99, "c.bin.manifest.json": 900, "e": 0}.items()
    )
} | {".provenance/SE-Sim/2024/03/day.prov.json": (9, 5, "0" * 64)}


def test_each_data_object_that_has_bytes_may_be_chosen_and_nothing_else() -> None:
    random = Random(1)
    chosen = {choose(SEEN, "", random).path.rpartition("/")[2] for _ in range(200)}
    assert chosen == {"a.csv", "b.json", "c.bin"}


def test_it_is_named_by_its_pid_where_there_are_pids() -> None:
    path, sha256 = "SE-Sim/EC/2024/03/a.csv", SEEN["SE-Sim/EC/2024/03/a.csv"][2]
    only = {name: about for name, about in SEEN.items() if name.startswith(path)}
    with_pid, without = choose(only, "21.T99999", Random()), choose(only, "", Random())
    assert with_pid == Example(path, f"21.T99999/{id24(sha256)}", 1)
    assert (with_pid.name, without.name) == (with_pid.pid, path)


def test_where_all_are_empty_an_empty_one_is_chosen() -> None:
    path = "SE-Sim/EC/2024/03/e"
    assert choose({path: SEEN[path]}, "", Random()).path == path
