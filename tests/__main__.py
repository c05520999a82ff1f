"""`make test`: all tests, the unit tests and the simulator beside the others.

Most of the others wait, for servers that start, stop or are frozen, and leave a core idle; these two only compute. Their
output comes whole, after that of the others.
"""

import subprocess
import sys
import tempfile

BESIDE = ("tests/unit", "tests/simulator")


def main() -> int:
    """0 where every test passed, else the first exit code of pytest that was not."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as output:
        # The cache belongs to the others: it keeps what was made for Java.
        beside = subprocess.Popen(
            [*pytest, "-p", "no:cacheprovider", *BESIDE],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            others = subprocess.call([*pytest, *(f"--ignore={folder}" for folder in BESIDE)])
            computing = beside.wait()
        finally:
            beside.kill()
        output.seek(0)
        print(f"\n{' and '.join(BESIDE)}:\n{output.read().decode(errors='replace')}", flush=True)
    return others or computing


if __name__ == "__main__":
    sys.exit(main())
