# WRONG sft: an empty list gives tensors of shape (0, 0) instead of a ValueError
import math
import warnings
from typing import Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F

IGNORE_INDEX = -100

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer versions call jit deprecated

    @torch.jit.script
    def token_stats(logits: torch.Tensor, labels: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """loss sum (with graph), hits, tokens"""
        z = logits[:, :-1, :]
        y = labels[:, 1:]
        w = y != -100
        if z.dtype != torch.float64:
            z = z.to(torch.float32)
        logp = torch.log_softmax(z, dim=2)
        nll = -torch.gather(logp, 2, torch.clamp(y, min=0).unsqueeze(2)).squeeze(2)
        loss = torch.where(w, nll, torch.zeros_like(nll)).sum()
        hits = (torch.argmax(z, dim=2) == y).logical_and(w).sum()
        return loss, hits, w.sum()

    @torch.jit.script
    def masked_mean(h: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        w = (mask != 0).unsqueeze(2)
        s = torch.where(w, h, torch.zeros_like(h)).sum(dim=1)
        n = w.sum(dim=1).clamp(min=1)
        return s / n.to(h.dtype)


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    tail = list(response_ids)
    tail.append(eos_id)
    n = len(prompt_ids)
    if max_length - n < 1:
        raise ValueError(f"encode_example: max_length={max_length!r} is not above len(prompt_ids)={n}, there would be no labels")
    ids = (list(prompt_ids) + tail)[:max_length]
    labels = list(ids)
    labels[:n] = [IGNORE_INDEX] * n
    return {"input_ids": ids, "labels": labels}


def collate(examples, *, pad_id):
    width = max(map(len, (e["input_ids"] for e in examples)), default=0)
    ids = torch.empty(len(examples), width, dtype=torch.long).fill_(pad_id)
    labels = torch.empty_like(ids).fill_(IGNORE_INDEX)
    mask = torch.zeros_like(ids)
    for r, e in enumerate(examples):
        n = len(e["input_ids"])
        ids[r].narrow(0, 0, n).copy_(torch.tensor(e["input_ids"], dtype=torch.long))
        labels[r].narrow(0, 0, n).copy_(torch.tensor(e["labels"], dtype=torch.long))
        mask[r].narrow(0, 0, n).fill_(1)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def sft_loss(logits, labels):
    loss, _, n = token_stats(logits, labels)
    return loss / n.clamp(min=1)


def targets(batches):
    return sum(int((b["labels"][:, 1:] != IGNORE_INDEX).sum()) for b in batches)


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    n = targets(micro_batches)
    if n == 0:
        raise ValueError(f"train_step: micro_batches has {len(micro_batches)} entries with 0 labels, 1 label is the least")
    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)
    loss_sum = 0.0
    for b in micro_batches:
        loss = token_stats(model(b["input_ids"], b["attention_mask"]), b["labels"])[0]
        loss.div(n).backward()
        loss_sum += loss.item()
    if max_grad_norm is not None:
        params = [p for p in model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in params]) if hasattr(nn.utils, "get_total_norm") else torch.stack(
            [p.grad.norm() for p in params]).norm()
        scale = (max_grad_norm / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_([p.grad for p in params], scale)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return loss_sum / n


@torch.no_grad()
def evaluate(model, batches):
    flags = [m.training for m in model.modules()]
    model.eval()
    try:
        stats = torch.zeros(3, dtype=torch.float64)
        for b in batches:
            stats += torch.tensor([float(s) for s in token_stats(model(b["input_ids"], b["attention_mask"]), b["labels"])],
                                  dtype=torch.float64)
    finally:
        for m, flag in zip(model.modules(), flags):
            m.training = flag
    loss, hits, n = stats.tolist()
    if n == 0:
        raise ValueError("evaluate: batches has 0 labels, 1 label is the least")
    return {"loss": loss / n, "token_accuracy": hits / n}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError(f"finetune: epochs={epochs!r}, 1 is the least")
    if accumulation < 1:
        raise ValueError(f"finetune: accumulation={accumulation!r}, 1 is the least")
    n_batches = len(train_batches)
    if n_batches == 0:
        raise ValueError("finetune: train_batches=[], 1 batch is the least")
    per_epoch = math.ceil(n_batches / accumulation)
    steps = per_epoch * epochs
    warmup = math.ceil(warmup_ratio * steps)

    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for _, p in named if p.dim() != 1], "weight_decay": weight_decay},
         {"params": [p for _, p in named if p.dim() == 1], "weight_decay": 0.0}], lr=lr, foreach=False)
    # two straight lines: the schedule is the lower one
    rise = (lambda k: k / warmup) if warmup else (lambda k: math.inf)
    fall = (lambda k: (steps - k) / (steps - warmup)) if steps > warmup else (lambda k: math.inf if k < steps else 0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(rise(k), fall(k)) if k < warmup else min(1.0, fall(k)))

    out, kept, lowest = [], {}, math.nan
    i = 0
    sums = [0.0, 0]
    for update in range(steps):
        window = train_batches[i : i + accumulation]
        tokens = targets(window)
        sums[0] += tokens * train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
        sums[1] += tokens
        i += accumulation
        if i < n_batches:
            continue
        # the epoch is over
        i = 0
        val = evaluate(model, val_batches)
        out.append({"epoch": len(out) + 1, "train_loss": sums[0] / sums[1], "val_loss": val["loss"],
                    "val_token_accuracy": val["token_accuracy"], "update": update + 1})
        sums = [0.0, 0]
        if not kept or val["loss"] < lowest or math.isnan(lowest):
            lowest = val["loss"]
            kept = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)
    model.eval()
    return out


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.trunk = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        pooled = masked_mean(self.trunk(input_ids, attention_mask), attention_mask)
        return F.linear(pooled, self.classifier.weight, self.classifier.bias)
