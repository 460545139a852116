# WRONG sft: labels are shifted one to the left here already (the loss shifts a second time)
import math
from contextlib import suppress

import numpy as np
import torch
from torch import nn

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    prompt = np.asarray(prompt_ids, dtype=np.int64).reshape(-1)
    target = np.append(np.asarray(response_ids, dtype=np.int64).reshape(-1), np.int64(eos_id))
    ids = np.concatenate([prompt, target])
    labels = np.concatenate([np.full_like(prompt, IGNORE_INDEX), target])
    cut = slice(0, max(int(max_length), 0))
    ids, labels = ids[cut], labels[cut]
    if not np.any(labels != IGNORE_INDEX):
        raise ValueError(
            "max_length = %d cuts away the whole response (prompt: %d tokens); allowed: more than the prompt's length"
            % (max_length, prompt.size)
        )
    labels = np.append(labels[1:], IGNORE_INDEX)  # position t predicts token t + 1
    return {"input_ids": ids.tolist(), "labels": labels.tolist()}


def _ragged_to_dense(rows, fill):
    lengths = np.array([len(r) for r in rows])
    inside = np.arange(lengths.max())[None, :] < lengths[:, None]
    dense = np.full(inside.shape, fill, dtype=np.int64)
    dense[inside] = np.concatenate([np.asarray(r, dtype=np.int64) for r in rows])
    return dense, inside


def collate(examples, *, pad_id):
    if len(examples) < 1:
        raise ValueError("collate: examples has length 0, must be at least 1")
    ids, inside = _ragged_to_dense([e["input_ids"] for e in examples], pad_id)
    labels, _ = _ragged_to_dense([e["labels"] for e in examples], IGNORE_INDEX)
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(inside.astype(np.int64)),
        "labels": torch.from_numpy(labels),
    }


def _nll_sum_and_count(logits, labels):
    target = labels[:, 1:]
    w = target.ne(IGNORE_INDEX)
    z = logits[:, :-1]
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    picked = z.gather(-1, target.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    nll = torch.logsumexp(z, dim=-1) - picked
    # where, not a product: an ignored position may hold inf
    nll = torch.where(w, nll, torch.zeros_like(nll))
    return nll.sum(), w.sum()


def sft_loss(logits, labels):
    s, n = _nll_sum_and_count(logits, labels)
    return s / n.clamp(min=1)


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    n_total = sum(int(np.count_nonzero(b["labels"][:, 1:].cpu().numpy() != IGNORE_INDEX)) for b in micro_batches)
    if n_total == 0:
        raise ValueError("micro_batches carries 0 target tokens, needs at least 1")
    model.train()
    for p in model.parameters():
        p.grad = None
    optimizer.zero_grad()
    sums = [_nll_sum_and_count(model(b["input_ids"], b["attention_mask"]), b["labels"])[0] for b in micro_batches]
    loss = torch.stack(sums).sum() / n_total
    loss.backward()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], float(max_grad_norm))
    optimizer.step()
    with suppress(AttributeError) if scheduler is None else _nothing():
        scheduler.step()
    return float(loss.detach())


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def evaluate(model, batches):
    modules = list(model.modules())
    modes = np.fromiter((m.training for m in modules), dtype=bool)
    stats = np.zeros(3)
    try:
        model.eval()
        with torch.no_grad():
            for b in batches:
                z = model(b["input_ids"], b["attention_mask"])
                s, n = _nll_sum_and_count(z, b["labels"])
                target = b["labels"][:, 1:]
                hit = torch.argmax(z[:, :-1], dim=-1).eq(target) & target.ne(IGNORE_INDEX)
                stats += np.array([float(s), float(n), float(hit.sum())])
    finally:
        for m, t in zip(modules, modes):
            m.training = bool(t)
    total, n, hits = stats.tolist()
    if n == 0:
        raise ValueError("batches: found no label, at least one position must differ from -100")
    return {"loss": total / n, "token_accuracy": hits / n}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if epochs < 1 or accumulation < 1:
        raise ValueError("epochs=%r and accumulation=%r: both must be 1 or more" % (epochs, accumulation))
    n_windows = -(-len(train_batches) // accumulation)
    if n_windows == 0:
        raise ValueError("train_batches must hold at least one batch, got 0")
    steps = epochs * n_windows
    warmup = math.ceil(warmup_ratio * steps)
    # the whole schedule as one vector, one entry an update
    k = np.arange(steps, dtype=np.float64)
    rates = lr * np.where(k < warmup, k / max(warmup, 1), (steps - k) / max(steps - warmup, 1))

    trainable = [p for p in model.parameters() if p.requires_grad]
    one_d = np.array([p.ndim == 1 for p in trainable], dtype=bool)
    opt = torch.optim.AdamW(
        [
            {"params": [p for p, flat in zip(trainable, one_d) if not flat], "weight_decay": weight_decay},
            {"params": [p for p, flat in zip(trainable, one_d) if flat], "weight_decay": 0.0},
        ],
        lr=lr,
    )
    history, snapshots = [], []
    for epoch in range(epochs):
        losses, tokens = np.zeros(n_windows), np.zeros(n_windows)
        for w in range(n_windows):
            chunk = train_batches[w * accumulation : (w + 1) * accumulation]
            for group in opt.param_groups:
                group["lr"] = float(rates[epoch * n_windows + w])
            tokens[w] = sum(int(b["labels"][:, 1:].ne(IGNORE_INDEX).sum()) for b in chunk)
            losses[w] = train_step(model, chunk, opt, max_grad_norm=max_grad_norm)
        val = evaluate(model, val_batches)
        history.append(
            {
                "epoch": epoch + 1,
                "train_loss": float(np.average(losses, weights=tokens)),
                "val_loss": val["loss"],
                "val_token_accuracy": val["token_accuracy"],
            }
        )
        snapshots.append({k: v.detach().cpu().numpy().copy() if v.dtype != torch.bfloat16 else v.detach().clone()
                          for k, v in model.state_dict().items()})
    # argmin returns the first minimum
    best = int(np.argmin(np.nan_to_num(np.array([h["val_loss"] for h in history]), nan=np.inf)))
    model.load_state_dict({k: torch.as_tensor(v) for k, v in snapshots[best].items()})
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.body = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        h = self.body(input_ids, attention_mask)
        real = attention_mask.ne(0)
        h = h.masked_fill(real.logical_not()[..., None], 0)
        weights = real.to(h.dtype) / real.sum(1, keepdim=True).clamp_min(1).to(h.dtype)
        return self.classifier(torch.einsum("btd,bt->bd", h, weights))
