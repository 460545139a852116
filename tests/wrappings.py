"""Ways to write the same code down, as people do: each takes the source of a solution and gives that of another one."""

import ast
from collections.abc import Callable

FUTURE = "from __future__ import annotations\n"


def with_future_annotations(source: str) -> str:
    """Code that reads annotations when it runs is left as it is: it would find strings."""
    if any(word in source for word in ("annotation", "get_type_hints", "jit.script")):
        return source
    return FUTURE + "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import Nothing\n" + source


def in_a_registry(source: str) -> str:
    """Everything goes through a decorator that keeps it, and comes out of what was kept."""
    head = "PARTS = {}\ndef part(thing):\n    PARTS[thing.__name__] = thing\n    return thing\n"
    return head + _decorated(source, "part", (ast.FunctionDef, ast.ClassDef), after="{name} = PARTS['{name}']")


def with_methods_patched_on(source: str) -> str:
    """`@patch_to(Class)`, as in fastcore."""
    head = "def patch_to(cls):\n    def put(method):\n        setattr(cls, method.__name__, method)\n    return put\n"
    return head + _methods_moved(source, "@patch_to({cls})\n{method}")


def with_methods_attached(source: str) -> str:
    head = "def attach_methods(cls, *methods):\n    for method in methods:\n        setattr(cls, method.__name__, method)\n"
    return head + _methods_moved(source, "{method}\nattach_methods({cls}, {name})")


def compiled(source: str) -> str:
    return "import torch\n" + _decorated(source, "torch.compile", ast.FunctionDef)


def logged(source: str) -> str:
    head = (
        "import functools\ndef logged(function):\n    @functools.wraps(function)\n    def wrapper(*args, **kwargs):\n"
        "        print('calling', function.__name__)\n        return function(*args, **kwargs)\n    return wrapper\n"
    )
    return head + _decorated(source, "logged", ast.FunctionDef)


def dispatched(source: str) -> str:
    """Each function has an implementation for modules, registered under the name _. TorchScript cannot read such functions."""
    if "jit.script" in source:
        return source
    tree, lines = ast.parse(source), ["import functools", "from torch import nn"]
    by_name = {call.func.id for call in ast.walk(tree) if isinstance(call, ast.Call) and not call.args and isinstance(call.func, ast.Name)}
    for number, node in enumerate(tree.body):
        lines.append(ast.unparse(node))
        if isinstance(node, ast.FunctionDef) and node.args.args and not node.decorator_list and node.name not in by_name:
            lines.append(f"_plain_{number} = {node.name}\n{node.name} = functools.singledispatch({node.name})")
            lines.append(
                f"@{node.name}.register(nn.Module)\ndef _(first, *args, **kwargs):\n    return _plain_{number}(first, *args, **kwargs)"
            )
    return "\n".join(lines)


def under_conditions(source: str) -> str:
    """All in a `try` with a fallback, as code for several versions is."""
    body = "\n".join(f"    {line}" for line in ast.unparse(ast.parse(source)).split("\n"))
    return f"try:\n    import no_such_module_at_all\nexcept ImportError:\n{body}\nif __name__ == '__main__':\n    raise SystemExit"


def wrapped(source: str, wrapping: Callable[[str], str]) -> str:
    """The source in a wrapping. `from __future__ import annotations` must stay its first statement."""
    if FUTURE.strip() not in source:
        return wrapping(source)
    inner = wrapping(source.replace(FUTURE.strip(), ""))
    return inner if inner.startswith(FUTURE) else FUTURE + inner


WRAPPINGS: list[Callable[[str], str]] = [
    with_future_annotations, in_a_registry, with_methods_patched_on, with_methods_attached,
    compiled, logged, dispatched, under_conditions,
]  # fmt: skip


def _decorated(source: str, decorator: str, kinds, after: str = "") -> str:
    lines = []
    for node in ast.parse(source).body:
        if isinstance(node, kinds):
            node.decorator_list.insert(0, ast.parse(decorator, mode="eval").body)
        lines.append(ast.unparse(node))
        if after and isinstance(node, kinds):
            lines.append(after.format(name=node.name))
    return "\n".join(lines)


def _methods_moved(source: str, form: str) -> str:
    """The plain methods of classes behind them, one by one. Those that use `super()` or `__class__` must stay."""
    tree, lines = ast.parse(source), []
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}  # a method behind its class must hide nothing
    for node in tree.body:
        moved = []
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords:
            moved = [part for part in node.body if isinstance(part, ast.FunctionDef) and _can_move(part) and part.name not in taken]
            node.body = [part for part in node.body if part not in moved] or [ast.Pass()]
        lines.append(ast.unparse(node))
        lines += [form.format(cls=node.name, method=ast.unparse(method), name=method.name) for method in moved]
    return "\n".join(lines)


def _can_move(method: ast.FunctionDef) -> bool:
    used = {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
    plain = all(ast.unparse(decorator).startswith("torch.") for decorator in method.decorator_list)
    return plain and not used & {"super", "__class__"} and not method.name.startswith("__")
