"""`make test`: all tests, in two runs of pytest side by side.

Most tests of servers wait, for one that starts, stops or is frozen, and leave a core idle. So the unit tests and the simulator, which only
compute, run beside them, and then the demos. Their output comes whole, after that of the others.
"""

import subprocess
import sys
import tempfile

BESIDE = ("tests/unit", "tests/simulator", "tests/acceptance")
CACHE_BESIDE = ".pytest_cache/beside"  # two runs must not write one


def main() -> int:
    """0 where every test passed, else the first exit code of pytest that was not."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(
            [*pytest, "-o", f"cache_dir={CACHE_BESIDE}", *BESIDE],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            others = subprocess.call([*pytest, *(f"--ignore={folder}" for folder in BESIDE)])
            beside_them = beside.wait()
        finally:
            beside.kill()
        output.seek(0)
        print(f"\n{', '.join(BESIDE)}:\n{output.read().decode(errors='replace')}", flush=True)
    return others or beside_them


if __name__ == "__main__":
    sys.exit(main())
