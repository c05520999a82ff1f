"""`make test`: all tests, in two runs of pytest side by side.

Most tests of servers wait, for one that starts, stops or is frozen, and leave a core idle. So beside the integration tests run the
unit tests and the simulator, which only compute, then the demos, the faults and a part of the integration tests, so that both take
about as long. Their output comes whole, after that of the others.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

BESIDE = (
    "tests/unit",
    "tests/simulator",
    "tests/acceptance",
    "tests/faults",
    "tests/integration/replicator",
    "tests/integration/sandbox",
    "tests/integration/security",
    "tests/integration/zone",
)
CACHE_BESIDE = ".pytest_cache/beside"  # two runs must not write one
CUT_SHORT = 1


def main() -> int:
    """0 where every test passed, else the first exit code of pytest that was not."""
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        reports = Path(folder) / "others.xml", Path(folder) / "beside.xml"
        beside = subprocess.Popen(
            [*pytest, "-o", f"cache_dir={CACHE_BESIDE}", "--junitxml", str(reports[1]), *BESIDE],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            ignored = [f"--ignore={folder}" for folder in BESIDE]
            exit_codes = [subprocess.call([*pytest, "--junitxml", str(reports[0]), *ignored]), beside.wait()]
        finally:
            beside.kill()
        output.seek(0)
        print(f"\n{', '.join(BESIDE)}:\n{output.read().decode(errors='replace')}", flush=True)
        # A program that ends its process, as some do after their grace time, would end a run of pytest that it shares, with any code.
        exit_codes += [CUT_SHORT for report in reports if not report.exists()]
    return next((code for code in exit_codes if code != 0), 0)


if __name__ == "__main__":
    sys.exit(main())
