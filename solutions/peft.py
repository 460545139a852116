"""Parameter-efficient fine-tuning: freeze the pretrained weights, train little.

What is trained is selected (BitFit), added (adapters, prompt tuning) or rescales what is there (IA3).
The fourth kind, an update of low rank, is LoRA: see lora.py. Names follow Hugging Face PEFT.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class ParameterCount(NamedTuple):
    """How many numbers of a model are trained, and how many there are."""

    trainable: int
    total: int


def freeze(model: nn.Module) -> nn.Module:
    """Let no parameter require a gradient, and change nothing else. Returns the model."""
    return model.requires_grad_(False)


def count_parameters(model: nn.Module) -> ParameterCount:
    """Count the numbers in a model's parameters. A tensor that two modules share counts once."""
    parameters = list(model.parameters())  # parameters() lists a shared tensor once
    return ParameterCount(
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        total=sum(p.numel() for p in parameters),
    )


def apply_bitfit(model: nn.Module, also: Sequence[str] = ()) -> list[str]:
    """Freeze all but the biases (BitFit, Ben Zaken et al., arXiv 2106.10199).

    A bias is a parameter whose last name part is "bias".

    Args:
        also: parameters whose qualified name contains one of these strings train, too, for
            example the task head. A string is no pattern: it matches letter by letter.

    Returns:
        The qualified names of what trains, in model order.

    Raises:
        ValueError: the model has no bias.
        TypeError: also is a string.
    """
    if isinstance(also, str):  # each of its letters would match by itself
        raise TypeError(f"also must be a list of strings, got the string {also!r}")
    parameters = dict(model.named_parameters())
    biases = [name for name in parameters if name.rpartition(".")[2] == "bias"]
    if not biases:
        raise ValueError(f"model has no bias to train; its parameters are {', '.join(parameters) or 'none'}")
    trained = [name for name in parameters if name in biases or any(part in name for part in also)]
    freeze(model)
    for name in trained:
        parameters[name].requires_grad_(True)
    return trained


class Adapter(nn.Module):
    """A bottleneck with a residual connection (Houlsby et al., arXiv 1902.00751).

    forward(x) = x + up(gelu(down(x)))

    Attributes:
        down: nn.Linear from hidden_size to bottleneck.
        up: nn.Linear from bottleneck to hidden_size, zero at the start. So a new adapter is exactly
            the identity, and its first step moves `up`.

    It has 2 · D · m + D + m parameters, for hidden size D and bottleneck m.

    Raises:
        ValueError: bottleneck is below 1.
    """

    def __init__(self, hidden_size: int, bottleneck: int):
        """Make both layers and set `up` to zero."""
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"bottleneck must be at least 1, got {bottleneck}")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., hidden_size) -> the same shape."""
        return x + self.up(F.gelu(self.down(x)))


def add_adapters(model: nn.Module, target_modules: Sequence[str], bottleneck: int) -> list[str]:
    """Freeze the model and put an Adapter behind every target module.

    A target is a module with `out_features` whose last name part is in target_modules. Only adapters
    train, also those of an earlier call. A module that has an adapter gets no second one.

    Returns:
        The qualified names of the modules that got an adapter.

    Raises:
        ValueError: no module matches. The message names the modules there are.
        TypeError: target_modules is a string.
    """
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules must be a list of names, got the string {target_modules!r}")
    modules = {name: module for name, module in model.named_modules() if hasattr(module, "out_features")}
    targets = {name: module for name, module in modules.items() if name.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(
            f"no module matches target_modules={list(target_modules)}; the model has {', '.join(modules) or 'none'}"
        )
    freeze(model)
    added = []
    for name, module in targets.items():
        if not hasattr(module, "adapter"):
            module.adapter = Adapter(module.out_features, bottleneck).to(module.weight)  # its dtype and device
            module.register_forward_hook(_adapt)
            added.append(name)
    for module in model.modules():
        if isinstance(module, Adapter):
            module.requires_grad_(True)
    return added


class PromptTuning(nn.Module):
    """A frozen causal model behind a learned prompt (Lester et al., arXiv 2104.08691).

    Attributes:
        model: has get_input_embeddings() and accepts inputs_embeds=. It is frozen.
        prompt: parameter (num_virtual_tokens, D). Each row starts as a copy of the embedding of some
            token of the vocabulary, so that the model sees something that it knows. Two rows may start
            from the same token.

    Raises:
        ValueError: num_virtual_tokens is below 1.
    """

    def __init__(self, model: nn.Module, num_virtual_tokens: int):
        """Freeze the model and draw the tokens that the prompt starts from."""
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens must be at least 1, got {num_virtual_tokens}")
        self.model = freeze(model)
        embeddings = model.get_input_embeddings().weight
        drawn = torch.randint(len(embeddings), (num_virtual_tokens,))
        self.prompt = nn.Parameter(embeddings[drawn].clone())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask, each (B, T) -> logits (B, T, V) of the real positions."""
        length = len(self.prompt)
        prompt = self.prompt.expand(len(input_ids), -1, -1)  # (B, length, D)
        tokens = self.model.get_input_embeddings()(input_ids)
        seen = attention_mask.new_ones(len(input_ids), length)  # every token may look at the prompt
        logits = self.model(
            inputs_embeds=torch.cat([prompt, tokens], dim=1),
            attention_mask=torch.cat([seen, attention_mask], dim=1),
        )
        return logits[:, length:]


class IA3Linear(nn.Module):
    """A frozen linear layer whose outputs a learned vector rescales (Liu et al., arXiv 2205.05638).

    forward(x) = ia3 · base(x), entry by entry

    Attributes:
        base: the wrapped layer. Its weight and its bias are frozen.
        ia3: parameter (out_features,), ones at the start, in the dtype and on the device of the weight.

    Raises:
        TypeError: base is not an nn.Linear.
    """

    def __init__(self, base: nn.Linear):
        """Freeze the base and make the vector."""
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base must be an nn.Linear, got {type(base).__name__}")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(base.out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., in_features) -> (..., out_features), in the dtype of the base."""
        return self.base(x) * self.ia3

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """A plain nn.Linear with the same output: the bias is rescaled as well."""
        merged = nn.Linear(self.base.in_features, self.base.out_features, self.base.bias is not None)
        merged.to(self.base.weight)
        merged.weight.copy_(self.base.weight * self.ia3[:, None])
        if merged.bias is not None:
            merged.bias.copy_(self.base.bias * self.ia3)
        return merged


def adapter_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    """The trainable tensors of the model by qualified name, and nothing else."""
    return {name: parameter.detach() for name, parameter in _trainable(model).items()}


@torch.no_grad()
def load_adapter(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy the tensors of `adapter_state_dict` into the model, all of them or none.

    The parameters stay the ones that an optimizer may hold, and keep their dtype.

    Raises:
        ValueError: a tensor is missing, unexpected or of another shape. The message names it, and
            the model is as it was.
    """
    own = _trainable(model)
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model needs {tuple(parameter.shape)}"
        for name, parameter in own.items()
        if name in state and state[name].shape != parameter.shape
    ]
    if problems:
        raise ValueError("state does not fit the model: " + "; ".join(problems))
    for name, parameter in own.items():
        parameter.copy_(state[name])


def training_memory(
    total: int, trainable: int, *, weight_bytes: int = 2, grad_bytes: int = 2, optimizer_bytes: int = 12
) -> dict[str, int]:
    """Bytes of the model states in training (ZeRO, arXiv 1910.02054, §3.1). Activations come on top.

    All weights are held. Gradients and optimizer state are held for trained ones alone.

    Args:
        total, trainable: numbers of parameters.
        optimizer_bytes: 12 is mixed-precision Adam: an fp32 copy of the weight and two moments.

    Returns:
        A dict of weights, gradients, optimizer and total.

    Raises:
        ValueError: trainable is negative or above total.
    """
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}, got {trainable}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}


def _adapt(module: nn.Module, inputs, output: torch.Tensor) -> torch.Tensor:
    """A forward hook: what the module returns goes through its adapter."""
    return module.adapter(output)


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Every trainable parameter by qualified name, in model order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
