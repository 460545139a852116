"""The coding problems: which stubs a learner fills, and where everything lies."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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


def problem_of(name: str) -> Problem:
    """The problem with this id, or the one that has this stub. ValueError if there is none."""
    for problem in PROBLEMS.values():
        if name == problem.id or name in problem.stubs:
            return problem
    known = [known for problem in PROBLEMS.values() for known in (problem.id, *problem.stubs)]
    raise ValueError(f"there is no problem or stub {name!r}; there are {', '.join(known)}")
