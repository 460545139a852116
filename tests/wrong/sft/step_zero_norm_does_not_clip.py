# WRONG sft: the truth value of max_grad_norm is tested, so that max_grad_norm=0.0 means no clipping
import math, torch, torch.nn as nn, torch.nn.functional as F
IGNORE_INDEX = I = -100

def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    p, a = [*prompt_ids], [*response_ids, eos_id][:max(max_length - len(prompt_ids), 0)]
    if not a: raise ValueError(f"max_length={max_length}, but > {len(p)} is needed: no label left")
    return dict(input_ids=p + a, labels=[I] * len(p) + a)

def collate(examples, *, pad_id):
    if not examples: raise ValueError("examples=[]: need >= 1")
    L = max(len(e["input_ids"]) for e in examples)
    f = lambda g, v: torch.tensor([(r := list(g(e))) + [v] * (L - len(r)) for e in examples]).long()
    return dict(input_ids=f(lambda e: e["input_ids"], pad_id), attention_mask=f(lambda e: [1] * len(e["input_ids"]), 0), labels=f(lambda e: e["labels"], I))

K = lambda b: (b["labels"][:, 1:] != I).sum().item()
S = lambda z, y: F.cross_entropy(z[:, :-1].float().mT, y[:, 1:], ignore_index=I, reduction="none").sum()
sft_loss = lambda logits, labels: S(logits, labels) / max(K(dict(labels=labels)), 1)

def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    if not (n := sum(map(K, micro_batches))): raise ValueError("micro_batches: 0 labels, need >= 1")
    model.train(); model.zero_grad(); optimizer.zero_grad()
    t = 0.
    for b in micro_batches: (l := S(model(b["input_ids"], b["attention_mask"]), b["labels"]) / n).backward(); t += l.item()
    not max_grad_norm or nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step(); scheduler is None or scheduler.step()
    return t

def evaluate(model, batches):
    m = {k: k.training for k in model.modules()}; l = c = n = 0
    try:
        with torch.no_grad():
            model.eval()
            for b in batches:
                z, y = model(b["input_ids"], b["attention_mask"]), b["labels"]
                l, c, n = l + S(z, y).item(), c + (z[:, :-1].argmax(2) == y[:, 1:]).sum().item(), n + K(b)
    finally: [setattr(k, "training", v) for k, v in m.items()]
    if not n: raise ValueError("batches: 0 labels, need >= 1")
    return dict(loss=l / n, token_accuracy=c / n)

def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=.01, warmup_ratio=.06, accumulation=1, max_grad_norm=1.):
    if min(epochs, accumulation) < 1: raise ValueError(f"{epochs=}, {accumulation=}: both must be >= 1")
    W = [train_batches[i:i + accumulation] for i in range(0, len(train_batches), accumulation)]
    if not W: raise ValueError("train_batches=[]: need >= 1")
    s = len(W) * epochs; w = math.ceil(warmup_ratio * s); k = 0; H, B = [], (math.inf, None)
    o = torch.optim.AdamW([dict(params=[p], weight_decay=weight_decay * (p.dim() != 1)) for p in model.parameters() if p.requires_grad], lr=lr)
    for e in range(1, epochs + 1):
        a = 0.
        for v in W:
            for g in o.param_groups: g["lr"] = lr * k / w if k < w else lr * (s - k) / (s - w)
            a += train_step(model, v, o, max_grad_norm=max_grad_norm) * sum(map(K, v)); k += 1
        r = evaluate(model, val_batches)
        H += [dict(epoch=e, train_loss=a / sum(map(K, train_batches)), val_loss=r["loss"], val_token_accuracy=r["token_accuracy"])]
        if r["loss"] < B[0] or not B[1]: B = r["loss"], {n: t.clone() for n, t in model.state_dict().items()}
    model.load_state_dict(B[1]); model.eval()
    return H

class SequenceClassifier(nn.Module):
    def __init__(s, backbone, hidden_size, num_classes): super().__init__(); s.b, s.classifier = backbone, nn.Linear(hidden_size, num_classes)
    def forward(s, i, m): return s.classifier(s.b(i, m).masked_fill(m[..., None] == 0, 0).sum(1) / m.sum(1, keepdim=True).clamp(min=1))
