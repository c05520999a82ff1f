"""Becomes the program named on its command line, and asks the kernel first to kill it when its parent is gone.

Run as a script, `python -I -S launcher.py PARENT_PID COMMAND…`, so that nothing is imported that is not needed.
It stands between fork and exec because Python code may not run there in a process with threads. The kernel's request
survives exec. Only Linux has it: elsewhere a parent that is killed hard leaves its children behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    parent = int(sys.argv[1])
    command = sys.argv[2:]
    if sys.platform == "linux":
        # SIGKILL and not SIGTERM: it also ends a process that is frozen.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - a shell is just what is not wanted


if __name__ == "__main__":
    main()
