"""What the processes behind a check print lands in no cell, however they end."""

import os
import sys

import nbclient
import nbformat
import pytest

NOISY = """
import os, signal, sys
os.write(1, b"noise on 1"), os.write(2, b"noise on 2"), print("noise", file=sys.stderr)
os.kill(os.getpid(), signal.SIGINT)
"""
ENDINGS = """
import os

def abort(connection):
    os.write(2, b"noise of a child")
    os.abort()

def fail(connection):
    raise RuntimeError("noise of a traceback")
"""
SETUP = """
        import multiprocessing, os, signal, sys, threading
        from multiprocessing import forkserver, resource_tracker
        import endings
        from grader import children, observe
        from grader.notebook import start"""
CELLS = {
    "the server prints while it starts, and the kernel is interrupted": """
        children.PRELOAD[:] = ["grader.uninterrupted", "noisy", "grader.preload"]
        children.warm_up()""",
    "a child prints, and is aborted": "observe.Process(endings.abort).next(60).kind",
    "a child ends with a traceback": "observe.Process(endings.fail).next(60).kind",
    "the server and the tracker are killed, and start anew": """
        for pid in (resource_tracker._resource_tracker._pid, forkserver._forkserver._forkserver_pid):
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        observe.Process(endings.abort).next(60).kind""",
    "children without a server": """
        children.context = lambda: multiprocessing.get_context("spawn")
        observe.Process(endings.abort).next(60).kind""",
    "the warm-up fails": """
        def no_child(process):
            raise OSError("noise of the thread")
        children.start = no_child
        threads = set(threading.enumerate())
        check, hint = start("lora")
        for thread in set(threading.enumerate()) - threads:
            thread.join()""",
    "the next check tells why": """
        def inject_lora(): ...
        print(check("inject_lora"))""",
    "what the kernel itself prints is heard": """
        heard, write = threading.Event(), sys.stderr.write
        sys.stderr.write = lambda text: (write(text), heard.set())
        os.write(2, b"a crash of C code")
        assert heard.wait(60)""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="On Windows a kernel does not read its descriptors.")
def test_no_process_behind_a_check_prints_into_a_cell(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    (tmp_path / "endings.py").write_text(ENDINGS)
    notebook = nbformat.v4.new_notebook(cells=[_cell(source) for source in (SETUP, *CELLS.values())])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])}
    del environment["PYTEST_CURRENT_TEST"]  # where this is set, a kernel leaves its descriptors alone
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute(env=environment)
    shown = {name: "".join(map(_text, cell.outputs)) for name, cell in zip(CELLS, notebook.cells[1:])}
    assert notebook.cells[0].outputs == []
    *others, told, heard = shown.values()
    assert others == ["", "'crash'", "'crash'", "'crash'", "'crash'", ""]
    assert told.startswith("The code cannot be checked now: this machine did not start the process") and "noise" not in told
    assert heard == "a crash of C code"


def _cell(source: str):
    return nbformat.v4.new_code_cell(source.replace("\n        ", "\n").strip())


def _text(output) -> str:
    return output.get("text") or output["data"]["text/plain"]
