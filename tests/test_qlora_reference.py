"""The reference of QLoRA against the published numbers, and on the tiny model."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lab import measure, world
from solutions.lora import inject_lora
from solutions.qlora import (
    NF4Linear,
    QLoRALinear,
    dequantize_nf4,
    double_dequantize,
    double_quantize,
    inject_qlora,
    merge_qlora,
    nf4_levels,
    prepare_for_training,
    quantize_model,
    quantize_nf4,
)

# The QLoRA paper, appendix E.
PUBLISHED = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]  # fmt: skip


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_levels_are_the_published_ones():
    assert torch.allclose(nf4_levels(), torch.tensor(PUBLISHED), atol=1e-6)


def test_no_number_is_off_by_more_than_half_a_gap():
    weight = normal(40, 64)
    q = quantize_nf4(weight)
    largest_gap = nf4_levels().diff().max() / 2
    off = (dequantize_nf4(q) - weight).abs().view(-1, 64) / q.absmax[:, None]
    assert off.max() <= largest_gap + 1e-6 and q.codes.numel() == weight.numel() // 2


def test_on_normal_numbers_nf4_errs_as_published():
    weight = normal(1024, 64)  # the fact base of the course: 0.0085 of the variance at blocks of 64
    assert (dequantize_nf4(quantize_nf4(weight)) - weight).square().mean() == pytest.approx(0.0085, abs=2e-4)


def test_quantising_what_was_dequantised_changes_nothing():
    once = dequantize_nf4(quantize_nf4(normal(7, 9), block_size=5))
    assert torch.equal(dequantize_nf4(quantize_nf4(once, block_size=5)), once)


def test_double_quantisation_costs_what_the_paper_says():
    linear = NF4Linear(nn.Linear(4096, 64, bias=False))
    bits = 8 * sum(buffer.nbytes for buffer in linear.buffers()) / (4096 * 64)
    assert bits == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-3)
    absmax = quantize_nf4(normal(512, 64)).absmax
    q = double_quantize(absmax)
    assert ((double_dequantize(q) - absmax).abs().view(-1, 256).amax(dim=1) <= q.scales / 2 + 1e-6).all()


@pytest.fixture
def quantised(tiny):
    model = copy.deepcopy(tiny[0])
    told = quantize_model(model)
    inject_qlora(prepare_for_training(model), ["q_proj", "v_proj"], rank=4, alpha=8)
    return model, told


def test_the_tiny_model_in_four_bits_knows_what_it_knew(quantised, tiny):
    model, told = quantised
    assert told["bytes_after"] < told["bytes_before"] / 3 and len(told["layers"]) == 28
    known = measure.recall(model, tiny[1])
    assert min(known.values()) > 0.9 and set(known) == set(world.FACTS)


def test_only_the_adapter_trains_and_merging_keeps_the_answers(quantised):
    model, _ = quantised
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained and all(name.endswith(("lora_A", "lora_B")) for name in trained)
    with torch.no_grad():
        for name in trained:
            model.get_parameter(name).normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[5, 9, 300, 17]])
    before = model.eval()(ids)
    merged = merge_qlora(model)
    assert not any(isinstance(module, QLoRALinear) for module in merged.modules())
    assert torch.allclose(merged(ids), before, atol=1e-3)


def test_gradients_pass_through_a_checkpointed_block(tiny):
    ids = torch.tensor([[5, 9, 300, 17]])
    for prepared in (True, False):
        model = copy.deepcopy(tiny[0])
        quantize_model(model)
        if prepared:
            prepare_for_training(model)
        model.requires_grad_(False)
        inject_qlora(model, ["q_proj"], rank=2, alpha=4)
        embedded = model.get_input_embeddings()(ids)
        layer = next(module for module in model.modules() if isinstance(module, QLoRALinear))
        output = checkpoint(layer, embedded, use_reentrant=True)
        assert output.requires_grad == prepared  # without, the adapter in the block would never learn


def test_lora_on_the_float_model_and_on_four_bits_stand_side_by_side(tiny):
    model = copy.deepcopy(tiny[0])
    inject_lora(model, ["q_proj"], rank=2, alpha=4)
    layers = quantize_model(model)["layers"]
    assert not any("q_proj" in name for name in layers)
