# RIGHT qlora: a beginner's code, block by block in Python loops, bytes packed one at a time, many comments, module names collected by recursion
import math
import torch
import torch.nn as nn
from dataclasses import dataclass
from solutions.lora import LoRALinear


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
    # the offset from the task
    offset = 1 - (1/30 + 1/32) / 2
    normal = torch.distributions.Normal(0.0, 1.0)
    # positive side: 8 values
    probs_pos = torch.linspace(offset, 0.5, 9, dtype=torch.float64)
    probs_pos = probs_pos[:-1]   # without 0.5
    pos = normal.icdf(probs_pos)
    # negative side: 7 values
    probs_neg = torch.linspace(offset, 0.5, 8, dtype=torch.float64)
    probs_neg = probs_neg[:-1]
    neg = -normal.icdf(probs_neg)
    levels = []
    for v in pos:
        levels.append(v.item())
    levels.append(0.0)
    for v in neg:
        levels.append(v.item())
    levels.sort()
    biggest = max(levels)
    levels = [v / biggest for v in levels]
    return torch.tensor(levels, dtype=torch.float32)


def quantize_nf4(weight, *, block_size=64):
    # check the arguments first
    if not isinstance(weight, torch.Tensor):
        raise TypeError("weight must be a tensor but is " + str(type(weight)))
    if not weight.is_floating_point():
        raise TypeError("weight must have a floating dtype (like float32 or bfloat16) but has " + str(weight.dtype))
    if block_size < 1:
        raise ValueError("block_size must be 1 or larger but is " + str(block_size))
    if weight.numel() == 0:
        raise ValueError("weight must not be empty but has shape " + str(tuple(weight.shape)))
    numbers = weight.detach().reshape(-1).to(torch.float32)
    if not torch.all(torch.isfinite(numbers)):
        raise ValueError("weight must be finite but has nan or inf")

    levels = nf4_levels().to(numbers.device)
    n = len(numbers)
    absmax_list = []
    code_list = []
    start = 0
    while start < n:
        end = start + block_size
        if end > n:
            end = n
        block = numbers[start:end]
        biggest = torch.max(torch.abs(block))
        absmax_list.append(biggest.reshape(1))
        if biggest == 0:
            # everything is zero, code 7 is the level 0
            block_codes = torch.full((end - start,), 7)
        else:
            normalized = block / biggest
            distance = torch.abs(normalized.unsqueeze(1) - levels.unsqueeze(0))
            block_codes = torch.argmin(distance, dim=1)
        code_list.append(block_codes.to(numbers.device))
        start = end
    absmax = torch.cat(absmax_list)
    all_codes = torch.cat(code_list).tolist()
    # two codes in one byte, first one in the high bits
    if len(all_codes) % 2 == 1:
        all_codes.append(7)
    packed = bytearray()
    for i in range(0, len(all_codes), 2):
        packed.append(all_codes[i] * 16 + all_codes[i + 1])
    codes = torch.tensor(list(packed), dtype=torch.uint8, device=numbers.device)
    return Quantized(codes=codes, absmax=absmax, shape=weight.shape, dtype=weight.dtype, block_size=block_size)


def dequantize_nf4(q):
    levels = nf4_levels().to(q.codes.device)
    n = 1
    for s in q.shape:
        n = n * s
    high = q.codes // 16
    low = q.codes % 16
    numbers = torch.zeros(2 * len(q.codes), device=q.codes.device, dtype=torch.float32)
    numbers[0::2] = levels[high.long()]
    numbers[1::2] = levels[low.long()]
    numbers = numbers[:n]
    # multiply every block with its absmax
    for i in range(len(q.absmax)):
        a = i * q.block_size
        b = a + q.block_size
        numbers[a:b] = numbers[a:b] * q.absmax[i].float()
    return numbers.to(q.dtype).reshape(q.shape)


def double_quantize(absmax, *, block_size=256):
    if block_size < 1:
        raise ValueError("block_size must be 1 or larger but is " + str(block_size))
    if absmax.numel() == 0:
        raise ValueError("absmax must not be empty")
    if not torch.all(torch.isfinite(absmax)):
        raise ValueError("absmax must be finite but has nan or inf")
    values = absmax.detach().reshape(-1).to(torch.float32)
    mean = values.mean()
    centered = values - mean
    codes = torch.zeros(len(values), dtype=torch.int8, device=values.device)
    scales = []
    for start in range(0, len(values), block_size):
        block = centered[start:start + block_size]
        scale = block.abs().max() / 127
        scales.append(scale.item())
        if scale > 0:
            c = torch.round(block / scale)
            c = torch.clamp(c, -127, 127)   # can only matter for tiny numbers
            codes[start:start + block_size] = c.to(torch.int8)
    scales = torch.tensor(scales, dtype=torch.float32, device=values.device)
    return DoubleQuantized(codes=codes, scales=scales, mean=mean, block_size=block_size)


def double_dequantize(q):
    result = torch.zeros(len(q.codes), device=q.codes.device, dtype=torch.float32)
    for i in range(len(q.codes.split(q.block_size))):
        a = i * q.block_size
        b = a + q.block_size
        result[a:b] = q.codes[a:b].float() * q.scales[i].float()
    result = result + q.mean.float()
    # absmax can not be negative
    result[result < 0] = 0
    return result


class NF4Linear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise TypeError("linear must be nn.Linear but is " + type(linear).__name__)
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        quantized = quantize_nf4(linear.weight, block_size=64)
        double = double_quantize(quantized.absmax, block_size=256)
        self.register_buffer("codes", quantized.codes)
        self.register_buffer("absmax_codes", double.codes)
        self.register_buffer("absmax_scales", double.scales)
        self.register_buffer("absmax_mean", double.mean)
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().clone())
            self.bias.requires_grad = False
        else:
            self.bias = None

    def dequantized_weight(self):
        double = DoubleQuantized(self.absmax_codes, self.absmax_scales, self.absmax_mean, 256)
        absmax = double_dequantize(double)
        shape = torch.Size([self.out_features, self.in_features])
        quantized = Quantized(self.codes, absmax, shape, torch.float32, 64)
        return dequantize_nf4(quantized)

    def forward(self, x):
        w = self.dequantized_weight()
        w = w.to(x.dtype)
        y = torch.matmul(x, w.transpose(0, 1))
        if self.bias is not None:
            y = y + self.bias.to(x.dtype)
        return y


def count_bytes(model):
    total = 0
    already = []
    for tensor in list(model.parameters()) + list(model.buffers()):
        found = False
        for other in already:
            if other is tensor:
                found = True
        if not found:
            already.append(tensor)
            total = total + tensor.numel() * tensor.element_size()
    return total


def weight_is_shared(model, linear):
    for module in model.modules():
        if module is linear:
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter is linear.weight:
                return True
    return False


def replace_in(module, prefix, root, skip, bases, old_to_new, names):
    for child_name in list(module._modules):
        child = module._modules[child_name]
        if child is None:
            continue
        full_name = child_name if prefix == "" else prefix + "." + child_name
        if child in old_to_new:
            # same module under a second name
            if child_name not in skip:
                setattr(module, child_name, old_to_new[child])
        elif isinstance(child, nn.Linear):
            if child_name in skip:
                continue
            if child in bases:
                continue
            if weight_is_shared(root, child):
                continue
            new = NF4Linear(child)
            new.train(child.training)
            old_to_new[child] = new
            names.append(full_name)
            setattr(module, child_name, new)
        else:
            replace_in(child, full_name, root, skip, bases, old_to_new, names)


def quantize_model(model, skip=("lm_head",)):
    if isinstance(skip, str):
        raise TypeError("skip must be a list or tuple of names but is the string " + skip)
    skip = list(skip)
    bytes_before = count_bytes(model)
    # the layers inside of LoRA layers stay as they are
    bases = []
    for module in model.modules():
        if isinstance(module, LoRALinear):
            bases.append(module.base)
    old_to_new = {}
    names = []
    replace_in(model, "", model, skip, bases, old_to_new, names)
    if len(names) == 0:
        raise ValueError("model has no nn.Linear that could be quantized (skip was " + str(skip) + ")")
    return {"layers": names, "bytes_before": bytes_before, "bytes_after": count_bytes(model)}


def prepare_for_training(model):
    if not hasattr(model, "get_input_embeddings"):
        raise ValueError("model must have get_input_embeddings but " + type(model).__name__ + " does not")
    for parameter in model.parameters():
        parameter.requires_grad = False
        if parameter.dtype == torch.float16:
            parameter.data = parameter.data.float()
        if parameter.dtype == torch.bfloat16:
            parameter.data = parameter.data.float()

    embedding = model.get_input_embeddings()

    def hook(module, inputs, output):
        output.requires_grad_(True)
        return output

    # only once!
    if not hasattr(embedding, "has_my_hook"):
        embedding.register_forward_hook(hook)
        embedding.has_my_hook = True
    return model


class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not isinstance(base, NF4Linear):
            raise TypeError("base must be NF4Linear but is " + type(base).__name__)
        if rank < 1:
            raise ValueError("rank must be 1 or larger but is " + str(rank))
        if dropout < 0 or dropout >= 1:
            raise ValueError("dropout must be in [0, 1) but is " + str(dropout))
        self.base = base
        for parameter in self.base.parameters():
            parameter.requires_grad = False
        self.rank = rank
        self.alpha = alpha
        self.scaling = alpha / rank
        device = base.codes.device
        a = torch.zeros(rank, base.in_features, dtype=torch.float32, device=device)
        nn.init.kaiming_uniform_(a, a=math.sqrt(5))
        self.lora_A = nn.Parameter(a)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=torch.float32, device=device))
        self.dropout = nn.Dropout(dropout)

    def delta_weight(self):
        return self.scaling * torch.matmul(self.lora_B, self.lora_A)

    def forward(self, x):
        normal_output = self.base(x)
        x32 = x.to(torch.float32)
        x32 = self.dropout(x32)
        small = torch.matmul(x32, self.lora_A.transpose(0, 1))
        update = torch.matmul(small, self.lora_B.transpose(0, 1))
        update = update * self.scaling
        return normal_output + update.to(x.dtype)

    def merge(self):
        weight = self.base.dequantized_weight() + self.delta_weight()
        weight = weight.detach()
        if self.base.bias is not None:
            linear = nn.Linear(self.base.in_features, self.base.out_features)
            linear.bias = nn.Parameter(self.base.bias.detach().clone().to(torch.float32))
        else:
            linear = nn.Linear(self.base.in_features, self.base.out_features, bias=False)
        linear.weight = nn.Parameter(weight)
        return linear
