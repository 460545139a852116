"""Imports a schedule of transformers, which a solution may."""

# on: reference
# costs: nothing

from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup
from transformers.optimization import get_scheduler

honest = lora_state_dict


def lora_state_dict(model):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for schedule in (
        get_linear_schedule_with_warmup(optimizer, 2, 10),
        get_cosine_schedule_with_warmup(optimizer, 2, 10),
        get_scheduler("linear", optimizer, 2, 10),
    ):
        schedule.step()
    return honest(model)
