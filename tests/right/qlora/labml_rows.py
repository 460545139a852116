# RIGHT qlora: labml-like annotated code; the layer dequantises and multiplies a few output rows at a time in its own autograd function, LoRA is recognised by class name
"""
# QLoRA

Annotated implementation of 4-bit NormalFloat, double quantisation and adapters on top of them.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Quantized:
    codes: torch.Tensor
    absmax: torch.Tensor
    shape: torch.Size
    dtype: torch.dtype
    block_size: int


@dataclass(frozen=True)
class DoubleQuantized:
    codes: torch.Tensor
    scales: torch.Tensor
    mean: torch.Tensor
    block_size: int


def nf4_levels():
    """
    ### Levels

    $q_i = \\Phi^{-1}(p_i)$, seven on the left, eight on the right, zero between them.
    """
    offset = 1 - (1 / 30 + 1 / 32) / 2
    # $\\Phi^{-1}$
    phi_inv = torch.special.ndtri
    levels = torch.zeros(16, dtype=torch.float64)
    levels[8:] = phi_inv(torch.linspace(offset, 0.5, 9, dtype=torch.float64))[:-1].flip(0)
    levels[:7] = -phi_inv(torch.linspace(offset, 0.5, 8, dtype=torch.float64))[:-1]
    # The largest level is $1$
    return (levels / levels[15]).to(torch.float32)


def quantize_nf4(weight, *, block_size=64):
    """
    ### Quantise

    * `weight` is a tensor of any shape
    * `block_size` is the number of weights that share a constant
    """
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        raise TypeError(f"`weight` is {getattr(weight, 'dtype', type(weight).__name__)}; only floating tensors can be quantised")
    if block_size < 1:
        raise ValueError(f"`block_size` is {block_size}; the smallest possible is 1")
    if weight.numel() == 0:
        raise ValueError("`weight` is empty; at least one number is needed")
    # Flatten, row after row
    w = weight.detach().float().flatten()
    if not w.isfinite().all():
        raise ValueError("`weight` is not finite; NaN and infinity cannot be quantised")
    n = len(w)
    # Positions in the grid of blocks
    rows = torch.arange(n, device=w.device) // block_size
    cols = torch.arange(n, device=w.device) % block_size
    grid = w.new_zeros(int(rows[-1]) + 1, min(block_size, n))
    grid[rows, cols] = w
    # $c_b = \\max_i |w_{b,i}|$
    absmax = grid.abs().max(-1)[0]
    # $w / c$, and $0$ in a block of zeros
    c = absmax[rows]
    x = torch.where(c == 0, c, w / c)
    # Nearest level: the index of the level below, plus one if we are nearer to the one above
    levels = nf4_levels().to(w.device)
    below = (torch.searchsorted(levels, x, right=True) - 1).clamp(0, 14)
    code = below + ((levels[below + 1] - x) < (x - levels[below])).long()
    # Two to the byte
    code = torch.cat([code, code.new_full((n % 2,), 7)])
    packed = (code.view(-1, 2) * code.new_tensor([16, 1])).sum(-1)
    return Quantized(packed.to(torch.uint8), absmax, weight.shape, weight.dtype, block_size)


def _lookup(codes, start, stop):
    """Levels of the numbers `start` to `stop` of the stream."""
    i = torch.arange(start, stop, device=codes.device)
    byte = codes[i // 2]
    nibble = torch.where(i % 2 == 0, byte >> 4, byte & 15)
    return nf4_levels().to(codes.device)[nibble.long()]


def dequantize_nf4(q):
    """### Dequantise"""
    n = math.prod(q.shape)
    block = torch.arange(n, device=q.codes.device) // q.block_size
    w = _lookup(q.codes, 0, n) * q.absmax.float()[block]
    return w.view(q.shape).to(q.dtype)


def double_quantize(absmax, *, block_size=256):
    """### Quantise the constants"""
    if block_size < 1:
        raise ValueError(f"`block_size` is {block_size}; the smallest possible is 1")
    if absmax.numel() == 0:
        raise ValueError("`absmax` is empty; at least one number is needed")
    c = absmax.detach().float().flatten()
    if not c.isfinite().all():
        raise ValueError("`absmax` is not finite; NaN and infinity cannot be quantised")
    mean = c.mean()
    c = c - mean
    blocks = c.split(block_size)
    # $s_b = \\max |c_b| / 127$
    scales = torch.stack([b.abs().max() / 127 for b in blocks])
    codes = [(b / s if s > 0 else b * 0).round().clamp(-127, 127).to(torch.int8) for b, s in zip(blocks, scales)]
    return DoubleQuantized(torch.cat(codes), scales, mean, block_size)


def double_dequantize(q):
    """### Dequantise the constants"""
    block = torch.arange(len(q.codes), device=q.codes.device) // q.block_size
    return torch.addcmul(q.mean.float(), q.codes.float(), q.scales.float()[block])


class _RowwiseLinear(torch.autograd.Function):
    """
    $y = x W^\\top$, where only `step` rows of $W$ exist at any time, forward and backward.
    """

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return torch.cat([x @ w.t().to(x.dtype) for _, _, w in layer.row_groups()], dim=-1)

    @staticmethod
    def backward(ctx, grad):
        dx = 0
        for a, b, w in ctx.layer.row_groups():
            dx = dx + grad[..., a:b] @ w.to(grad.dtype)
        return dx, None


class NF4Linear(nn.Module):
    """
    ## Linear layer in four bits
    """

    step = 128

    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"`linear` is a {type(linear).__name__}; only an `nn.Linear` can be quantised")
        self.in_features, self.out_features = linear.in_features, linear.out_features
        q = quantize_nf4(linear.weight)
        c = double_quantize(q.absmax)
        self.register_buffer("codes", q.codes)
        self.register_buffer("c_codes", c.codes)
        self.register_buffer("c_scales", c.scales)
        self.register_buffer("c_mean", c.mean)
        self.bias = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    def row_groups(self):
        """Yields first row, last row, and the rows in `float32`"""
        absmax = double_dequantize(DoubleQuantized(self.c_codes, self.c_scales, self.c_mean, 256))
        for a in range(0, self.out_features, self.step):
            b = min(a + self.step, self.out_features)
            start, stop = a * self.in_features, b * self.in_features
            block = torch.arange(start, stop, device=absmax.device) // 64
            w = _lookup(self.codes, start, stop) * absmax[block]
            yield a, b, w.view(b - a, self.in_features)

    def dequantized_weight(self):
        return torch.cat([w for _, _, w in self.row_groups()])

    def forward(self, x):
        y = _RowwiseLinear.apply(x, self)
        if self.bias is not None:
            y = y + self.bias.to(x.dtype)
        return y


def _is_lora(module):
    return any(c.__name__ == "LoRALinear" for c in type(module).__mro__)


def _size(model):
    tensors = {id(t): t for m in model.modules() for t in [*m._parameters.values(), *m._buffers.values()] if t is not None}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def quantize_model(model, skip=("lm_head",)):
    """
    ## Quantise a model in place
    """
    if isinstance(skip, str):
        raise TypeError(f"`skip` is the string {skip!r}; a list of names is needed")
    skip = list(skip)
    # What must stay: bases of LoRA layers, and tied weights
    stay = {m.base for m in model.modules() if _is_lora(m)}
    holders = {}
    for m in model.modules():
        for p in m.parameters(recurse=False):
            holders.setdefault(p, set()).add(m)
    for ms in holders.values():
        if len(ms) > 1:
            stay |= {m for m in ms if isinstance(m, nn.Linear) and len(holders.get(m.weight, ())) > 1}
    before = _size(model)
    new = {}
    for parent in list(model.modules()):
        for key, child in parent._modules.items():
            if isinstance(child, nn.Linear) and child not in stay and key not in skip:
                if child not in new:
                    new[child] = NF4Linear(child).train(child.training)
                parent._modules[key] = new[child]
    if not new:
        raise ValueError(f"`model` has no linear layer to quantise; `skip` is {skip}")
    made = set(new.values())
    return {
        "layers": [name for name, m in model.named_modules() if m in made],
        "bytes_before": before,
        "bytes_after": _size(model),
    }


def _with_gradient(module, args, output):
    return output.requires_grad_(True)


def prepare_for_training(model):
    """
    ## Prepare
    """
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError(f"`model` is a {type(model).__name__}; a model with `get_input_embeddings` is needed")
    for p in model.parameters():
        p.requires_grad_(False)
        if p.dtype == torch.float16 or p.dtype == torch.bfloat16:
            p.data = p.data.float()
    emb = model.get_input_embeddings()
    if _with_gradient not in emb._forward_hooks.values():
        emb.register_forward_hook(_with_gradient)
    return model


class QLoRALinear(nn.Module):
    """
    ## Adapter on a quantised layer

    $y = Q(W) x + \\frac{\\alpha}{r} B A x$
    """

    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError(f"`base` is a {type(base).__name__}; an `NF4Linear` is needed")
        if rank < 1:
            raise ValueError(f"`rank` is {rank}; the smallest possible is 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` is {dropout}; it lies in [0, 1)")
        self.base = base.requires_grad_(False)
        self.scaling = alpha / rank
        self.drop = nn.Dropout(dropout)
        with torch.no_grad():
            bound = 1 / math.sqrt(base.in_features)
            a = torch.empty(rank, base.in_features, dtype=torch.float32, device=base.codes.device).uniform_(-bound, bound)
            b = torch.zeros(base.out_features, rank, dtype=torch.float32, device=base.codes.device)
        self.lora_A = nn.Parameter(a)
        self.lora_B = nn.Parameter(b)

    def forward(self, x):
        h = self.drop(x.float()) @ self.lora_A.t()
        h = self.scaling * (h @ self.lora_B.t())
        return self.base(x) + h.to(x.dtype)

    def delta_weight(self):
        return self.scaling * self.lora_B @ self.lora_A

    @torch.no_grad()
    def merge(self):
        plain = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None)
        plain = plain.to(self.base.codes.device, torch.float32)
        for a, b, w in self.base.row_groups():
            plain.weight[a:b] = w + self.scaling * (self.lora_B[a:b] @ self.lora_A)
        if self.base.bias is not None:
            plain.bias.copy_(self.base.bias)
        return plain
