"""The reference LoRA against Hugging Face PEFT."""

import copy

import peft
import pytest
import torch
from torch import nn

from solutions.lora import inject_lora, load_lora_state_dict, lora_state_dict, merge_lora

TARGETS = ["q_proj", "down_proj"]


@pytest.fixture
def pair(tiny):
    """The tiny model under our LoRA and under PEFT's, with the same random factors."""
    ours, theirs = copy.deepcopy(tiny[0]), copy.deepcopy(tiny[0])
    inject_lora(ours, TARGETS, rank=3, alpha=7.5)
    theirs = peft.inject_adapter_in_model(peft.LoraConfig(r=3, lora_alpha=7.5, target_modules=TARGETS), theirs)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, factor in lora_state_dict(ours).items():
            factor.copy_(0.1 * torch.randn(factor.shape, generator=generator))
            theirs.get_parameter(f"{name}.default.weight").copy_(factor)
    return ours.eval(), theirs.eval()


IDS = torch.tensor([[5, 300, 400, 17], [9, 8, 7, 500]])


def test_output_and_gradients_equal_those_of_peft(pair):
    ours, theirs = pair
    assert torch.allclose(ours(IDS), theirs(IDS), atol=1e-4)
    for model in pair:
        model(IDS).square().mean().backward()
    for name, factor in ours.named_parameters():
        if factor.requires_grad:
            right = theirs.get_parameter(f"{name}.default.weight").grad
            assert torch.allclose(factor.grad, right, rtol=1e-4, atol=1e-6), name


def test_the_same_parameters_train_as_in_peft(pair):
    ours, theirs = pair
    names = [name for name, parameter in theirs.named_parameters() if parameter.requires_grad]
    assert [f"{name}.default.weight" for name in lora_state_dict(ours)] == names


def test_the_merged_model_equals_that_of_peft(pair):
    ours, theirs = pair
    for module in theirs.modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            module.merge()
    merged = merge_lora(ours)
    for name, module in merged.named_modules():
        if isinstance(module, nn.Linear) and name.endswith(tuple(TARGETS)):
            assert torch.allclose(module.weight, theirs.get_submodule(name).base_layer.weight, atol=1e-6)


def test_a_single_layer_can_be_merged():
    layer = nn.Sequential(nn.Linear(4, 3))
    inject_lora(layer, ["0"], rank=2, alpha=4)
    nn.init.normal_(layer[0].lora_B)
    x = torch.randn(5, 4)
    before = layer(x)
    assert torch.allclose(merge_lora(layer[0])(x), before, atol=1e-6)


def test_a_string_of_targets_is_refused(tiny):
    with pytest.raises(TypeError, match="target_modules must be a list"):
        inject_lora(copy.deepcopy(tiny[0]), "q_proj", rank=2, alpha=4)


def test_an_adapter_moves_between_models(tiny, pair):
    ours, _ = pair
    other = copy.deepcopy(tiny[0])
    inject_lora(other, TARGETS, rank=3, alpha=7.5)
    load_lora_state_dict(other, lora_state_dict(ours))
    assert torch.equal(other(IDS), ours(IDS))
