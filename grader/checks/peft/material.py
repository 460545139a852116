"""The checks of the PEFT problem.

The models have layers whose names contain each other, unequal widths, layers without bias, and parameters whose
names only look like biases. What a learner may name freely (the prompt, the place of an adapter) is found by what it is.
"""

import torch
from torch import nn

from grader.checks import rand

VOCAB, WIDTH, NARROW = 9, 6, 4


IDS = ((1, 4, 2, 8, 5), (7, 0, 3, 6, 1), (2, 2, 8, 1, 4))


def linear(rng, n_in, n_out, bias=True) -> nn.Linear:
    """A linear layer with random weights."""
    layer = nn.Linear(n_in, n_out, bias=bias, dtype=torch.float64)
    for parameter in layer.parameters():
        parameter.data = rand(rng, *parameter.shape)
    return layer


class Block(nn.Module):
    """One residual block whose layers' names contain each other."""

    def __init__(self, rng):
        super().__init__()
        self.o_proj = linear(rng, WIDTH, WIDTH)
        self.my_o_proj = linear(rng, WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.o_proj_gate = nn.Sequential(linear(rng, WIDTH, WIDTH), nn.Tanh())
        self.down_proj = linear(rng, WIDTH, NARROW, bias=False)
        self.up_proj = linear(rng, NARROW, WIDTH)

    def forward(self, x):
        mixed = self.o_proj(self.norm(x)) + self.my_o_proj(x).tanh() + self.o_proj_gate(x)
        return x + self.up_proj(self.down_proj(mixed).tanh())


class Causal(nn.Module):
    """A small causal model with logits (B, T, VOCAB). What a token sees depends on the mask and on its position."""

    def __init__(self, rng):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH, dtype=torch.float64)
        self.embed.weight.data = rand(rng, VOCAB, WIDTH)
        self.blocks = nn.ModuleList(Block(rng) for _ in range(2))
        self.head = linear(rng, WIDTH, VOCAB)

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None):
        x = self.embed(input_ids) if inputs_embeds is None else inputs_embeds
        mask = torch.ones(x.shape[:2]) if attention_mask is None else attention_mask
        seen = mask.to(x.dtype).cumsum(dim=1).clamp(min=1).unsqueeze(-1)  # real tokens so far: the position
        past = (x * mask.unsqueeze(-1)).cumsum(dim=1) / seen
        x = x + past + seen.log()
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def ids() -> torch.Tensor:
    return torch.tensor(IDS)


def trainable_names(model) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def trainable(model) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def snapshot(model) -> dict[str, tuple[nn.Parameter, torch.Tensor]]:
    """Every parameter of the model by name, with a copy of its numbers."""
    return {name: (parameter, parameter.detach().clone()) for name, parameter in model.named_parameters()}


def moved(before: dict) -> list[str]:
    """The names of the parameters that are not as they were, to the last bit."""
    return [name for name, (parameter, numbers) in before.items() if not torch.equal(parameter, numbers)]


def descend(parameters, loss_of, steps=20, rate=0.01) -> dict:
    """Plain gradient descent on these parameters. Returns the loss before and after."""
    losses = []
    for _ in range(steps):
        loss = loss_of()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                if gradient is not None:
                    parameter -= rate * gradient
    return {"loss before": losses[0], "loss after": losses[-1]}


BOTTLENECK = 3


def partly_trained(rng) -> Causal:
    """A model of which a part trains: what a PEFT method of any kind would leave."""
    model = Causal(rng).requires_grad_(False)
    model.blocks[0].norm.requires_grad_(True)
    model.blocks[1].o_proj.weight.requires_grad_(True)
    model.head.bias.requires_grad_(True)
    return model
