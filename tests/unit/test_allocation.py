"""Memory that comes and goes is kept, and not asked for again."""

import subprocess
import sys

import pytest

HAND_OVER = """
import resource, sys, threading
if sys.argv[1] == "kept":
    from b2stream.allocation import keep_freed_memory
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(200):
        blocks = [bytearray(256 << 10) for _ in range(16)]
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="concerns the GNU C library")
def test_I10_blocks_that_come_and_go_take_no_new_pages_from_the_system() -> None:
    command = [sys.executable, "-c", HAND_OVER, "kept"]
    faults = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert faults < 20_000, "200 times 4 MiB are 204,800 pages"
