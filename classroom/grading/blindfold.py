"""What keeps a submission from looking at the checks, with which it shares a process, and from changing them.

A check holds in its variables what it is about to ask, and which of its calls is to be refused. Python shows these to all that it
calls: by frames, tracebacks, tracing, and the collector. A function can also get another body in place. Each of these ways
raises an audit event (PEP 578), and a hook for these can be added and never taken away.
"""

import builtins
import ctypes
import gc
import inspect
import logging
import sys
from collections.abc import Callable
from threading import get_ident
from types import CodeType, FunctionType, ModuleType, SimpleNamespace

FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
# Names in code that gets at frames, by itself or by `traceback`.
SIGHT = {*FRAMES, "_getframe", "currentframe", "format_stack", "extract_stack", "print_stack", "format_exc", "print_exc",
         "format_exception", "print_exception", "extract_tb", "format_tb"}  # fmt: skip
NEVER = frozenset((
    "sys._current_frames", "sys._current_exceptions", "sys.settrace", "sys.setprofile", "sys.addaudithook", "sys.monitoring.register_callback",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents",
))  # fmt: skip
CHANGES = ("object.__setattr__", "object.__delattr__")  # of what a function is made of: its code and its defaults
RAW = "ctypes."
OURS = ("grader.", "classroom.")
POINTERS = ("cast", "_cast", "memmove", "memset", "pythonapi", "cdll", "pydll")  # of ctypes, what raises no event
# Modules whose functions give a frame, or what stands in it, to whoever calls them. Other libraries keep it to themselves.
GIVERS = ("inspect", "bdb", "pdb", "code", "trace", "doctest", "torch._jit_internal", "torch._dynamo", "torch.fx")


def put_on() -> Callable[[], None]:
    """Look for the code that may use frames: what is loaded now. The function that comes back refuses them to all other code."""
    gc.unfreeze()  # what is frozen is not listed
    functions = [each for each in gc.get_objects() if type(each) is FunctionType]
    between = _codes([f for f in functions if f.__module__ == "traceback"])
    between += [function.__code__ for function in (logging.currentframe, inspect.currentframe)]
    others = [function for function in functions if not str(function.__module__).startswith(GIVERS)]
    trusted = [code for code in _codes(others) if SIGHT.intersection(code.co_names)]
    own = [function for function in functions if str(function.__module__).startswith(OURS)]
    hook = _hook(_by_id(trusted), _by_id(between), _by_id(own))

    def blind() -> None:
        for name in POINTERS:
            setattr(ctypes, name, None)
        sys.addaudithook(hook)

    return blind


def _by_id(things: list) -> dict[int, object]:
    """The things by their ids. They are held here, so that nothing else ever gets one of these ids."""
    return {id(thing): thing for thing in things}


def _codes(functions: list[FunctionType]) -> list[CodeType]:
    """Their code, and that of the functions within."""
    codes = [function.__code__ for function in functions]
    for code in codes:
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
    return codes


def out_of_reach(functions: list[FunctionType]) -> list[FunctionType]:
    """The same functions, and all that they call of the grader's, with module variables and builtins of their own.

    A submission finds the grader's modules, and may replace there what it likes. The copies do not see it.
    """
    spaces: dict[int, dict] = {}
    modules: list[tuple[SimpleNamespace, dict]] = []

    def copy(function: FunctionType) -> FunctionType:
        space = space_of(function.__globals__)
        made = FunctionType(function.__code__, space, function.__name__, function.__defaults__, function.__closure__)
        made.__kwdefaults__ = dict(function.__kwdefaults__ or {})
        made.__doc__, made.__module__ = function.__doc__, function.__module__
        return made

    def space_of(variables: dict) -> dict:
        if id(variables) not in spaces:
            space = spaces[id(variables)] = variables | {"__builtins__": vars(builtins).copy()}
            for name, value in variables.items():
                if type(value) is FunctionType and value.__globals__.get("__name__", "").startswith(OURS):
                    space[name] = copy(value)
                elif isinstance(value, ModuleType) and value.__name__.startswith("grader."):
                    space[name] = SimpleNamespace()
                    modules.append((space[name], space_of(vars(value))))
        return spaces[id(variables)]

    made = [copy(function) for function in functions]
    for module, space in modules:
        vars(module).update(space)
    return made


def _hook(trusted: dict[int, CodeType], between: dict[int, CodeType], own: dict[int, FunctionType]) -> Callable:
    """The hook. All that it needs is its own: a submission may change the builtins, but it finds no way to this closure.

    Args:
        trusted: code that may use frames.
        between: code that gives a frame to its caller, who must then be trusted.
        own: functions that nobody may change.
    """
    asking = set()  # threads in which the hook itself asks for a frame
    getframe, thread, error, id_of = sys._getframe, get_ident, PermissionError, id
    never, raw, frames, changes = NEVER, RAW, FRAMES, CHANGES

    def hook(event, details):
        if event == "builtins.id":  # by far the most frequent one: `copy.deepcopy` raises it for each object
            return
        if event in never or event[:7] == raw:
            raise error(f"Code that is graded may not use {event}")
        if event in changes and id_of(details[0]) in own:
            raise error("Code that is graded may not change functions of the grader")
        if event == "sys._getframe" or event == "object.__getattr__" and details[1] in frames:
            may_look()

    def may_look():
        here = thread()
        if here in asking:
            return
        asking.add(here)
        try:
            caller = getframe(2)
        finally:
            asking.discard(here)
        while caller and id_of(caller.f_code) in between:
            caller = caller.f_back
        if not caller or id_of(caller.f_code) not in trusted:
            raise error("Code that is graded may not look at its callers")

    return hook
