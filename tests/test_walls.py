"""What the kernel refuses a submission, once all that Python refuses is taken away: the last wall, looked at by itself."""

import json
import subprocess

import pytest

from classroom.grading import walls

# Runs in the sandbox, in the place of a submission. Each attempt gives a sentence of what came of it.
ATTEMPTS = """
import ctypes, fcntl, glob, json, mmap, os, resource, select, signal, socket, sys, threading, time
from classroom.grading import inside, zygote

libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    found = libc.syscall(number, *arguments)
    return "allowed" if found >= 0 else os.strerror(ctypes.get_errno())


def threads():
    threading.stack_size(64 * 1024)
    try:
        for count in range(2000):
            threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    except RuntimeError:
        return f"{'few' if count < 20 else count} threads"
    return "allowed"


def timers():
    timer = ctypes.c_void_p()
    for count in range(10**5):
        if libc.timer_create(1, None, ctypes.byref(timer)):
            return f"{'few' if count < 100 else count} timers"
    return "allowed"


def opened(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags))
    return "allowed"


def file():
    return os.open(ctypes.__file__, os.O_RDONLY)


ATTEMPTS = {
    "a process": lambda: os.fork(),
    "a process by number": lambda: call(56, 17, 0, 0, 0, 0),
    "another program": lambda: os.execv("/usr/bin/true", ["true"]),
    "a socket": lambda: socket.socket(),
    "two sockets": lambda: socket.socketpair(),
    "a signal to all": lambda: os.kill(-1, 0),
    "another user": lambda: os.setuid(0) or ("allowed" if os.getuid() == 0 else "still nobody"),
    "a namespace": lambda: call(272, 0x10000000),
    "a mount": lambda: call(165, 0, 0, 0, 0, 0),
    "paths of the host": lambda: call(457, 0, 0, 0, 0),
    "mounts of the host": lambda: call(458, 0, 0, 0, 0),
    "io_uring": lambda: call(425, 1, 0),
    "tracing": lambda: call(101, 0, 0, 0, 0),
    "a lock on a file": lambda: fcntl.flock(file(), fcntl.LOCK_SH),
    "a lock on a part": lambda: fcntl.lockf(file(), fcntl.LOCK_SH),
    "a lease": lambda: fcntl.fcntl(file(), fcntl.F_SETLEASE, fcntl.F_RDLCK),
    "a lease with a high bit": lambda: call(72, file(), fcntl.F_SETLEASE | 1 << 40, fcntl.F_RDLCK),
    "shared memory": lambda: mmap.mmap(file(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ) and "allowed",
    "memory of its own": lambda: mmap.mmap(-1, 4096) and "allowed",
    "a terminal": lambda: os.openpty(),
    "threads": threads,
    "timers": timers,
    "a core file": lambda: f"at most {resource.getrlimit(resource.RLIMIT_CORE)[1]} bytes",
    "processes": lambda: f"{len(os.listdir('/proc'))} shown",
    "the checks": lambda: f"{len(os.listdir('/course'))} shown",
    "libraries": lambda: str([p for p in sys.path for n in ("peft", "trl", "pytest", "accelerate") if os.path.exists(f"{p}/{n}")]),
    "a file of its own": lambda: opened("/tmp/own", os.O_CREAT | os.O_WRONLY),
    "a file of others": lambda: opened("/packages/own", os.O_CREAT | os.O_WRONLY),
    "a late module": lambda: __import__("encodings.idna") and "allowed",
}


def serve(descriptor):
    found = {}
    for name, attempt in ATTEMPTS.items():
        try:
            found[name] = attempt() or "allowed"
        except OSError as error:
            found[name] = os.strerror(error.errno)
        except Exception as error:
            found[name] = repr(error)
    os.write(descriptor, json.dumps(found, default=str).encode())


inside.serve = serve
ours, theirs = socket.socketpair()
control, guard = socket.socketpair()
if os.fork() == 0:
    zygote._guard(theirs.fileno(), guard.fileno(), bytes.fromhex(sys.argv[1]), sys.argv[2] == "root", lambda: None)
theirs.close()
guard.close()
print(ours.recv(10**5).decode())
"""

REFUSED = "Operation not permitted"


@pytest.fixture(scope="module")
def found(sandboxed) -> dict[str, str]:
    """What came of each attempt."""
    who = "root" if walls.is_root() else "user"
    command = [*walls.command(), walls.PYTHON, "-s", "-P", "-c", ATTEMPTS, walls.filter_of_calls().hex(), who]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    "attempt",
    [
        "a process", "a process by number", "another program", "a socket", "two sockets", "a signal to all", "a namespace", "a mount",
        "paths of the host", "mounts of the host", "io_uring", "tracing", "a lock on a file", "a lock on a part", "a lease",
        "a lease with a high bit", "shared memory", "another user",
    ],
)  # fmt: skip
def test_the_kernel_refuses(found, attempt):
    others = {"paths of the host": "Function not implemented", "mounts of the host": "Function not implemented"}  # an older kernel
    others |= {"another user": "Invalid argument"}  # in a namespace that knows one user alone
    assert found[attempt] in (REFUSED, others.get(attempt))


def test_its_limits_hold_for_root_too(found):
    assert found["threads"] == "few threads" and found["timers"] == "few timers" and found["a core file"] == "at most 0 bytes"


def test_it_sees_no_process_no_check_and_no_other_library(found):
    assert found["processes"] == "0 shown" and found["the checks"] == "0 shown" and found["libraries"] == "[]"


def test_there_is_no_terminal_that_others_could_open(found):
    assert found["a terminal"] != "allowed" and not found["a terminal"].startswith("(")


def test_it_has_what_a_solution_needs(found):
    assert found["memory of its own"] == found["a file of its own"] == found["a late module"] == "allowed"
    assert found["a file of others"] == "Read-only file system"
