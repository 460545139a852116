"""What is around strangers' code: what it can read, and what it may ask the system for.

It sees Python, the libraries that a solution and the checks need, and the public half of the grader, all read-only. It sees no
reference, no known mistake, no submission, no home, no network, and no other library: `peft` could answer in its place.
"""

import errno
import os
import sys
import sysconfig
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from grader.libraries import SOURCES
from grader.problems import PROBLEMS, ROOT

SYSTEM = ("/usr", "/lib", "/lib64", "/bin")  # where programs and libraries lie
COURSE, PACKAGES = "/course", "/packages"  # names inside, wherever the folders lie outside: in /tmp, or in a home
PYTHON = str(Path(sys.executable).resolve())
NEEDED = ("torch", "numpy", "safetensors", "jupytext", "psutil")  # by solutions and checks, with what these require
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID")  # of root, until the zygote gives them up

# A solution computes. It starts no processes, opens no sockets, leaves the system as it is, and asks nothing about the host.
FORBIDDEN = (
    "fork", "vfork", "execve", "execveat", "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsmount",
    "mount_setattr", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "bpf", "perf_event_open", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create", "memfd_secret", "shmget", "msgget",
    "semget", "mq_open", "keyctl", "add_key", "request_key", "setrlimit", "personality", "fanotify_init", "inotify_init",
    "inotify_init1", "io_setup", "kill", "tkill", "rt_sigqueueinfo", "pidfd_send_signal", "syslog", "flock", "modify_ldt",
    "name_to_handle_at", "open_by_handle_at", 457, 458,
)  # fmt: skip  The last two are statmount and listmount, on all machines. They tell the paths of the host.
CLONE_THREAD = 0x00010000
# Two that run at once share the files that they read. Locks, leases and notices on these could carry words.
LOCKS = (5, 6, 7, 36, 37, 38, 1024, 1025, 1026)  # F_GETLK to F_SETLKW, the same of open files, F_SETLEASE, F_GETLEASE, F_NOTIFY
SHARED = (0x01, 0x03)  # MAP_SHARED and MAP_SHARED_VALIDATE …
SHARED_MASK = 0x2F  # … of a file: without MAP_ANONYMOUS


def command() -> list[str]:
    """The bubblewrap command in front of a command."""
    words = ["bwrap", "--unshare-all", "--new-session", "--clearenv"]
    if is_root():  # then the zygote changes to other users, which a namespace of users would not have
        words = ["bwrap", *(f"--unshare-{kind}" for kind in ("ipc", "pid", "net", "uts", "cgroup-try")), *words[2:]]
        words += [word for name in CAPABILITIES for word in ("--cap-add", name)]
    for name, value in {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8"}.items():
        words += ["--setenv", name, value]
    for name, value in {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{COURSE}:{PACKAGES}"}.items():
        words += ["--setenv", name, value]
    # Folders that lead to others, or only root could pass through them.
    for folder in (COURSE, f"{COURSE}/classroom", f"{COURSE}/classroom/grading", PACKAGES, f"{PACKAGES}/transformers", f"{PACKAGES}/transformers/utils"):
        words += ["--dir", folder]
    for folder in (parent for path in shown() if path not in SYSTEM for parent in reversed(Path(path).parents[:-1])):
        words += ["--dir", str(folder)]
    for folder in shown():
        if folder in SYSTEM and os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
        else:
            words += ["--ro-bind-try", folder, folder]
    for folder in _of_other_packages():
        words += ["--tmpfs", folder, "--remount-ro", folder]
    for path, name in _packages().items():
        words += ["--ro-bind", path, f"{PACKAGES}/{name}"]
    # Of the course only what the checks need. The known mistakes lie within the grader, so they are covered.
    needed = ("__init__", *(f"grading/{name}" for name in ("__init__", "zygote", "blindfold", "inside", "suspicion", "origins")))
    for name in ("desk", "grader", *(f"classroom/{name}.py" for name in needed)):
        words += ["--ro-bind", f"{ROOT / name}", f"{COURSE}/{name}"]
    for problem in (problem for problem in PROBLEMS.values() if problem.is_own):
        for path in (problem.folder / "problem.toml", problem.checks):
            words += ["--ro-bind", str(path), f"{COURSE}/{path.relative_to(ROOT).as_posix()}"]
    words += ["--tmpfs", f"{COURSE}/grader/mistakes", "--remount-ro", f"{COURSE}/grader/mistakes"]
    words += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    return [*words, "--remount-ro", "/", "--"]


def is_root() -> bool:
    """Whether this process may become any user. In a namespace of users that holds root alone, it may not."""
    if os.getuid():
        return False
    with open("/proc/self/uid_map") as file:
        return int(file.read().split()[2]) > 2**31


def shown() -> list[str]:
    """The folders that submissions can read under their own names: the system's programs and libraries, and Python's."""
    python = dict.fromkeys([str(Path(PYTHON).parent.parent), sys.base_prefix])
    return [*SYSTEM, *(folder for folder in python if not folder.startswith("/usr"))]


def _of_other_packages() -> list[str]:
    """The folders of installed packages within the folders that are shown. They are covered."""
    roots = {*map(Path, shown()), Path("/usr/local")}
    found = {path for root in roots for kind in ("site", "dist") for path in root.glob(f"lib/python3*/{kind}-packages")}
    return sorted({str(path.resolve()) for path in found if path.is_dir()})


@cache
def _packages() -> dict[str, str]:
    """The files and folders of the packages that are needed, with their names inside."""
    found, queue, known = {}, list(NEEDED), set()
    while queue:
        name = queue.pop()
        if name in known:
            continue
        known.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # it is for other systems
        wanted = map(Requirement, package.requires or ())
        queue += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
        for top in {file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")}:
            found[str(package.locate_file(top))] = top
    transformers = Path(sysconfig.get_path("purelib"), "transformers")
    found |= {str(transformers / name): f"transformers/{name}" for name in SOURCES if (transformers / name).exists()}
    return dict(sorted(found.items()))


def filter_of_calls() -> bytes:
    """The filter of system calls, as the kernel reads it: PermissionError for what a solution does not need."""
    import pyseccomp as seccomp  # here, since it can be imported on Linux alone

    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in FORBIDDEN:
        try:
            rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
        except ValueError:
            pass  # a call that this machine does not have
    # Threads are allowed, processes are not. The flags of clone3 cannot be seen; without it the C library uses clone.
    rules.add_rule(seccomp.ERRNO(errno.EPERM), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    for lock in LOCKS:  # the kernel reads the lower half of the argument alone
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "fcntl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, lock))
    for kind in SHARED:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, SHARED_MASK, kind))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
