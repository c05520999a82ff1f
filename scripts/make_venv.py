"""Make the virtual environment from the lock with hashes; say in one line what is missing and how to cure it.

Runs on the Python that `make` found, so it uses only the standard library, ASCII, and syntax that Pythons from 2.7 on can read.
"""

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = os.path.join(ROOT, "requirements.lock")
OLDEST = (3, 11)
NEWEST = (3, 14)  # for a later one not every package of the lock has a wheel
SYSTEM = ("Linux", "x86_64")
STAMP = ".locked"  # says which lock and which Python the packages are of, when all of them are there
OF_A_VENV = {"bin", "etc", "include", "lib", "lib64", "pyvenv.cfg", "share", ".gitignore", ".ready", STAMP}
AGAIN = "run the same command again, it starts anew"


def unsuitable(version, has_venv, implementation="CPython", system=SYSTEM):
    """Why this Python or machine will not do, and the cure, in one line; None when it will.

    `version` is (major, minor), `system` the name of the system and of its machine, as `platform` gives them.
    """
    found = "%d.%d" % version
    if tuple(version) < OLDEST:
        return (
            "Python 3.11 or later is needed, and this one is %s: install one and say `make PYTHON=python3.12 ...`"
            % found
        )
    if tuple(version) > NEWEST:
        return (
            "Python 3.11 to 3.14 is needed, and this one is %s, for which not every package has a wheel: "
            "install an older one and say `make PYTHON=python3.14 ...`" % found
        )
    if tuple(system) != SYSTEM:
        return (
            "Linux on x86-64 is needed, and this is %s on %s, for which Faust has no wheel: use such a machine or "
            "container (docker run --platform linux/amd64); gateway and reader run anywhere with `pip install '.[gateway]'`"
            % (system[0] or "an unknown system", system[1] or "an unknown machine")
        )
    if implementation != "CPython":
        return "CPython is needed, and this Python is %s: say `make PYTHON=python3.12 ...`" % implementation
    if not has_venv:
        return "this Python has no venv module: install it (Debian, Ubuntu: apt-get install python%s-venv)" % found
    return None


def has_venv():
    """Whether `venv` can make an environment with pip. Debian ships it without ensurepip: it then fails half way."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def in_the_way(path):
    """Why nothing may be made at `path`, None when it may: it is emptied first, so it must not be somebody's folder."""
    if not os.path.lexists(path):
        return None
    if not os.path.isdir(path):
        return "%s is in the way: remove it, or say `make VENV=elsewhere ...`" % path
    others = sorted(set(os.listdir(path)) - OF_A_VENV)  # one that was interrupted may lack its pyvenv.cfg
    if others:
        return "%s holds %s and is no virtual environment: say `make VENV=elsewhere ...`" % (path, others[0])
    return None


def is_current(path, locked):
    """Whether the packages of this very lock, for this very Python, are all in the environment at `path`."""
    try:
        with open(os.path.join(path, STAMP)) as stamp:
            return stamp.read() == locked
    except OSError:
        return False


def make(path):
    """Make the environment at `path` unless it is current, and install the project; a reason why that failed, or None.

    A current one is left as it is but for the project itself: programs may be running in it.
    """
    with open(LOCK, "rb") as lock:
        digest = hashlib.sha256(lock.read()).hexdigest()
    locked = "%d.%d %s" % (sys.version_info[0], sys.version_info[1], digest)
    steps = [["--no-deps", "--no-build-isolation", "-e", ROOT]]
    if not is_current(path, locked):
        say("making %s (once; about a minute) ..." % path)
        trouble = make_empty(path)
        if trouble:
            return trouble
        steps.insert(0, ["--require-hashes", "-r", LOCK])
    for step in steps:
        words = [os.path.join(path, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        words.extend(step)
        if subprocess.call(words) != 0:
            return "pip could not install the locked packages, its reason stands above; when cured, " + AGAIN
    with open(os.path.join(path, STAMP), "w") as stamp:
        stamp.write(locked)
    return None


def make_empty(path):
    """An environment with pip and nothing else; a reason why that failed, or None."""
    import venv

    stamp = os.path.join(path, STAMP)
    if os.path.exists(stamp):
        os.remove(stamp)  # first of all: what is removed half must not pass for whole
    try:
        venv.create(path, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return "%s could not be made: %s" % (path, error)
    return None


def say(line):
    """One line on standard output."""
    sys.stdout.write("b2stream: %s\n" % line)
    sys.stdout.flush()


def main(path):
    """Exit code for the shell: 0, or 1 after a line that says why."""
    import platform

    try:
        trouble = (
            unsuitable(
                sys.version_info[:2],
                has_venv(),
                platform.python_implementation(),
                (platform.system(), platform.machine()),
            )
            or in_the_way(path)
            or make(path)
        )
    except KeyboardInterrupt:
        trouble = "interrupted; " + AGAIN
    if trouble:
        sys.stderr.write("b2stream: %s\n" % trouble)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_venv.py FOLDER")
    sys.exit(main(sys.argv[1]))
