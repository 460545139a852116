# WRONG lora: the names come grouped by target in the order of target_modules instead of in model order
import enum
import math
from typing import Optional

import torch
import torch.nn as nn


def lora_kernel_eager(y: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
    t = torch.matmul(x, a.t())
    return y + torch.matmul(t, b.t()) * scale


lora_kernel = torch.jit.script(lora_kernel_eager)


class MergeState(enum.IntEnum):
    kSeparate = 0
    kMerged = 1


class NoGradGuard:
    """RAII"""

    def __enter__(self):
        self.m_prev = torch.is_grad_enabled()
        torch.set_grad_enabled(False)
        return self

    def __exit__(self, *unused):
        torch.set_grad_enabled(self.m_prev)
        return False


def THROW_IF(condition, exception, *parts):
    if condition:
        raise exception("".join(str(p) for p in parts))


class LoRALinear(nn.Module):
    # -- ctor ------------------------------------------------------------------------------------------------
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        THROW_IF(not isinstance(base, nn.Linear), TypeError, "LoRALinear::base: got ", type(base), ", expected nn.Linear")
        THROW_IF(rank < 1, ValueError, "LoRALinear::rank: got ", rank, ", expected >= 1")
        THROW_IF(dropout < 0.0 or dropout >= 1.0, ValueError, "LoRALinear::dropout: got ", dropout, ", expected [0, 1)")
        self.base = base
        self.m_rank = rank
        self.m_scaling = float(alpha) / float(rank)
        self.m_state = MergeState.kSeparate
        self.m_dropout = nn.Dropout(dropout)
        self.base.weight.requires_grad_(False)
        if self.base.bias is not None:
            self.base.bias.requires_grad_(False)
        opts = dict(dtype=base.weight.dtype, device=base.weight.device)
        self.lora_A = nn.Parameter(torch.empty([rank, base.in_features], **opts))
        self.lora_B = nn.Parameter(torch.zeros([base.out_features, rank], **opts))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5.0))

    # -- getters ---------------------------------------------------------------------------------------------
    @property
    def scaling(self):
        return self.m_scaling

    @property
    def merged(self):
        return self.m_state == MergeState.kMerged

    def delta_weight(self):
        return torch.matmul(self.lora_B, self.lora_A) * self.m_scaling

    # -- state machine ---------------------------------------------------------------------------------------
    def merge(self):
        if self.m_state == MergeState.kMerged:
            return
        with NoGradGuard():
            self.base.weight.add_(self.delta_weight())
        self.m_state = MergeState.kMerged

    def unmerge(self):
        if self.m_state == MergeState.kSeparate:
            return
        with NoGradGuard():
            self.base.weight.add_(self.delta_weight(), alpha=-1)
        self.m_state = MergeState.kSeparate

    # -- compute ---------------------------------------------------------------------------------------------
    def forward(self, x):
        y = self.base(x)
        if self.m_state == MergeState.kMerged:
            return y
        # the profiling executor saves tensors for backward even where inference mode forbids it
        kernel = lora_kernel_eager if torch.is_inference_mode_enabled() else lora_kernel
        return kernel(y, self.m_dropout(x), self.lora_A, self.lora_B, self.m_scaling)


class Slot:
    """A pointer to a child: operator* is get(), assignment is set()."""

    __slots__ = ("m_parent", "m_key", "m_path")

    def __init__(self, parent, key, path):
        self.m_parent = parent
        self.m_key = key
        self.m_path = path

    def get(self):
        return self.m_parent._modules[self.m_key]

    def set(self, value):
        self.m_parent._modules[self.m_key] = value


class SlotIterator:
    """Pre-order depth-first iterator with an explicit stack. Does not descend into LoRALinear."""

    def __init__(self, root):
        self.m_stack = []
        self._push(root, "")

    def _push(self, module, prefix):
        if isinstance(module, LoRALinear):
            return
        keys = list(module._modules.keys())
        i = len(keys) - 1
        while i >= 0:
            if module._modules[keys[i]] is not None:
                self.m_stack.append(Slot(module, keys[i], prefix + keys[i]))
            i -= 1

    def __iter__(self):
        return self

    def __next__(self):
        if not self.m_stack:
            raise StopIteration
        slot = self.m_stack.pop()
        self._push(slot.get(), slot.m_path + ".")
        return slot


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    THROW_IF(isinstance(target_modules, str), TypeError, "inject_lora::target_modules: got the string \"", target_modules,
             "\", expected a list of strings")
    targets = set(target_modules)
    linears = []
    for slot in SlotIterator(model):
        module = slot.get()
        if isinstance(module, (nn.Linear, LoRALinear)):
            linears.append(slot)
    matches = [slot for target in target_modules for slot in linears if slot.m_key == target]
    THROW_IF(len(matches) == 0, ValueError, "inject_lora::target_modules: got ", sorted(targets),
             ", expected names out of ", [s.m_path for s in linears])

    for p in model.parameters():
        p.requires_grad_(False)

    table = {}
    for m in model.modules():
        if isinstance(m, LoRALinear):
            table[m.base] = m

    result = []
    for slot in matches:
        module = slot.get()
        if isinstance(module, LoRALinear):
            continue
        wrapper: Optional[LoRALinear] = table.get(module, None)
        if wrapper is None:
            wrapper = LoRALinear(module, rank, alpha, dropout)
            wrapper.train(module.training)
            table[module] = wrapper
        slot.set(wrapper)
        result.append(slot.m_path)

    for m in table.values():
        m.lora_A.requires_grad_(True)
        m.lora_B.requires_grad_(True)
    return result


def _collect(model):
    out = {}
    for name, m in model.named_modules():
        if isinstance(m, LoRALinear):
            prefix = name + "." if len(name) > 0 else name
            out[prefix + "lora_A"] = m.lora_A
            out[prefix + "lora_B"] = m.lora_B
    return out


def lora_state_dict(model):
    out = dict()
    for key, value in _collect(model).items():
        out[key] = value.detach()
    return out


def load_lora_state_dict(model, state):
    own = _collect(model)
    # pass 1: validate
    for key in own.keys():
        THROW_IF(key not in state, ValueError, "load_lora_state_dict::state: ", key, " is missing, expected ", list(own))
    for key in state.keys():
        THROW_IF(key not in own, ValueError, "load_lora_state_dict::state: got ", key, ", expected only ", list(own))
        THROW_IF(own[key].shape != state[key].shape, ValueError, "load_lora_state_dict::state: got ", key, " of shape ",
                 list(state[key].shape), ", expected ", list(own[key].shape))
    # pass 2: commit
    with NoGradGuard():
        for key in own.keys():
            own[key].copy_(state[key])


def _make_plain(layer):
    with NoGradGuard():
        src = layer.base
        dst = nn.Linear(src.in_features, src.out_features, src.bias is not None,
                        device=src.weight.device, dtype=src.weight.dtype)
        dst.weight.copy_(src.weight)
        if layer.m_state == MergeState.kSeparate:
            dst.weight.add_(layer.delta_weight())
        if src.bias is not None:
            dst.bias.copy_(src.bias)
        dst.requires_grad_(False)
        dst.train(layer.training)
    return dst


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return _make_plain(model)
    table = {}
    for slot in list(SlotIterator(model)):
        layer = slot.get()
        if isinstance(layer, LoRALinear):
            if layer not in table:
                table[layer] = _make_plain(layer)
            slot.set(table[layer])
    return model
