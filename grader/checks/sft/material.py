"""The checks of the SFT problem.

Batches have rows of unequal length, micro-batches unequal numbers of target tokens, and some rows have no
prompt, so that no coincidence hides a mistake. The model differs in train and in eval mode without chance.
"""

import functools

import torch
from torch import nn

from grader import checks
from grader.checks import rand

IGNORE = -100


EOS, PAD = 2, 0


VOCAB, WIDTH = 11, 6


def check(*arguments):
    """A check whose numbers are compared in float32.

    A right solution may compute the loss or a share of tokens in float32, and clip_grad_norm_ adds 1e-6 to
    the norm. The judge's tolerance for float64 would see all that as a mistake.
    """

    def register(probe):
        @functools.wraps(probe)
        def rounding(code, rng):
            return rounded(probe(code, rng))

        return checks.check(*arguments)(rounding)

    return register


def rounded(value):
    """The same with every real number in float32."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point()):
        return torch.as_tensor(value, dtype=torch.float32)
    return value


class Toy(nn.Module):
    """A small model with logits (B, T, VOCAB) that depend on ids, mask and mode. It keeps a record of its calls."""

    def __init__(self, rng):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH, dtype=torch.float64)
        self.mix = nn.Linear(WIDTH, WIDTH, dtype=torch.float64)
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.head = nn.Linear(WIDTH, VOCAB, dtype=torch.float64)
        for parameter in self.parameters():
            parameter.data = rand(rng, *parameter.shape)
        self.calls = []

    def forward(self, input_ids, attention_mask):
        self.calls.append(
            {
                "training": self.training,
                "gradients": torch.is_grad_enabled(),
                "ids": input_ids.tolist(),
                "weight": self.head.weight[0, 0].item(),
            }
        )
        mask = attention_mask.unsqueeze(-1).to(self.embed.weight.dtype)
        x = self.embed(input_ids) * mask
        mean = x.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        hidden = self.norm(x + self.mix(x + mean).tanh())
        return self.head(1.5 * hidden if self.training else hidden)  # 1.5 stands for what dropout does


def batch(rng, *rows: tuple[int, int]) -> dict[str, torch.Tensor]:
    """A batch of random tokens. Each row is (length of the prompt, number of scored tokens)."""
    width = max(prompt + scored for prompt, scored in rows)
    ids = torch.full((len(rows), width), PAD)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORE)
    for row, (prompt, scored) in enumerate(rows):
        end = prompt + scored
        ids[row, :end] = torch.randint(3, VOCAB, (end,), generator=rng)
        mask[row, :end] = 1
        labels[row, prompt:end] = ids[row, prompt:end]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def unequal(rng) -> list[dict[str, torch.Tensor]]:
    """Three micro-batches with 12, 1 and 4 target tokens. The first holds a row without a prompt."""
    return [batch(rng, (2, 6), (0, 7), (3, 0)), batch(rng, (4, 1)), batch(rng, (1, 2), (5, 2))]


def unlabelled(rng) -> dict[str, torch.Tensor]:
    """A batch in which only a first label is left, and no position predicts that one."""
    found = batch(rng, (4, 0), (3, 0))
    found["labels"][0, 0] = found["input_ids"][0, 0]
    return found


def in_eval_mode(model) -> list[str]:
    return [name or "the model" for name, module in model.named_modules() if not module.training]


def weights(model) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def moved(model, before: dict[str, torch.Tensor]) -> list[str]:
    """The names of the tensors that are not as they were, to the last bit."""
    return [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]


def ids(rng, *shape: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, shape, generator=rng)


def example(prompt: list[int], response: list[int]) -> dict[str, list[int]]:
    """What encode_example gives, made by hand."""
    return {"input_ids": [*prompt, *response], "labels": [IGNORE] * len(prompt) + response}
