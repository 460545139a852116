"""Small language models with LoRA, and batches of pairs, for the checks that run a model.

Names, depths and sizes are drawn. What a mistake could take for an adapter is there: an attention that has a `scaling`, too, and
parameters with "lora" in their names. The models depend on the mask, on the order of the tokens and, without chance, on the mode
of each module. The adapters are far from zero, and no two layers have the same scaling and rank by rule.

`LoRALinear` is the learner's own where the course comes without solutions. So only what the contract says of it is used.
"""

import torch
from torch import nn

from grader.checks import rand, set_parameter, some, whole
from grader.checks.lora.borrowed import lora_linear
from grader.checks.lora.material import SCALINGS
from grader.checks.sft.material import IGNORE, Louder, drawn_numbers

NAMES = {  # what a part is, and how it may be called
    "inner": ("model", "transformer", "backbone", "decoder", "base_model", "module"),
    "embedding": ("embed_tokens", "wte", "tok_embeddings", "word_embeddings"),
    "table": ("positions", "wpe", "position_bias", "rotary"),
    "blocks": ("layers", "h", "blocks", "stages"),
    "norm": ("norm", "ln_1", "input_layernorm", "lora_norm"),
    "attention": ("self_attn", "attn", "mixer", "attention"),
    "query": ("q_proj", "wq", "to_q", "query"),
    "value": ("v_proj", "wv", "to_v", "value"),
    "gate": ("lora_gate", "lora_scale", "my_lora_B", "lora_gain"),
    "mlp": ("mlp", "ffn", "feed_forward", "lora_mlp"),
    "dropout": ("dropout", "drop", "resid_dropout", "lora_dropout"),
    "monitor": ("monitor", "profiler", "watch", "act_stats"),
    "last_norm": ("final_norm", "ln_f", "final_layer_norm", "post"),
    "head": ("lm_head", "output", "unembed", "score"),
}


class Drawn(nn.Module):
    """A module whose parts have drawn names. Its code calls them by what they are: self.part("norm")."""

    def __init__(self, rng, **parts: nn.Module | nn.Parameter):
        super().__init__()
        self.names = {what: some(rng, 1, NAMES[what])[0] for what in parts}
        for what, part in parts.items():
            setattr(self, self.names[what], part)

    def part(self, what: str) -> nn.Module | nn.Parameter:
        return getattr(self, self.names[what])


class Attention(Drawn):
    """Each token looks at all real ones. Its scaling is no adapter's."""

    def __init__(self, rng, width: int):
        super().__init__(rng, query=nn.Linear(width, width, bias=False), value=nn.Linear(width, width))
        self.width, self.scaling = width, width**-0.5

    def forward(self, x, mask):
        scores = self.scaling * self.part("query")(x) @ x.mT
        return scores.masked_fill(mask[:, None] == 0, -1e9).softmax(dim=-1) @ self.part("value")(x)


class Block(Drawn):
    def __init__(self, rng, width: int):
        super().__init__(
            rng,
            norm=nn.LayerNorm(width),
            attention=Attention(rng, width),
            gate=nn.Parameter(torch.ones(width)),
            dropout=Louder(rng),
            mlp=nn.Sequential(nn.Linear(width, width + 2), nn.Tanh(), nn.Linear(width + 2, width)),
        )

    def forward(self, x, mask):
        x = x + self.part("gate") * self.part("attention")(self.part("norm")(x), mask)
        return x + self.part("dropout")(self.part("mlp")(x))


class ModelFailure(Exception):
    """What a model raises that cannot go on."""


class Monitor(nn.Module):
    """Lets all pass, or fails in the middle of the model."""

    fails = False

    def forward(self, x):
        if self.fails:
            raise ModelFailure("out of memory")
        return x


class Policy(Drawn):
    """A model without an adapter yet: model(input_ids, attention_mask) -> logits (B, T, vocabulary), in float64."""

    def __init__(self, rng, vocabulary: int, blocks: int):
        width = whole(rng, 5, 6)
        made = [Block(rng, width) for _ in range(blocks)]
        kinds = [nn.ModuleList(made), nn.ModuleDict({f"block_{number}": block for number, block in enumerate(made)})]
        super().__init__(
            rng,
            embedding=nn.Embedding(vocabulary, width),
            table=nn.Parameter(torch.zeros(12, width)),
            blocks=some(rng, 1, kinds)[0],
            monitor=Monitor(),
            last_norm=nn.LayerNorm(width),
            head=nn.Linear(width, vocabulary),
        )

    def forward(self, input_ids, attention_mask):
        x = self.part("embedding")(input_ids) + self.part("table")[: input_ids.shape[1]]
        blocks = self.part("blocks")
        for block in blocks.values() if isinstance(blocks, nn.ModuleDict) else blocks:
            x = block(x, attention_mask)
        logits = self.part("head")(self.part("last_norm")(self.part("monitor")(x)))
        return logits * (0.8 if self.training else 1.0)


class Wrapper(Drawn):
    """One more level of depth."""

    def __init__(self, rng, inner: nn.Module):
        super().__init__(rng, inner=inner)

    def forward(self, input_ids, attention_mask):
        return self.part("inner")(input_ids, attention_mask)


def plain_policy(rng, blocks: int = 1) -> nn.Module:
    """A frozen model of drawn depth that has no LoRALinear."""
    model = drawn_numbers(rng, Policy(rng, whole(rng, 9, 13), blocks))
    for _ in range(whole(rng, 0, 2)):
        model = Wrapper(rng, model)
    return model.requires_grad_(False)


def policy(rng, blocks: int = 1, without: int = 1, shared: bool = False) -> nn.Module:
    """A model whose linear layers are LoRALinears with drawn factors, but for so many. Only the factors are trainable.

    Args:
        shared: one more LoRALinear has two names: an attention has it for its queries and for its values.
    """
    kind, model = lora_linear(), plain_policy(rng, blocks)
    linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    for name in some(rng, len(linears) - without, linears):
        parent, _, attribute = name.rpartition(".")
        rank = whole(rng, 3, 4)
        layer = kind(model.get_submodule(name), rank, rank * some(rng, 1, SCALINGS)[0])
        setattr(model.get_submodule(parent), attribute, layer)
    if shared:
        attention = some(rng, 1, [module for module in model.modules() if isinstance(module, Attention)])[0]
        layer = kind(drawn_numbers(rng, nn.Linear(attention.width, attention.width)), 3, 3 * some(rng, 1, SCALINGS)[0])
        for what in ("query", "value"):
            setattr(attention, attention.names[what], layer)
    adapt(rng, model)
    return model


def vocabulary_of(model: nn.Module) -> int:
    return next(module.num_embeddings for module in model.modules() if isinstance(module, nn.Embedding))


def monitor_of(model: nn.Module) -> Monitor:
    return next(module for module in model.modules() if isinstance(module, Monitor))


# --- what is known of a model ---------------------------------------------------------------------


def adapters(model: nn.Module) -> dict[str, nn.Module]:
    """Its LoRALinears by qualified name."""
    from solutions.lora import LoRALinear

    return {name: module for name, module in model.named_modules() if isinstance(module, LoRALinear)}


def known_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules by qualified name. Of what a LoRALinear holds its base alone: the rest is free."""
    inside = tuple(f"{name}." for name in adapters(model))
    return {
        name: module
        for name, module in model.named_modules()
        if not name.startswith(inside) or name.removesuffix("base") in inside
    }


def known_parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters by qualified name, those that the contract names."""
    found, layers = {}, adapters(model)
    for name, module in known_modules(model).items():
        factors = {"lora_A": module.lora_A, "lora_B": module.lora_B} if name in layers else None
        own = factors or dict(module.named_parameters(recurse=False))
        found |= {f"{name}.{key}".lstrip("."): tensor for key, tensor in own.items()}
    return found


def tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the parameters."""
    return {name: parameter.detach().clone() for name, parameter in known_parameters(model).items()}


def trainable(model: nn.Module) -> list[str]:
    return sorted(name for name, parameter in known_parameters(model).items() if parameter.requires_grad)


def modes(model: nn.Module) -> dict[str, str]:
    """The mode of each module, by its name."""
    return {
        name or "the model": "train" if module.training else "eval" for name, module in known_modules(model).items()
    }


def merged(model: nn.Module) -> list[str]:
    """The names of the LoRALinears that are merged."""
    return sorted(name for name, layer in adapters(model).items() if layer.merged)


def logits(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(batch["input_ids"], batch["attention_mask"]).detach()


# --- what is done to a model ----------------------------------------------------------------------


def adapt(rng, model: nn.Module) -> None:
    """Other numbers in all factors, as if the adapters had been trained. They change the answers as much as the base does."""
    for layer in adapters(model).values():
        for name in ("lora_A", "lora_B"):
            set_parameter(layer, name, 0.4 * rand(rng, *getattr(layer, name).shape))


def merge_some(rng, model: nn.Module) -> None:
    """Merges some of the layers, at least one, and leaves some."""
    layers = list(adapters(model).values())
    for layer in some(rng, whole(rng, 1, len(layers) - 1), layers):
        layer.merge()


def train_the_gate(model: nn.Module) -> None:
    """A parameter that belongs to no adapter is trainable, too. So the model without LoRA changes under training."""
    block = next(module for module in model.modules() if isinstance(module, Block))
    block.part("gate").requires_grad_(True)


def in_mixed_modes(rng, model: nn.Module, training: bool | None = None) -> nn.Module:
    """The model with some modules in train mode and some in eval mode, among them those on which numbers depend.

    Args:
        training: the mode of the outermost module; None draws it.
    """
    training = whole(rng, 0, 1) == 1 if training is None else training
    for module in known_modules(model).values():
        if isinstance(module, Policy):
            module.training = training
        elif isinstance(module, Louder):
            module.training = not training
        else:
            module.training = whole(rng, 0, 1) == 1
    model.training = training
    return model


# --- batches --------------------------------------------------------------------------------------


def pairs(rng, model: nn.Module, count: int | None = None) -> dict[str, torch.Tensor]:
    """A batch of pairs for the model: the rows of the chosen answers, then those of the rejected ones, of other lengths."""
    vocabulary = vocabulary_of(model)

    def tokens(length: int) -> torch.Tensor:
        return torch.randint(0, vocabulary, (length,), generator=rng)

    chosen, rejected = [], []
    for _ in range(count or whole(rng, 2, 3)):
        prompt = tokens(whole(rng, 1, 3))
        for rows, length in zip((chosen, rejected), some(rng, 2, range(1, 6))):
            rows.append((prompt, tokens(length)))
    rows = chosen + rejected
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), width), whole(rng, 0, vocabulary - 1))
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORE)
    for place, (prompt, answer) in enumerate(rows):
        start, end = len(prompt), len(prompt) + len(answer)
        ids[place, :end], mask[place, :end], labels[place, start:end] = torch.cat([prompt, answer]), 1, answer
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
