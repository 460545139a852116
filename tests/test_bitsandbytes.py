"""The reference solution beside bitsandbytes, whose four bits it must read and write."""

import pytest
import torch

from lab import checkpoint
from solutions.qlora import NF4Linear, dequantize_nf4, nf4_levels, quantize_nf4

pytest.importorskip(
    "bitsandbytes", reason="bitsandbytes is not installed: pip install -r requirements-bnb.txt -c constraints.txt."
)

from bitsandbytes import functional as theirs  # noqa: E402
from bitsandbytes.nn import Linear4bit  # noqa: E402

LAYERS = ["self_attn.k_proj", "mlp.up_proj", "mlp.down_proj"]
by_layer = pytest.mark.parametrize("layer", LAYERS)


@pytest.fixture(scope="module")
def block():
    """A block of the tiny model."""
    return checkpoint.load()[0].model.layers[2]


def test_the_levels_are_the_same():
    assert torch.allclose(nf4_levels(), theirs.get_4bit_type("nf4", device="cpu"), rtol=0, atol=1e-6)


@by_layer
def test_codes_and_absmax_are_the_same(block, layer):
    weight = block.get_submodule(layer).weight.detach()
    codes, state = theirs.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    ours = quantize_nf4(weight)
    assert torch.equal(state.absmax, ours.absmax)
    # A number at the middle of two levels may go to either: they multiply by 1 / absmax, we divide.
    assert (codes.flatten() != ours.codes).float().mean() < 1e-4


@pytest.mark.parametrize("shape", [(3, 7), (5,), (130,)], ids=str)
def test_a_short_block_and_an_odd_count_are_packed_the_same(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    codes, state = theirs.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    ours = quantize_nf4(weight)
    assert torch.equal(codes.flatten(), ours.codes) and torch.allclose(state.absmax, ours.absmax)


@by_layer
def test_each_reads_the_codes_of_the_other(block, layer):
    weight = block.get_submodule(layer).weight.detach()
    _, state = theirs.quantize_4bit(weight, blocksize=64, quant_type="nf4")
    ours = quantize_nf4(weight)
    state.absmax = ours.absmax
    read = theirs.dequantize_4bit(ours.codes[:, None], state)
    assert torch.allclose(read, dequantize_nf4(ours), rtol=0, atol=1e-6)


@by_layer
def test_a_layer_computes_the_same_within_double_quantisation(block, layer):
    linear = block.get_submodule(layer)
    other = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=torch.float32,
        quant_type="nf4",
    )
    other.load_state_dict(linear.state_dict())
    other = other.to("cpu")  # quantises
    x = torch.randn(32, linear.in_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact, expected, given = linear(x), other(x), NF4Linear(linear)(x)
    # Rounding the constants is far below rounding the weight.
    assert (given - expected).norm() < 0.1 * (given - exact).norm()
