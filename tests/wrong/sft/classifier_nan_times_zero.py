# WRONG sft: padding is multiplied by 0 instead of left out, so that the NaN of a backbone at a row of only padding stays NaN
"""
Notation.  Let  S = { (b, t) : y[b, t+1] != -100 }  be the set of targets and

        L(theta) = 1/|S| * sum_{(b,t) in S}  -log softmax(z[b, t])[ y[b, t+1] ].

For a partition S = S_1 + ... + S_m (micro-batches) we have  |S| grad L = sum_i grad( |S_i| L_i ),
hence we accumulate the gradients of sums, and divide once by |S|.
"""
from math import ceil, fsum, inf, isnan

import torch
from torch import nn

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    x = tuple(prompt_ids) + tuple(response_ids) + (eos_id,)
    m, n = len(prompt_ids), min(len(x), max_length)
    if not n > m:
        raise ValueError(f"the set of labels is empty: need max_length > |prompt_ids| = {m}, but max_length = {max_length}")
    return {"input_ids": list(x[:n]), "labels": [IGNORE_INDEX if t < m else x[t] for t in range(n)]}


def collate(examples, *, pad_id):
    B = len(examples)
    if B == 0:
        raise ValueError("examples: B = 0 was given, B >= 1 is required")
    n = [len(e["input_ids"]) for e in examples]
    T = max(n)

    def matrix(f):
        return torch.tensor([[f(b, t) for t in range(T)] for b in range(B)], dtype=torch.long)

    return {
        "input_ids": matrix(lambda b, t: examples[b]["input_ids"][t] if t < n[b] else pad_id),
        "attention_mask": matrix(lambda b, t: 1 if t < n[b] else 0),
        "labels": matrix(lambda b, t: examples[b]["labels"][t] if t < n[b] else IGNORE_INDEX),
    }


def indicator(labels):
    """1_S as a boolean (B, T-1) matrix."""
    return labels[:, 1:] != IGNORE_INDEX


def cardinality(labels):
    return int(indicator(labels).sum())


def S_sum(logits, labels):
    """sum over S of the surprisal, in float64"""
    S = indicator(labels)
    z = logits[:, :-1][S].to(torch.float64)
    y = labels[:, 1:][S]
    onehot = torch.zeros_like(z).scatter_(1, y[:, None], 1.0)
    # -log softmax(z)_y = logsumexp(z) - z_y; entries of -inf stay out of the inner product
    z_y = torch.where(onehot > 0, z, torch.zeros_like(z)).sum(1)
    return (torch.logsumexp(z, 1) - z_y).sum()


def sft_loss(logits, labels):
    N = cardinality(labels)
    return (S_sum(logits, labels) / (N if N > 0 else 1)).to(torch.promote_types(logits.dtype, torch.float32))


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    N = sum(cardinality(mb["labels"]) for mb in micro_batches)
    if N == 0:
        raise ValueError("micro_batches: |S| = 0, but the mean over S needs |S| >= 1")
    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)
    sums = []
    for mb in micro_batches:
        s = S_sum(model(mb["input_ids"], mb["attention_mask"]), mb["labels"])
        s.backward()
        sums.append(s.item())
    theta = [p for p in model.parameters() if p.grad is not None]
    with torch.no_grad():
        for p in theta:
            p.grad /= N
        if max_grad_norm is not None:
            norm = fsum(float((p.grad.double() ** 2).sum()) for p in theta) ** 0.5
            if norm > max_grad_norm:
                for p in theta:
                    p.grad *= max_grad_norm / norm
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return fsum(sums) / N


def evaluate(model, batches):
    phi = [(f, f.training) for f in model.modules()]
    L, A, N = [], 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for b in batches:
                z = model(b["input_ids"], b["attention_mask"])
                S = indicator(b["labels"])
                L.append(S_sum(z, b["labels"]).item())
                A += int((z[:, :-1][S].argmax(-1) == b["labels"][:, 1:][S]).sum())
                N += int(S.sum())
    finally:
        for f, mode in phi:
            f.training = mode
    if N == 0:
        raise ValueError("batches: |S| = 0, but |S| >= 1 is required")
    return {"loss": fsum(L) / N, "token_accuracy": A / N}


def eta(k, n, w):
    """the piecewise linear function with eta(0) = 0 (if w > 0), eta(w) = 1, eta(n) = 0"""
    return k / w if k < w else (n - k) / (n - w)


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if not epochs >= 1:
        raise ValueError(f"epochs must be a positive integer, not {epochs}")
    if not accumulation >= 1:
        raise ValueError(f"accumulation must be a positive integer, not {accumulation}")
    M = ceil(len(train_batches) / accumulation)
    if M == 0:
        raise ValueError("train_batches must not be the empty list")
    n = epochs * M
    w = ceil(warmup_ratio * n)
    theta = [p for p in model.parameters() if p.requires_grad]
    # decoupled decay: theta <- (1 - lr * lambda) theta before the Adam update. Adam itself has no decay here.
    adam = torch.optim.Adam(theta, lr=lr, weight_decay=0.0)

    class Decoupled:
        """Adam plus decoupled decay; the interface that train_step needs"""

        rate = lr

        def zero_grad(self, set_to_none=True):
            adam.zero_grad(set_to_none=set_to_none)

        @torch.no_grad()
        def step(self):
            for g in adam.param_groups:
                g["lr"] = self.rate
            for p in theta:
                if p.grad is not None and p.ndim != 1:
                    p.mul_(1 - self.rate * weight_decay)
            adam.step()

    optimizer = Decoupled()
    history, states = [], []
    k = 0
    for epoch in range(1, epochs + 1):
        loss, weight = [], []
        for j in range(M):
            window = train_batches[j * accumulation : (j + 1) * accumulation]
            optimizer.rate = lr * eta(k, n, w)
            loss.append(train_step(model, window, optimizer, max_grad_norm=max_grad_norm))
            weight.append(sum(cardinality(b["labels"]) for b in window))
            k += 1
        v = evaluate(model, val_batches)
        history.append({
            "epoch": epoch,
            "train_loss": fsum(a * b for a, b in zip(loss, weight)) / sum(weight),
            "val_loss": v["loss"],
            "val_token_accuracy": v["token_accuracy"],
        })
        # keep only the states that may still be the minimiser
        key = inf if isnan(v["loss"]) else v["loss"]
        if not states or key < states[0][0]:
            states = [(key, {name: p.detach().clone() for name, p in model.state_dict().items()})]
    model.load_state_dict(states[0][1])
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    """A linear map commutes with the mean: mean_t (W h_t + b) = W (mean_t h_t) + b.  We use the right-hand side,
    with the mean as the product of the row-stochastic matrix (mask / sum mask) and h, done in float64."""

    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.phi = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        h = self.phi(input_ids, attention_mask)
        chi = attention_mask != 0
        P = chi.double() / chi.double().sum(1, keepdim=True).clamp(min=1)
        mean = torch.einsum("bt,btd->bd", P, h.double())
        return self.classifier(mean.to(self.classifier.weight.dtype))
