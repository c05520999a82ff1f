"""`make test`: all tests, the unit tests beside the others.

Most of the others wait, for servers that start, stop or are frozen, and leave a core idle; the unit tests only compute. Their
output comes whole, after that of the others.
"""

import subprocess
import sys
import tempfile

UNIT = "tests/unit"


def main() -> int:
    """0 where every test passed, else the first exit code of pytest that was not."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as output:
        # The cache belongs to the others: it keeps what was made for Java.
        beside = subprocess.Popen(
            [*pytest, "-p", "no:cacheprovider", UNIT], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            others = subprocess.call([*pytest, f"--ignore={UNIT}"])
            unit = beside.wait()
        finally:
            beside.kill()
        output.seek(0)
        print(f"\n{UNIT}:\n{output.read().decode(errors='replace')}", flush=True)
    return others or unit


if __name__ == "__main__":
    sys.exit(main())
