"""A TCP proxy that stands before a server and does to the bytes what networks do: see `Fault` for what there is.

`FaultProxy` runs as a thread of a test; `python -m tests.faults.proxy` is a process that takes orders as JSON lines.
"""

from tests.faults.proxy.lane import BOTH, DOWN, UP, Fault
from tests.faults.proxy.proxy import Counts, FaultProxy

__all__ = ["BOTH", "DOWN", "UP", "Counts", "Fault", "FaultProxy"]
