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
MEAN_PAUSE_S = 4.0
RESTART_PART = 0.35
"""Programs are ended only in this first part of a schedule: how much memory a process takes needs a life to be measured."""

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
    """Whom there is to torment, by name."""

    programs: Sequence[str]
    servers: Sequence[str]
    links: Sequence[str] = field(default=())


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
        fault = dice.choice(sorted(LINK_FAULTS))
        return Act(at_s, LINK, f"link {dice.choice(targets.links)}", _length(dice, LONGEST_LINK_S), fault)
    target = dice.choice([*targets.programs, *targets.servers])
    kind = dice.choice((KILL, FREEZE, STOP))
    if target in targets.programs and at_s > RESTART_PART * length_s:
        kind = FREEZE
    return Act(at_s, kind, target, _length(dice, LONGEST_FROZEN_S if kind == FREEZE else LONGEST_AWAY_S))


def _length(dice: random.Random, longest_s: float) -> float:
    """Most troubles are short, some last as long as any."""
    return round(max(SHORTEST_S, scaled_s(longest_s) * dice.random() ** 2), 2)
