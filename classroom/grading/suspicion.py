"""What of a submission a person should look at, told from its syntax tree. It costs no points, and its author does not see it.

A solution computes with tensors. It has no use for its callers' frames, for the heap, for names that are put together from
pieces. One who has read the grader could answer the checks with these, instead of solving them.

`look` runs in the child, in the sandbox, since strangers' code is parsed there alone: a bomb of parentheses ends that child and
nothing else. It runs, and is sent, before the first line of the submission runs, so nothing of the submission can change what
it says. `sentences` is the parent's part. A name may be put together so that no tree shows it: this is an aid, and no wall.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from classroom.grading.origins import Code, Scope, came_from
from grader.effects import ANYTHING, CHANGING, binds, last
from grader.libraries import ALLOWED
from grader.problems import Problem
from grader.program import Program, modules_beside
from grader.references import PACKAGE
from grader.remarks import is_blank
from grader.submission import SubmissionError, parse, read

MOST, SHOWN, NAMES_SHOWN = 100, 3, 4  # findings that are sent; sentences; names in a sentence
UNWRITTEN = "unwritten"
# The kinds of findings, the worst first, and what is said of each.
KINDS = {
    "grader": "uses parts of the grader: {}",
    "replaces": "puts something of its own in the place of {}",
    "process": "may look at its callers, or at the process around it: {}",
    "insides": "may reach into functions and classes of others: {}",
    "memory": "may reach into memory: {}",
    "hooks": "may change what torch does for all others: {}",
    "text": "runs text as code that does not stand there as a whole: {}",
    "roundabout": "may reach things without saying their names: {}",
    "lies": "decides by itself what a comparison says: {}",
    "system": "may use files, processes, threads or signals: {}",
    "imports": "imports what is neither torch nor numpy, and no module of Python or of its author: {}",
    "unread": "could not be looked at as a whole: {}",
}

# What belongs to each kind: a name stands for itself and all that is in it, but for what HARMLESS has of it.
SHUT = {
    "grader": "grader classroom desk __main__",
    "process": "sys inspect gc traceback trace bdb pdb dis faulthandler tracemalloc linecache cProfile profile "
    "weakref.getweakrefs weakref.finalize types.FrameType types.TracebackType",
    "insides": "types.CodeType types.CellType",
    "memory": "ctypes mmap numpy.ctypeslib numpy.lib.stride_tricks",
    "hooks": "torch.overrides torch.library torch.utils._python_dispatch torch.nn.modules.module.register_module_forward_hook",
    "text": "code codeop runpy pickle marshal shelve timeit doctest torch.package torch.utils.benchmark typing.ForwardRef",
    "roundabout": "importlib pkgutil zipimport imp base64 binascii codecs sys.modules builtins.__import__",
    "system": "os io pathlib shutil glob fileinput subprocess multiprocessing threading concurrent asyncio signal socket "
    "socketserver select selectors ssl http urllib resource fcntl atexit site pty tty termios unittest sqlite3 dbm "
    "builtins.open builtins.breakpoint torch.hub torch.distributed torch.utils.cpp_extension torch.from_file "
    "torch.ops.load_library numpy.load numpy.save numpy.fromfile numpy.memmap numpy.loadtxt numpy.savetxt",
}  # fmt: skip
HARMLESS = {
    "sys": "path version version_info maxsize float_info int_info byteorder platform argv executable flags getsizeof exit "
    "exc_info getrecursionlimit setrecursionlimit intern implementation stdout stderr stdin",
    "inspect": "signature Signature Parameter BoundArguments isclass isfunction ismethod isabstract isroutine isbuiltin getdoc "
    "cleandoc getfullargspec get_annotations iscoroutinefunction isgeneratorfunction",
    "gc": "collect enable disable",
    "traceback": "format_exc print_exc format_exception print_exception",
    "timeit": "default_timer",
    "os": "path environ getenv linesep sep PathLike fspath cpu_count getcwd name devnull",
    "io": "StringIO BytesIO IOBase RawIOBase BufferedIOBase TextIOBase",
    "pathlib": "PurePath PurePosixPath",
    "threading": "Lock RLock local",
}  # fmt: skip
PLACES = {name: kind for kind, names in SHUT.items() for name in names.split()}
PLACES |= {f"{module}.{name}": "" for module, names in HARMLESS.items() for name in names.split()}
HARMLESS_OF_TORCH = ("torch.__", "torch._foreach_", "torch._assert")  # of what begins with torch._

# Attributes that tell what is wanted, whatever they are taken from.
ATTRIBUTES = {
    "process": "_getframe _getframemodulename _current_frames _current_exceptions settrace setprofile gettrace getprofile "
    "settrace_all_threads setprofile_all_threads call_tracing addaudithook f_back f_locals f_globals f_builtins f_code f_trace "
    "tb_frame gi_frame gi_code cr_frame cr_code ag_frame ag_code currentframe getframeinfo getouterframes getinnerframes "
    "getargvalues get_objects get_referrers get_referents walk_stack walk_tb",
    "insides": "__globals__ __code__ __closure__ cell_contents __subclasses__ __builtins__ __loader__ __spec__ __self__ "
    "__defaults__ __kwdefaults__ co_consts co_code",
    "memory": "__array_interface__ __array_struct__ __cuda_array_interface__ ctypes from_address",
    "hooks": "__torch_function__ __torch_dispatch__ TorchFunctionMode TorchDispatchMode register_module_forward_hook "
    "register_module_forward_pre_hook register_module_backward_hook register_module_full_backward_hook "
    "register_module_full_backward_pre_hook register_module_buffer_registration_hook register_module_module_registration_hook "
    "register_module_parameter_registration_hook register_optimizer_step_pre_hook register_optimizer_step_post_hook",
    "lies": "__instancecheck__ __subclasscheck__",
}  # fmt: skip
TELLING = {name: kind for kind, names in ATTRIBUTES.items() for name in names.split()}
OF_THE_GRADER = {"grader", "classroom"}  # strings that begin so name its modules
OF_A_SIGNATURE = {"co_varnames", "co_argcount", "co_kwonlyargcount", "co_posonlyargcount", "co_name", "co_flags", "co_filename"}

RUNNING = {"builtins.exec", "builtins.eval", "builtins.compile"}
COMPARING = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"}
BY_NAME = ("attrgetter", "methodcaller", "__getattribute__")
SETTING = {"builtins.setattr", "builtins.delattr"}
SWITCHES = ("torch.backends.", "sys.path")  # settings: to assign to them is how they are used


# --- in the child -------------------------------------------------------------------------------


def look(program: Program, problem: Problem, folder: Path) -> list[dict]:
    """What a person should look at: dicts of "kind", "name", "cell" and "line", the worst first.

    The program is looked at, which is what the grader runs of a submission, and all of the modules that it imports.

    Args:
        folder: where the modules beside the submission lie.
    """
    found = _Findings()
    try:
        _look_at_all(program, problem, folder, found)
    except Exception as error:  # nested too deeply, or too large; and a fault of ours must not cost its author the points
        found.add("unread", type(error).__name__, "", 0)
    return found.worst()


def _look_at_all(program: Program, problem: Problem, folder: Path, found: "_Findings") -> None:
    beside = modules_beside([cell for cell, _ in program.parts], folder)
    codes: dict[str, Code] = {}
    own = Code([(cell.label, statements) for cell, statements in program.parts], codes)
    for path in beside:
        place = path.relative_to(folder)
        codes[".".join(place.with_suffix("").parts)] = Code([(str(place), _statements(path, found))], codes)
    names = {name.partition(".")[0] for name in codes} - sys.modules.keys()  # what is loaded is not loaded from a file beside
    for stub in _unwritten(own, problem.stubs):
        found.add(UNWRITTEN, stub, "", 0)
    for code in [own, *codes.values()]:
        _Look(code, names, found).all()


class _Findings:
    """What was found, each thing once."""

    def __init__(self):
        self.places: dict[tuple[str, str], tuple[str, int]] = {}

    def add(self, kind: str, name: str, cell: str, line: int) -> None:
        self.places.setdefault((kind, name.removeprefix("builtins.")[:80]), (cell[:200], line))

    def worst(self) -> list[dict]:
        order = [UNWRITTEN, *KINDS]
        whole = [(kind, name) for kind, name in self.places if "." in name and kind != UNWRITTEN]
        vague = {(kind, part) for kind, name in whole for part in name.rpartition(".")[::2]}  # `sys._getframe` says `_getframe`
        told = [(*key, *place) for key, place in self.places.items() if key not in vague]
        told.sort(key=lambda one: order.index(one[0]))
        return [dict(zip(("kind", "name", "cell", "line"), one)) for one in told[:MOST]]


def _statements(path: Path, found: _Findings) -> list[ast.stmt]:
    try:
        return parse(read(path).cells[0].source).body
    except (SubmissionError, RecursionError, MemoryError) as error:
        found.add("unread", type(error).__name__, path.name, 1)
    except SyntaxError:
        pass  # no Python can import it
    return []


class _Look:
    """The look at the code of one module."""

    def __init__(self, code: Code, beside: set[str], found: _Findings):
        """beside: names of the modules that lie beside the submission."""
        self.code, self.beside, self.found = code, beside, found
        self.spoken_for: set[ast.AST] = set()  # nodes that are part of what was judged as a whole
        self.signatures: set[ast.AST] = set()  # `f.__code__` that is asked for the names of arguments, or the like

    def all(self) -> None:
        for node, scope, label in self.code.nodes:  # which grows, where text is run as code
            for kind, name in self._shown(node, scope, label):
                self.found.add(kind, name, label, getattr(node, "lineno", 0))

    def _shown(self, node: ast.AST, scope: Scope, label: str) -> Iterator[tuple[str, str]]:
        """Pairs of a kind and a name."""
        yield from self._telling(node, scope)
        match node:
            case ast.Import(names=aliases):
                yield from (one for alias in aliases for one in self._imported(alias.name))
            case ast.ImportFrom(level=0, names=aliases):
                for alias in aliases:
                    yield from self._imported(f"{node.module}.*" if alias.name == "*" else came_from(node, alias))
            case ast.Call():
                yield from self._called(node, scope, label)
            case ast.Attribute(value=value, attr=name, ctx=ast.Store() | ast.Del()):
                yield from self._replaced(value, name, scope)
            case ast.Subscript(value=value, slice=key, ctx=context):
                yield from self._looked_up(value, key, context, scope)
            case ast.ClassDef(body=body):
                yield from _lies(node.name, body)
            case ast.Assign(targets=targets, value=ast.Lambda() as value) if _is_constant(value):
                yield from (("lies", last(target)) for target in targets if last(target) in COMPARING)
            case ast.Dict(keys=keys, values=values):
                pairs = ((self.code.text(key, scope), value) for key, value in zip(keys, values) if key)
                yield from (("lies", key) for key, value in pairs if key in COMPARING and _is_constant(value))
        if isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Load):
            yield from self._used(node, scope)
            if isinstance(node, ast.Attribute):
                self.spoken_for.add(node.value)

    # --- names ----------------------------------------------------------------------------------

    def _telling(self, node: ast.AST, scope: Scope) -> Iterator[tuple[str, str]]:
        """Names that tell what is wanted: as attributes, as patterns, as strings, and as methods that are defined."""
        match node:
            case ast.Attribute(attr=name):
                names = [name] if node not in self.signatures else []
                if name in OF_A_SIGNATURE and last(node.value) == "__code__":
                    self.signatures.add(node.value)
            case ast.Name(id=name):
                names = [name] if scope.kind == "class" or scope.holder(name) is None else []
            case ast.FunctionDef(name=name):
                names = [name]
            case ast.ImportFrom(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.MatchClass(kwd_attrs=names):
                pass
            case ast.Constant(value=str()) | ast.BinOp() | ast.JoinedStr() | ast.Call():
                text = self.code.text(node, scope) or ""
                names = text.split(".") if re.fullmatch(r"\w+(\.\w+)*\.?", text) else []
                if names and names[0] in OF_THE_GRADER:
                    yield "grader", text.removesuffix(".")
            case _:
                return
        yield from ((TELLING[name], name) for name in names if name in TELLING)

    def _imported(self, name: str) -> Iterator[tuple[str, str]]:
        root = name.partition(".")[0]
        if root in self.beside:
            return
        known = root in ALLOWED or root == PACKAGE or PLACES.get(root) == "grader"
        yield from self._judged(name) if known else [("imports", root)]
        if root.startswith("_") and not root.startswith("__"):  # what modules of Python are made of
            yield "process", root
        if name.endswith(".*") and _is_gated(name.removesuffix(".*")):
            yield PLACES[root], name

    def _judged(self, origin: str) -> Iterator[tuple[str, str]]:
        """What an origin belongs to: the longest name in the tables that it begins with decides."""
        parts = origin.split(".")
        if origin.startswith("torch._") and not origin.startswith(HARMLESS_OF_TORCH):
            yield "hooks", ".".join(parts[:2])
        for count in range(len(parts), 0, -1):
            name = ".".join(parts[:count])
            if name in PLACES:
                if PLACES[name] and not (count == len(parts) and _is_gated(name)):
                    yield PLACES[name], ".".join(parts[: count + 1])
                return

    def _used(self, node: ast.expr, scope: Scope) -> Iterator[tuple[str, str]]:
        for origin in self.code.origins(node, scope):
            yield from self._judged(origin)
            if self._is_handed_on(node):
                if origin in RUNNING:
                    yield "text", origin
                elif _is_gated(origin) or origin == "builtins":
                    yield PLACES.get(origin, "process"), origin
                elif origin.endswith(".__dict__") or origin == "builtins.globals":
                    yield "roundabout", origin

    def _is_handed_on(self, node: ast.expr) -> bool:
        """Whether something is used as a whole, not for a part of it, nor under another name: then its way is lost."""
        return node not in self.spoken_for and node not in self.code.tracked

    # --- calls, look-ups, changes ---------------------------------------------------------------

    def _called(self, call: ast.Call, scope: Scope, label: str) -> Iterator[tuple[str, str]]:
        functions = self.code.origins(call.func, scope)
        for origin in self.code.origins(call, scope):
            yield from self._judged(origin)
            if self._is_handed_on(call) and (origin == "builtins.globals()" or origin.endswith(".__dict__")):
                yield "roundabout", origin
        self.spoken_for.add(call.func)
        if functions & RUNNING:
            yield from self._run(call, scope, label)
        if "builtins.getattr" in functions and len(call.args) > 1:
            yield from self._gotten(call.args[0], call.args[1], scope)
        yield from self._set(call, functions, scope)
        by_name = call.args[:1] if last(call.func) in BY_NAME else []
        names = call.args[1:2] if functions & {"builtins.getattr", *SETTING} else by_name
        if names and self.code.is_written_in_pieces(names[0], scope):
            yield "roundabout", f"{last(call.func)}(…) with a name in pieces"

    def _gotten(self, value: ast.expr, key: ast.expr, scope: Scope) -> Iterator[tuple[str, str]]:
        """`getattr(sys, name)`."""
        self.spoken_for.add(value)
        if self.code.text(key, scope) is None:
            yield from (("roundabout", f"getattr({origin}, …)") for origin in self.code.origins(value, scope))

    def _set(self, call: ast.Call, functions: set[str], scope: Scope) -> Iterator[tuple[str, str]]:
        """`setattr(torch, "add", f)`, `partial(setattr, torch, "add")`, `type.__setattr__(…)`, `vars(torch).update(…)`."""
        method = last(call.func)
        yield from (("replaces", origin) for origin in functions if ".__dict__." in origin and method in CHANGING)
        given = [call.func, *call.args]
        if method in ("__setattr__", "__delattr__") and isinstance(call.func, ast.Attribute):
            count = 3 if method == "__setattr__" else 2  # also as `torch.__setattr__("add", f)`
            pairs = [[call.func.value, *call.args][-count:][:2]]
        else:
            pairs = [given[n + 1 : n + 3] for n, one in enumerate(given) if self.code.origins(one, scope) & SETTING]
        for target, key in (pair for pair in pairs if len(pair) == 2):
            yield from self._replaced(target, self.code.text(key, scope) or "…", scope)

    def _run(self, call: ast.Call, scope: Scope, label: str) -> Iterator[tuple[str, str]]:
        """Text that is run as code: it is looked at like other code, if it stands there."""
        text = self.code.text(call.args[0], scope) if call.args else None
        if text is None:
            yield "text", last(call.func) or "exec"
            return
        try:
            tree = parse(text.strip())
        except SyntaxError:
            return
        for node in ast.walk(tree):
            node.lineno = call.lineno
        self.code.add(tree.body, scope, label)

    def _looked_up(self, value: ast.expr, key: ast.expr, context: ast.expr_context, scope: Scope) -> Iterator[tuple[str, str]]:
        """`vars(torch)["sys"]`, `globals()[name]`."""
        name = self.code.text(key, scope)
        for origin in self.code.origins(value, scope):
            if origin.endswith(".__dict__"):
                self.spoken_for.add(value)
                if not isinstance(context, ast.Load):
                    yield "replaces", f"{origin.removesuffix('__dict__')}{name or '…'}"
                elif name is None:
                    yield "roundabout", f"{origin}[…]"
            elif origin == "builtins.globals()":
                self.spoken_for.add(value)
                if name is None and isinstance(context, ast.Load):
                    yield "roundabout", "globals()[…]"

    def _replaced(self, value: ast.expr, name: str, scope: Scope) -> Iterator[tuple[str, str]]:
        for origin in self.code.origins(value, scope):
            whole = f"{origin}.{name}"
            if origin.partition(".")[0] not in self.beside and not whole.startswith(SWITCHES):
                yield "replaces", whole


def _is_gated(module: str) -> bool:
    """Whether this is a module of which a part is harmless, so that only the others of its names tell something."""
    return module in HARMLESS


def _lies(name: str, body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """What makes the objects of a class equal to all others, or hides what they are."""
    for part in body:
        names = [part.name] if isinstance(part, ast.FunctionDef) else [last(t) for t in getattr(part, "targets", ())]
        for own in names:
            constant = own in COMPARING and _is_constant(part if isinstance(part, ast.FunctionDef) else None)
            if constant or own in ("__class__", "__getattribute__"):
                yield "lies", f"{name}.{own}"


def _is_constant(function: ast.AST | None) -> bool:
    """Whether a function gives the same whatever it is given."""
    if isinstance(function, ast.Lambda):
        return isinstance(function.body, ast.Constant)
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)] if function else []
    values = {node.value if isinstance(node, ast.Constant) else ... for node in returned}
    return len(values) == 1 and values <= {True, False}


# --- stubs that nobody has written --------------------------------------------------------------


def _unwritten(code: Code, stubs: Iterable[str]) -> list[str]:
    """The stubs that are blank, or bound nowhere. None at all, where the names of what is bound cannot be told."""
    if any(ANYTHING in binds(node) for node, _, _ in code.nodes if isinstance(node, ast.stmt)):
        return []
    raised = {part for node, _, _ in code.nodes if isinstance(node, ast.Raise) for part in ast.walk(node)}
    written = {name for node, _, _ in code.nodes if node not in raised for name in _written_by(node)}
    return [stub for stub in stubs if stub.rpartition(".")[2] not in written]


def _written_by(node: ast.AST) -> Iterator[str]:
    """The names under which a node makes something, also as an attribute, or by a string."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not is_blank(node):
            yield name
        case ast.ClassDef(name=name, body=body):
            methods = [part for part in body if isinstance(part, ast.FunctionDef)]
            if not methods or not all(map(is_blank, methods)):
                yield name
        case ast.Assign(targets=targets, value=value):
            yield from (last(target) for target in targets if last(target) != last(value))  # but not by `A.merge = merge`
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)
        case ast.Constant(value=str(text)):
            yield text
        case ast.keyword(arg=str(name)):
            yield name


# --- in the parent ------------------------------------------------------------------------------


def sentences(told: Sequence[dict], checks: Iterable[dict]) -> list[str]:
    """What the instructor should look at, at most SHOWN sentences, the worst first.

    Args:
        told: what `look` has told.
        checks: the results of the checks, with "stub" and "status" of each.
    """
    passed = Counter(check["stub"] for check in checks if check["status"] == "passed")
    said = [_of_a_stub(one["name"], passed[one["name"]]) for one in told if one["kind"] == UNWRITTEN and passed[one["name"]]]
    for kind, words in KINDS.items():
        mine = [one for one in told if one["kind"] == kind]
        if mine:
            where = f"In {mine[0]['cell']}, line {mine[0]['line']}, the code" if mine[0]["cell"] else "The code"
            said.append(f"{where} {words.format(_listed([one['name'] for one in mine]))}.")
    left = len(said) - SHOWN
    return said if left <= 0 else [*said[: SHOWN - 1], f"{said[SHOWN - 1]} And {left} more."]


def _of_a_stub(stub: str, count: int) -> str:
    return f"{count} check{'s' * (count > 1)} of `{stub}` pass{'es' * (count == 1)}, although the code does not write it."


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
