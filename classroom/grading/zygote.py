"""The prepared process inside of bubblewrap: it has imported torch, and forks for each submission.

Each fork is a guard and its charge. The guard makes new namespaces (processes, mounts, network, users, messages between
processes), starts the charge in them and waits; it kills it when the grader says so or is gone. The charge is the
first process of its namespace, so that all it might have started ends with it. Before it runs a line of the
submission, it has closed every door: its own empty /tmp, no /proc, limits, and no system call for which a solution
has no use.

`python -m classroom.grading.zygote FD RULES WHO`: FD is a socket on which pairs of sockets arrive, one pair for each submission;
RULES is the filter of system calls, in hexadecimal digits; WHO is "root" if the process can become other users, else "user".
"""

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable

import torch

from classroom.grading import blindfold, inside

MEMORY = 768 * 2**20  # bytes of address space beyond what the prepared process has
SCRATCH = "size=32m,nr_inodes=2000,mode=700"
FIRST_USER = 1_900_000_000  # if this is root, each submission has a user of its own from here on: limits do not bind root
CPU_SECONDS = 90
THREADS = 16
FILES = 64
FILE_BYTES = 16 * 2**20
SIGNALS = 64  # that wait, timers included

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # mount, uts, ipc, pid, net
_NEW_USER = 0x10000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main(descriptor: int, rules: bytes, as_root: bool) -> None:
    control = socket.socket(fileno=descriptor)
    inside.warm_up()
    blind = blindfold.put_on()
    gc.collect()
    gc.freeze()  # collections in the forks then leave the shared pages alone
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guards that have ended are reaped by the system
    control.send(b"r")
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if len(descriptors) != 2:
            return  # the grader has closed its end, or is gone: with this process, all others of the sandbox end
        try:
            if os.fork() == 0:
                control.close()
                _guard(*descriptors, rules, as_root, blind)
        except OSError:
            pass  # no memory, or too many processes: the grader sees that the sockets are closed, and tries again
        for descriptor in descriptors:
            os.close(descriptor)


def _guard(data: int, control: int, rules: bytes, as_root: bool, blind: Callable[[], None]) -> None:
    """Start the charge in namespaces of its own; end it when the other end of `control` is closed. Does not return."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        user = FIRST_USER + os.getpid() if as_root else None
        _separate(user)
        charge = os.fork()
        if charge == 0:
            _charge(data, rules, user, blind)
        _become(user)  # so that it may end its charge
        os.close(data)
        ended = os.pidfd_open(charge)
        while True:
            ready, _, _ = select.select([control, ended], [], [])
            if ended in ready:
                os.write(control, b"e")  # the submission's own doing; without this byte, it is the sandbox that has ended
                break
            if not os.read(control, 1):
                os.kill(charge, signal.SIGKILL)
                break
            os.kill(charge, signal.SIGINT)
        os.waitpid(charge, 0)
    finally:
        os._exit(0)


def _separate(user: int | None) -> None:
    """Make namespaces for this process and its children, and for their users, too, if these are to be this one's own."""
    if user:
        return _call("unshare", _NEW_NAMESPACES)
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _NEW_NAMESPACES | _NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _become(user: int | None) -> None:
    """Become another user, who may do nothing."""
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _charge(data: int, rules: bytes, user: int | None, blind: Callable[[], None]) -> None:
    """Shut the doors, then run the submission. Does not return."""
    try:
        os.setsid()  # signals to a group of processes pass through namespaces; and each session gets its share of the processors
        os.closerange(3, data)
        os.closerange(data + 1, 4096)
        _mount("tmpfs", "/tmp", _NO_SUID | _NO_DEVICES | _NO_EXEC, f"{SCRATCH},uid={user},gid={user}" if user else SCRATCH)
        _limit()
        # The host's names; terminals, over which two could talk; and the checks, which are loaded, and whose hints are code.
        for folder in ("/proc", "/dev/pts", "/course"):
            _mount("tmpfs", folder, _READ_ONLY, "size=4k")
        os.chdir("/tmp")
        _become(user)
        _drop_capabilities()
        _forbid(rules)
        blind()
        inside.serve(data)
    finally:
        os._exit(0)  # no atexit, no finalisers: nothing of the submission has a last word


def _limit() -> None:
    with open("/proc/self/statm") as file:
        present = int(file.read().split()[0]) * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_AS, present + MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_NPROC, THREADS),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_SIGPENDING, SIGNALS),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that is too large is an OSError


def _forbid(program: bytes) -> None:
    """Load a filter of system calls: an array of instructions for the kernel, which `classroom.grading.sandbox` has made."""
    code = ctypes.create_string_buffer(program, len(program))
    rules = _Program(len(program) // 8, ctypes.addressof(code))
    _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call("prctl", _SECCOMP, _FILTER, ctypes.byref(rules), 0, 0)


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def _mount(kind: str, target: str, flags: int, options: str) -> None:
    _call("mount", kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def _call(name: str, *arguments) -> None:
    """A function of the C library. OSError if it fails."""
    if getattr(_LIBC, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3] == "root")
