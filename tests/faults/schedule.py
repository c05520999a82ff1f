"""What a supervisor does to processes and links, and when: drawn whole from a seed before anything starts, so that the seed replays it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.scale import scaled_s

KILL, FREEZE, STOP, LINK = "kill", "freeze", "stop", "link"
RESTARTS = (KILL, STOP)
AT_ONCE = 3
"""So many parts are in trouble at the same time, at most."""
SHORTEST_S = 0.5
LONGEST_AWAY_S = 90.0  # full length, of a server or a program that is killed or stopped
LONGEST_FROZEN_S = 60.0
LONGEST_LINK_S = 60.0
LONG_FROM_S, LONG_TO_S = (40.0, 12.0), (60.0, 16.0)
"""Full length and floor of the freezes and link faults that outlast a consumer's session, and every timeout of a soak."""
LONG_SHARE = 0.25  # of the freezes and link faults that are drawn
SESSION_S = 10.0  # of every consumer of ours
MEAN_PAUSE_S = 4.0
RESTART_PART = 0.35
"""Whose memory is judged is ended only in this first part of a schedule: it needs a life to be measured."""

LINK_FAULTS: dict[str, dict[str, Any]] = {
    "delay": {"kind": "delay", "seconds": 0.3},
    "throttle": {"kind": "throttle", "bytes_per_s": 50_000},
    "hold": {"kind": "hold"},
    "black hole": {"kind": "black_hole"},
    "lost replies": {"kind": "black_hole", "direction": "down"},
    "cut": {"kind": "cut", "after_bytes": 20_000},
    "reset": {"kind": "reset", "after_bytes": 3_000},
    "half-close": {"kind": "half_close", "direction": "up", "after_bytes": 10_000},
}
"""No byte is flipped here: on a link without TLS nothing protects a request's words, and b2stream promises nothing there."""
SILENT = ("hold", "black hole", "lost replies")
"""Of these, the faults that keep who waits for an answer waiting, for as long as they last."""


@dataclass(frozen=True)
class Act:
    """One trouble: what is done to whom, from when to when (seconds after the schedule's begin). `fault` names one of LINK_FAULTS."""

    at_s: float
    kind: str
    target: str
    length_s: float
    fault: str = ""

    @property
    def ends_s(self) -> float:
        return self.at_s + self.length_s


@dataclass(frozen=True)
class Targets:
    """Whom there is to torment, by name. `measured` are those whose memory is judged, besides the programs."""

    programs: Sequence[str]
    servers: Sequence[str]
    links: Sequence[str] = field(default=())
    measured: Sequence[str] = field(default=())


def draw(seed: int, length_s: float, targets: Targets, mean_pause_s: float = MEAN_PAUSE_S) -> list[Act]:
    """The acts of a schedule, by their begin; each ends before the schedule does. No part is in two troubles at once."""
    acts: list[Act] = []
    dice = random.Random(f"schedule {seed}")
    for at_s in _moments(dice, length_s, mean_pause_s):
        act = _act(dice, at_s, length_s, targets)
        running = [one for one in acts if one.ends_s > at_s]
        is_free = all(one.target != act.target for one in running)
        if is_free and len(running) < AT_ONCE and act.ends_s < length_s:
            acts.append(act)
    return acts


def _moments(dice: random.Random, length_s: float, mean_pause_s: float) -> Iterator[float]:
    at_s = dice.expovariate(1 / mean_pause_s)
    while at_s < length_s:
        yield round(at_s, 2)
        at_s += dice.expovariate(1 / mean_pause_s)


def _act(dice: random.Random, at_s: float, length_s: float, targets: Targets) -> Act:
    if targets.links and dice.random() < 0.4:
        length_s, is_long = _long_or_short(dice, LONGEST_LINK_S)
        fault = dice.choice(SILENT if is_long else sorted(LINK_FAULTS))  # a long delay would outlast nothing
        return Act(at_s, LINK, f"link {dice.choice(targets.links)}", length_s, fault)
    target = dice.choice([*targets.programs, *targets.servers])
    kind = dice.choice((KILL, FREEZE, STOP))
    if target in (*targets.programs, *targets.measured) and at_s > RESTART_PART * length_s:
        kind = FREEZE
    if kind == FREEZE:
        return Act(at_s, kind, target, _long_or_short(dice, LONGEST_FROZEN_S)[0])
    return Act(at_s, kind, target, _short(dice.random(), LONGEST_AWAY_S))


def _long_or_short(dice: random.Random, longest_s: float) -> tuple[float, bool]:
    """A length, and whether it is one of the long ones."""
    drawn = dice.random()
    if drawn < LONG_SHARE:
        from_s, to_s = (scaled_s(full_s, at_least_s=floor_s) for full_s, floor_s in (LONG_FROM_S, LONG_TO_S))
        return round(from_s + (to_s - from_s) * drawn / LONG_SHARE, 2), True
    return _short((drawn - LONG_SHARE) / (1 - LONG_SHARE), longest_s), False


def _short(drawn: float, longest_s: float) -> float:
    """Most troubles are short, some last as long as any."""
    return round(max(SHORTEST_S, scaled_s(longest_s) * drawn**2), 2)


def outlasting_a_session(acts: Sequence[Act], members: Sequence[str]) -> list[Act]:
    """The freezes and silent links that kept a member of a group from Kafka, or Kafka from all of them, for longer than a session."""
    return [one for one in acts if _silences(one, ("kafka", *members), ("kafka",)) and one.length_s > SESSION_S]


def outlasting_a_timeout(acts: Sequence[Act], servers: Sequence[str], timeout_s: float) -> list[Act]:
    """Those that kept the answers of one of these servers away for longer than a program waits."""
    # `source` is the replicator's way to the first centre
    return [one for one in acts if _silences(one, servers, (*servers, "source")) and one.length_s > timeout_s]


def _silences(act: Act, frozen: Sequence[str], links: Sequence[str]) -> bool:
    if act.kind == LINK:
        return act.fault in SILENT and act.target in {f"link {name}" for name in links}
    return act.kind == FREEZE and act.target in frozen
