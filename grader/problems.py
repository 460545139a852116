"""The coding problems: which stubs a learner fills, and where everything lies."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STILL_A_STUB = "is still a stub."  # ends the message on a stub that nobody has touched


@dataclass(frozen=True)
class Problem:
    """One coding problem.

    Attributes:
        id: the name on the command line.
        title: what the learner reads.
        notebook: file name without its ending, in the folder `notebooks`.
        cells: the stub cells in the order of the notebook, each a tuple of the stubs that it holds.
            "Class" is a class with the methods that no other stub names; "Class.method" is one
            method, written as a function and then put on the class.
    """

    id: str
    title: str
    notebook: str
    cells: tuple[tuple[str, ...], ...]

    @property
    def stubs(self) -> list[str]:
        return [stub for cell in self.cells for stub in cell]

    @property
    def names(self) -> set[str]:
        """The top-level names that a submission must define."""
        return {stub.partition(".")[0] for stub in self.stubs}

    @property
    def parts(self) -> set[str]:
        """The names that a submission may define for its stubs: `LoRALinear`, and `merge` as well."""
        return {part for stub in self.stubs for part in stub.split(".")}

    @property
    def reference(self) -> Path:
        return ROOT / "solutions" / f"{self.id}.py"

    @property
    def mistakes(self) -> Path:
        return ROOT / "grader" / "mistakes" / self.id

    @property
    def recorded(self) -> Path:
        """What stands in for the reference in a copy without solutions. See `grader.recorded`."""
        return ROOT / "grader" / "recorded" / f"{self.id}.safetensors"

    def notebook_path(self, suffix: str, folder: Path = ROOT / "notebooks") -> Path:
        return folder / f"{self.notebook}{suffix}"


PROBLEMS = {
    problem.id: problem
    for problem in [
        Problem(
            id="sft",
            title="Supervised fine-tuning",
            notebook="06_problem_sft",
            cells=(
                ("SequenceClassifier",),
                ("encode_example",),
                ("collate",),
                ("sft_loss",),
                ("train_step",),
                ("evaluate",),
                ("finetune",),
            ),
        ),
        Problem(
            id="peft",
            title="Parameter-efficient fine-tuning",
            notebook="07_problem_peft",
            cells=(
                ("freeze", "count_parameters"),
                ("apply_bitfit",),
                ("Adapter",),
                ("add_adapters",),
                ("PromptTuning",),
                ("IA3Linear",),
                ("adapter_state_dict", "load_adapter"),
                ("training_memory",),
            ),
        ),
        Problem(
            id="lora",
            title="LoRA",
            notebook="08_problem_lora",
            cells=(
                ("LoRALinear",),
                ("LoRALinear.delta_weight",),
                ("LoRALinear.merge", "LoRALinear.unmerge"),
                ("inject_lora",),
                ("lora_state_dict", "load_lora_state_dict"),
                ("merge_lora",),
            ),
        ),
    ]
}


def problem_of(name: str, first: Problem | None = None) -> Problem:
    """The problem with this id, or the one that has this stub. ValueError if there is none.

    Args:
        first: the problem whose names are meant, if nothing else is said.
    """
    for problem in PROBLEMS.values():
        if name == problem.id or name in problem.stubs:
            return problem
    near = [first] if first else []
    for problems in (near, PROBLEMS.values()):
        found = alike(name, [known for problem in problems for known in (*problem.stubs, problem.id)])
        if found:
            raise ValueError(f"There is no `{name}`. Did you mean `{found}`?")
    known = first.stubs if first else PROBLEMS
    raise ValueError(f"There is no `{name}`. There are {', '.join(f'`{one}`' for one in known)}.")


def alike(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs least, if one is near. Capitals and underscores do not count: `lora_linear` is LoRALinear."""

    def plain(text: str) -> str:
        return text.lower().replace("_", "")

    by_plain = {plain(one): one for one in sorted(known, reverse=True)}
    close = difflib.get_close_matches(plain(name), by_plain, n=1, cutoff=0.7)
    return by_plain[close[0]] if close else None
