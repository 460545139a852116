"""A model with LoRA that knows two answers, so that the size and the sign of every gradient are known.

AdamW makes a full step even where a gradient is nearly zero, and there rounding decides on its sign. In this model no gradient is
nearly zero: everything that is trained raises the logit of `yes` and lowers that of `no`. So the weights themselves can be looked at.
"""

import torch
from torch import nn

from grader.checks import set_parameter, shuffled, some, whole
from grader.checks.lora.borrowed import lora_linear
from grader.checks.lora.material import SCALINGS
from grader.checks.preference.models import Drawn
from grader.checks.sft.material import IGNORE

WIDTH, LENGTH = 3, 8


def between(rng, low: float, high: float, *shape: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)


class YesOrNo(Drawn):
    """model(input_ids, attention_mask) -> logits, of which all but those of two tokens are far below.

    Its base likes `no` better, its adapter moves it towards `yes`. So the policy alone and the reward disagree on which answer is
    better.
    """

    def __init__(self, rng, kind: type[nn.Module]):
        vocabulary, rank = whole(rng, 7, 11), whole(rng, 3, 4)
        base = nn.Linear(WIDTH, 2, dtype=torch.float64)
        head = kind(base, rank, rank * some(rng, 1, SCALINGS)[0])
        super().__init__(
            rng,
            embedding=nn.Embedding(vocabulary, WIDTH, dtype=torch.float64),
            table=nn.Parameter(between(rng, 0.2, 0.6, LENGTH, WIDTH)),
            gate=nn.Parameter(between(rng, 0.8, 1.2, WIDTH)),
            head=head,
        )
        self.order = torch.tensor(
            shuffled(rng, range(vocabulary))
        )  # where in the vocabulary `yes`, `no` and the others are
        direction = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        set_parameter(self.part("embedding"), "weight", between(rng, 0.2, 0.6, vocabulary, WIDTH))
        set_parameter(base, "weight", direction * between(rng, 0.1, 0.3, 2, WIDTH))
        set_parameter(base, "bias", torch.tensor([-4.0, 4.0]))
        set_parameter(head, "lora_A", between(rng, 0.1, 0.3, rank, WIDTH))
        set_parameter(head, "lora_B", direction * between(rng, 0.1, 0.3, 2, rank))
        for name in ("embedding", "table", "gate"):
            self.part(name).requires_grad_(False)

    def forward(self, input_ids, attention_mask):
        hidden = self.part("gate") * (self.part("embedding")(input_ids) + self.part("table")[: input_ids.shape[1]])
        two = self.part("head")(hidden) * (0.8 if self.training else 1.0)
        others = torch.full((*input_ids.shape, len(self.order) - 2), -60.0, dtype=torch.float64)
        return torch.cat([two, others], dim=-1)[..., self.order.argsort()]

    def pairs(self, rng, good: str, count: int | None = None) -> dict[str, torch.Tensor]:
        """A batch of pairs whose chosen answers are all `yes yes …` and whose rejected ones are all `no no …`, or the other way round."""
        yes, no = self.order[:2].tolist()
        chosen, rejected = (yes, no) if good == "yes" else (no, yes)
        count = count or whole(rng, 2, 3)
        ids = torch.randint(0, len(self.order), (2 * count, LENGTH), generator=rng)
        ids[count:] = ids[:count]
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORE)
        for row in range(count):
            start, lengths = whole(rng, 1, 3), some(rng, 2, range(1, 6))
            for place, answer, length in ((row, chosen, lengths[0]), (row + count, rejected, lengths[1])):
                ids[place, start:] = answer
                mask[place, : start + length] = 1
                labels[place, start : start + length] = answer
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def lesson(self, rng, count: int) -> list[dict[str, torch.Tensor]]:
        """Batches that want `yes` and `no` in turn, so their gradients are of unlike sizes."""
        return [self.pairs(rng, good) for good in (some(rng, 2, ["yes", "no"]) * count)[:count]]


def yes_or_no(rng) -> YesOrNo:
    """A model in train mode of which the factors are trainable alone."""
    return YesOrNo(rng, lora_linear()).train()
