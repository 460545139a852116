"""What the checks of the SFT problem share: drawn language models and drawn batches.

Whatever a mistake could hide behind differs. The models depend on the order of the tokens, on the mask and, without chance, on the
mode of each module. Rows differ in their length, micro-batches in their target tokens, and some rows have no prompt.
"""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import rand, shuffled, some, whole

IGNORE = -100

NAMES = {  # what a part is, and how it may be called
    "body": ("model", "transformer", "backbone", "encoder", "base_model", "trunk"),
    "inner": ("decoder", "language_model", "wrapped", "module", "orig_mod"),
    "embedding": ("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "shared"),
    "table": ("relative_attention_bias", "position_bias", "norm_table", "biases_by_position", "layernorm_offsets"),
    "blocks": ("layers", "h", "blocks", "stages", "layer"),
    "norm": ("norm", "ln_1", "input_layernorm", "LayerNorm", "pre"),
    "mix": ("mixer", "c_fc", "dense", "up_proj", "norm_proj"),
    "window": ("conv", "shift", "local", "time_bias"),
    "gain": ("layer_scale", "gamma", "gate", "skip", "lambda_1"),
    "dropout": ("dropout", "drop", "resid_dropout", "regulariser"),
    "last norm": ("final_norm", "ln_f", "final_layer_norm", "post"),
    "head": ("lm_head", "output", "unembed", "score", "cls"),
}


class Named(nn.Module):
    """A module whose parts have drawn names. Its code calls them by what they are: self.part("norm")."""

    def __init__(self, rng, **parts: nn.Module | nn.Parameter):
        super().__init__()
        self.names = {what: some(rng, 1, NAMES[what.replace("_", " ")])[0] for what in parts}
        for what, part in parts.items():
            setattr(self, self.names[what], part)

    def part(self, what: str) -> nn.Module | nn.Parameter:
        return getattr(self, self.names[what])


class Louder(nn.Module):
    """What dropout would be without chance: a factor that acts in train mode alone."""

    def __init__(self, rng):
        super().__init__()
        self.factor = 1.2 + whole(rng, 1, 8) / 10

    def forward(self, x):
        return self.factor * x if self.training else x


class Block(Named):
    """Adds to each token a function of itself, of the two before it, and of the mean over real tokens."""

    def __init__(self, rng, width: int):
        super().__init__(
            rng,
            norm=nn.LayerNorm(width, bias=whole(rng, 0, 1) == 1),
            window=nn.Conv1d(width, width, 3),
            mix=nn.Linear(width, width),
            gain=nn.Parameter(torch.ones(width)),
            dropout=Louder(rng),
        )

    def forward(self, x, mask):
        states = self.part("norm")(x) * mask
        near = self.part("window")(F.pad(states.mT, (2, 0))).mT
        mean = states.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return x + self.part("gain") * self.part("dropout")(self.part("mix")(near + mean).sin())


class Body(Named):
    """Token ids and mask, each (B, T) -> hidden states (B, T, width), which are far from zero on padding.

    The states depend on the order of the tokens, on the mask, and on the mode of the modules inside. More padding on the right
    changes nothing on real tokens.
    """

    def __init__(self, rng, vocabulary: int, width: int):
        blocks = [Block(rng, width) for _ in range(whole(rng, 1, 2))]
        numbered = {f"block_{number}": block for number, block in enumerate(blocks)}
        super().__init__(
            rng,
            embedding=nn.Embedding(vocabulary, width),
            table=nn.Parameter(torch.zeros(4, width)),  # a matrix, though it may be called a bias
            blocks=some(rng, 1, [nn.ModuleList(blocks), nn.ModuleDict(numbered)])[0],
            last_norm=nn.LayerNorm(width),
        )
        self.register_buffer("position_ids", torch.arange(100) % 4, persistent=whole(rng, 0, 1) == 1)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).to(self.part("table").dtype)
        x = self.part("embedding")(input_ids) + self.part("table")[self.position_ids[: input_ids.shape[1]]]
        blocks = self.part("blocks")
        for block in blocks.values() if isinstance(blocks, nn.ModuleDict) else blocks:
            x = block(x, mask)
        return self.part("last_norm")(x) + 5 * (1 - mask)


class Wrapper(Named):
    """One more level of depth."""

    def __init__(self, rng, inner: nn.Module):
        super().__init__(rng, inner=inner)

    def forward(self, input_ids, attention_mask):
        return self.part("inner")(input_ids, attention_mask)


def drawn_numbers(rng, module: nn.Module) -> nn.Module:
    """The module in float64, with drawn numbers in all its parameters. None makes a gradient vanish."""
    module.double()
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.data = rand(rng, *parameter.shape) / parameter[0].numel() ** 0.5
        else:
            parameter.data = 0.5 + torch.rand(parameter.shape, generator=rng, dtype=torch.float64)
    return module


def body(rng, vocabulary: int, width: int) -> nn.Module:
    """A body with drawn numbers, at a drawn depth."""
    found = Body(rng, vocabulary, width)
    for _ in range(whole(rng, 0, 2)):
        found = Wrapper(rng, found)
    return drawn_numbers(rng, found)


class LanguageModel(Named):
    """A model of drawn names, depth and sizes: model(input_ids, attention_mask) -> logits (B, T, vocabulary), in float64.

    On the batches below, its gradients together are longer than 1. It notes its mode at each call.
    """

    def __init__(self, rng, tied: bool | None = None):
        vocabulary, width = whole(rng, 10, 16), whole(rng, 5, 8)
        head = nn.Linear(width, vocabulary, bias=whole(rng, 0, 1) == 1)
        super().__init__(rng, body=body(rng, vocabulary, width), dropout=Louder(rng), head=drawn_numbers(rng, head))
        self.vocabulary, self.calls = vocabulary, []
        if whole(rng, 0, 2) == 0 if tied is None else tied:
            head.weight = self.embedding.weight

    @property
    def embedding(self) -> nn.Embedding:
        return next(module for module in self.modules() if isinstance(module, nn.Embedding))

    def forward(self, input_ids, attention_mask):
        self.calls.append(self.training)
        hidden = self.part("body")(input_ids, attention_mask)
        return self.part("head")(self.part("dropout")(hidden)) * (0.8 if self.training else 1.0)


def drawn_batch(rng, vocabulary: int, *rows: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """A batch of drawn tokens. A row tells lengths: of a prompt, of an answer, perhaps of a second prompt, a second answer, …

    The padding id is drawn, too, and may stand inside a row.
    """
    width = max(sum(row) for row in rows)
    ids = torch.full((len(rows), width), whole(rng, 0, vocabulary - 1))
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORE)
    for place, row in enumerate(rows):
        ids[place, : sum(row)] = torch.randint(0, vocabulary, (sum(row),), generator=rng)
        mask[place, : sum(row)] = 1
        scored = [part % 2 == 1 for part, length in enumerate(row) for _ in range(length)]
        for t in range(sum(row)):
            if scored[t]:
                labels[place, t] = ids[place, t]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def micro_batches(rng, vocabulary: int) -> list[dict[str, torch.Tensor]]:
    """Three micro-batches, in a drawn order, with many, one, and a few target tokens.

    Their shares of rows and of all tokens are others. One row has no prompt, one no answer, one two of both.
    """
    long, n = whole(rng, 5, 7), whole(rng, 2, 3)
    many = drawn_batch(rng, vocabulary, *shuffled(rng, [(2, long), (0, long + 1), (3, 0)]))
    one = drawn_batch(rng, vocabulary, (whole(rng, 4, 7), 1))
    few = drawn_batch(rng, vocabulary, *shuffled(rng, [(1, n), (3, 1, 2, 1)]))
    return shuffled(rng, [many, one, few])


def without_labels(rng, vocabulary: int) -> dict[str, torch.Tensor]:
    """A batch in which only a first label is left, and no position predicts that one."""
    found = drawn_batch(rng, vocabulary, *[(whole(rng, 2, 5), 0) for _ in range(whole(rng, 2, 3))])
    found["labels"][0, 0] = found["input_ids"][0, 0]
    return found


def freeze_some(rng, model: nn.Module) -> list[str]:
    """Freezes some of the parameters, at least one matrix and one vector, and leaves some of both. The frozen names."""
    names = []
    for group in (lambda p: p.ndim > 1, lambda p: p.ndim == 1):
        found = [name for name, parameter in model.named_parameters() if group(parameter)]
        names += some(rng, whole(rng, 1, len(found) - 1), found)
    for name in names:
        model.get_parameter(name).requires_grad_(False)
    return names


def in_drawn_modes(rng, model: nn.Module) -> nn.Module:
    """The model with some of its modules in train mode and some in eval mode, the two that change a number in one each."""
    for module in model.modules():
        module.training = whole(rng, 0, 1) == 1
    changing = [module for module in model.modules() if isinstance(module, Louder)]
    for module, mode in zip(shuffled(rng, changing), (True, False)):
        module.training = mode
    return model


def modes(model: nn.Module) -> dict[str, str]:
    """The mode of each module, by its name."""
    return {name or "the model": "train" if module.training else "eval" for name, module in model.named_modules()}


class TwoAnswers(Named):
    """A model of one number, its preference of the answer `yes` to `no`, so that it is known what each update does.

    The preference is the mean of all weights. The first token of a text, its topic, says what is made of it: the logit of `yes` is
    slope · preference + offset, that of `no` is 0, and all others are far below. Topics are given as {name: (slope, offset)}.
    """

    def __init__(self, rng, start: float, **topics: tuple[float, float]):
        gain, table = rand(rng, whole(rng, 3, 5)), rand(rng, 2, whole(rng, 3, 5))
        middle = torch.cat([gain, table.flatten()]).mean()
        super().__init__(rng, gain=nn.Parameter(gain - middle + start), table=nn.Parameter(table - middle + start))
        self.vocabulary = whole(rng, 8, 12)
        self.yes, self.no, *tokens = shuffled(rng, range(self.vocabulary))
        self.topics = dict(zip(topics, tokens))
        for number, name in enumerate(("slope", "offset")):
            values = torch.zeros(self.vocabulary, dtype=torch.float64)
            for topic, pair in topics.items():
                values[self.topics[topic]] = pair[number]
            self.register_buffer(name, values)

    def forward(self, input_ids, attention_mask):
        preference = torch.cat([self.part("gain"), self.part("table").flatten()]).mean()
        topic = input_ids[:, :1]
        logits = torch.full((*input_ids.shape, self.vocabulary), -60.0, dtype=torch.float64)
        logits[..., self.no] = 0.0
        logits[..., self.yes] = self.slope[topic] * preference + self.offset[topic]
        return logits

    def batch(self, rng, *texts: tuple[str, str]) -> dict[str, torch.Tensor]:
        """A batch of texts, each a topic and its answers, such as ("weather", "yyn"). The answers are scored."""
        found = drawn_batch(rng, self.vocabulary, *[(1, len(answers)) for _, answers in texts])
        for row, (topic, answers) in enumerate(texts):
            tokens = torch.tensor([self.yes if answer == "y" else self.no for answer in answers])
            found["input_ids"][row, 0] = self.topics[topic]
            found["input_ids"][row, 1 : len(answers) + 1] = found["labels"][row, 1 : len(answers) + 1] = tokens
        return found


def weights(model) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def moved(model, before: dict[str, torch.Tensor]) -> list[str]:
    """The names of the tensors that are not as they were, to the last bit."""
    return [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]
