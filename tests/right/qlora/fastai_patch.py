# RIGHT qlora: fastai style, @patch, methods are hung onto bare classes afterwards; the embedding's forward is replaced by a bound method
import math, types
from dataclasses import dataclass
import torch
from torch import nn, tensor
import torch.nn.functional as F
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


def patch(f):
    cls = next(iter(f.__annotations__.values()))
    setattr(cls, f.__name__, f)
    return globals().get(f.__name__)

def first(x, f=None): return next(filter(f, x), None)
def _isnum(t): return torch.isfinite(t).all().item()
def _test(cond, msg, ex=ValueError):
    if not cond: raise ex(msg)

def nf4_levels():
    off = 1 - (1/30 + 1/32)/2
    qs = lambda n: torch.special.ndtri(torch.linspace(off, .5, n, dtype=torch.float64))[:-1]
    res = torch.cat((qs(8).neg(), tensor([0.], dtype=torch.float64), qs(9).flip(0)))
    return (res/res.max()).float()

def _chunks(t, bs): return t.split(bs)
def _each(ts): return [len(t) for t in ts]

def quantize_nf4(weight, *, block_size=64):
    _test(isinstance(weight, torch.Tensor), f"weight: want Tensor, got {type(weight)}", TypeError)
    _test(weight.is_floating_point(), f"weight: want a float dtype, got {weight.dtype}", TypeError)
    _test(block_size>=1, f"block_size: want >=1, got {block_size}")
    _test(weight.numel()>0, f"weight: want >0 items, got shape {tuple(weight.shape)}")
    t = weight.detach().contiguous().view(-1).float()
    _test(_isnum(t), "weight: want finite items, got nan or inf")
    bs = _chunks(t, block_size)
    mx = torch.stack([b.abs().max() for b in bs])
    div = mx.clone(); div[div==0] = 1
    u = t / div.repeat_interleave(tensor(_each(bs), device=t.device))
    lv = nf4_levels().to(t.device)
    idx = torch.bucketize(u, (lv[:-1]+lv[1:])*0.5, right=True)
    nib = torch.full(((len(t)+1)//2, 2), 7, dtype=torch.uint8, device=t.device)
    nib.view(-1)[:len(t)] = idx.to(torch.uint8)
    return Quantized((nib[:,0]<<4)+nib[:,1], mx, weight.shape, weight.dtype, block_size)

def dequantize_nf4(q):
    n = q.shape.numel()
    lv = nf4_levels().to(q.codes.device)
    nib = torch.empty((len(q.codes),2), dtype=torch.int64, device=q.codes.device)
    nib[:,0],nib[:,1] = q.codes>>4, q.codes&15
    v = lv.index_select(0, nib.view(-1)[:n])
    v *= torch.repeat_interleave(q.absmax.float(), q.block_size)[:n]
    return v.type(q.dtype).view(q.shape)

def double_quantize(absmax, *, block_size=256):
    _test(block_size>=1, f"block_size: want >=1, got {block_size}")
    _test(absmax.numel()>0, "absmax: want >0 items, got none")
    _test(_isnum(absmax), "absmax: want finite items, got nan or inf")
    a = absmax.detach().float().view(-1)
    mean = a.mean()
    bs = _chunks(a-mean, block_size)
    sc = torch.stack([b.abs().max() for b in bs])/127
    st = sc.repeat_interleave(tensor(_each(bs), device=a.device))
    return DoubleQuantized(((a-mean)/st).nan_to_num(0.,0.,0.).round().clamp(-127,127).to(torch.int8), sc, mean, block_size)

def double_dequantize(q):
    return torch.repeat_interleave(q.scales.float(), q.block_size)[:len(q.codes)].mul(q.codes).add(q.mean.float())

class NF4Linear(nn.Module):
    def __init__(self, linear):
        _test(isinstance(linear, nn.Linear), f"linear: want nn.Linear, got {type(linear)}", TypeError)
        super().__init__()
        in_features,out_features = linear.in_features,linear.out_features
        self.in_features,self.out_features = in_features,out_features
        q = quantize_nf4(linear.weight)
        dq = double_quantize(q.absmax)
        self.codes,self.ac,self.asc,self.am = map(nn.Buffer, (q.codes, dq.codes, dq.scales, dq.mean))
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

@patch
def dequantized_weight(self:NF4Linear):
    q = Quantized(self.codes, double_dequantize(DoubleQuantized(self.ac, self.asc, self.am, 256)),
                  torch.Size([self.out_features, self.in_features]), torch.float32, 64)
    return dequantize_nf4(q)

@patch
def forward(self:NF4Linear, x):
    return F.linear(x, self.dequantized_weight().to(x.dtype), self.bias if self.bias is None else self.bias.to(x.dtype))

@patch
def extra_repr(self:NF4Linear): return f'{self.in_features}->{self.out_features}, nf4'

@patch
def nf4_targets(self:nn.Module, skip):
    bases = {m.base for m in self.modules() if isinstance(m, LoRALinear)}
    def tied(l): return first(self.modules(), lambda m: m is not l and any(p is l.weight for p in m._parameters.values())) is not None
    return {m for m in self.modules() if isinstance(m, nn.Linear) and m not in bases and not tied(m)}

@patch
def nf4_nbytes(self:nn.Module):
    ts = {id(t):t for t in [*self.parameters(), *self.buffers()]}
    return sum(t.numel()*t.element_size() for t in ts.values())

def quantize_model(model, skip=("lm_head",)):
    _test(not isinstance(skip, str), f"skip: want a list of str, got str {skip!r}", TypeError)
    before,tgt,done,names = model.nf4_nbytes(),model.nf4_targets(skip),{},[]
    for n,m in list(model.named_modules(remove_duplicate=False)):
        if n=='' or m not in tgt or n.split('.')[-1] in skip: continue
        if m not in done:
            done[m] = NF4Linear(m).train(m.training)
            names.append(n)
        model.set_submodule(n, done[m])
    _test(names, f"model: want at least one nn.Linear outside of skip={list(skip)}, got none")
    return dict(layers=names, bytes_before=before, bytes_after=model.nf4_nbytes())

def _grad_forward(self, *args, **kwargs):
    return type(self).forward(self, *args, **kwargs).requires_grad_(True)

def prepare_for_training(model):
    _test(hasattr(model, 'get_input_embeddings'), f"model: want a method get_input_embeddings, got {type(model).__name__} without")
    for p in model.parameters():
        p.requires_grad_(False)
        if p.dtype in (torch.float16, torch.bfloat16): p.data = p.data.float()
    emb = model.get_input_embeddings()
    if 'forward' not in emb.__dict__: emb.forward = types.MethodType(_grad_forward, emb)
    return model

class QLoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        _test(isinstance(base, NF4Linear), f"base: want NF4Linear, got {type(base)}", TypeError)
        _test(rank>=1, f"rank: want >=1, got {rank}")
        _test(0<=dropout<1, f"dropout: want 0<=dropout<1, got {dropout}")
        super().__init__()
        self.base,self.rank,self.alpha = base,rank,alpha
        base.requires_grad_(False)
        self.scaling = alpha/rank
        self.do = nn.Dropout(dropout)
        dev = base.codes.device
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=dev, dtype=torch.float32))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=dev, dtype=torch.float32))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

@patch
def forward(self:QLoRALinear, x):
    upd = self.do(x.float()) @ self.lora_A.mT @ self.lora_B.mT
    return self.base(x) + upd.mul(self.scaling).to(x.dtype)

@patch
def delta_weight(self:QLoRALinear): return self.lora_B @ self.lora_A * self.scaling

@patch
@torch.no_grad()
def merge(self:QLoRALinear):
    b = self.base
    res = nn.Linear(b.in_features, b.out_features, bias=b.bias is not None, device=b.codes.device, dtype=torch.float32)
    for p,v in zip(res.parameters(), (b.dequantized_weight()+self.delta_weight(), b.bias)): p.copy_(v)
    return res
