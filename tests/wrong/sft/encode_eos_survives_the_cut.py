# WRONG sft: when cutting, room is reserved for EOS, so that a cut response still ends with EOS
import math
import torch
from torch import nn

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    n_prompt = len(prompt_ids)
    budget = max_length - n_prompt
    if budget <= 0:
        raise ValueError("max_length is %r; with a prompt of %d tokens it must be at least %d to keep a label"
                         % (max_length, n_prompt, n_prompt + 1))
    answer = list(response_ids)[:budget - 1] + [eos_id]
    return {
        "input_ids": list(prompt_ids) + answer,
        "labels": n_prompt * [IGNORE_INDEX] + answer,
    }


def collate(examples, *, pad_id):
    if len(examples) == 0:
        raise ValueError("examples must contain at least one example, 0 given")
    width = max([len(ex["input_ids"]) for ex in examples])

    def grow(values, filler):
        row = torch.tensor(values, dtype=torch.long)
        return torch.cat([row, row.new_full((width - len(values),), filler)])

    return {
        "input_ids": torch.stack([grow(ex["input_ids"], pad_id) for ex in examples]),
        "attention_mask": torch.stack([grow([1 for _ in ex["input_ids"]], 0) for ex in examples]),
        "labels": torch.stack([grow(ex["labels"], IGNORE_INDEX) for ex in examples]),
    }


def token_nll(logits, labels):
    """1-D tensor: the negative log-likelihood of each token that counts."""
    targets = labels[:, 1:]
    rows, cols = torch.nonzero(targets != IGNORE_INDEX, as_tuple=True)
    chosen = logits[rows, cols]
    if chosen.dtype in (torch.float16, torch.bfloat16):
        chosen = chosen.float()
    logp = torch.log_softmax(chosen, dim=-1)
    return -logp[torch.arange(len(rows), device=logits.device), targets[rows, cols]]


def sft_loss(logits, labels):
    nll = token_nll(logits, labels)
    if len(nll) == 0:
        return nll.sum()
    return nll.mean()


def n_targets(batch):
    return int(torch.count_nonzero(batch["labels"][:, 1:] != IGNORE_INDEX))


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = 0
    for batch in micro_batches:
        total += n_targets(batch)
    if total == 0:
        raise ValueError("micro_batches has no target token in %d batches, at least 1 is needed" % len(micro_batches))

    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)

    params = [p for p in model.parameters() if p.requires_grad]
    grads = [None] * len(params)
    nll_sum = 0.0
    for batch in micro_batches:
        if n_targets(batch) == 0:
            continue  # contributes nothing
        nll = token_nll(model(batch["input_ids"], batch["attention_mask"]), batch["labels"]).sum()
        nll_sum += float(nll.detach())
        for i, g in enumerate(torch.autograd.grad(nll / total, params, allow_unused=True)):
            if g is None:
                continue
            grads[i] = g if grads[i] is None else grads[i] + g

    if max_grad_norm is not None:
        square = sum(float(g.double().pow(2).sum()) for g in grads if g is not None)
        shrink = max_grad_norm / (math.sqrt(square) + 1e-6)
        if shrink < 1:
            grads = [None if g is None else g * shrink for g in grads]

    for p, g in zip(params, grads):
        p.grad = None if g is None else g.to(p.dtype)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return nll_sum / total


def evaluate(model, batches):
    before = [m.training for m in model.modules()]
    grad_before = torch.is_grad_enabled()
    loss, right, total = 0.0, 0, 0
    try:
        torch.set_grad_enabled(False)
        model.train(False)
        for batch in batches:
            logits = model(batch["input_ids"], batch["attention_mask"])
            loss += float(token_nll(logits, batch["labels"]).sum())
            targets = batch["labels"][:, 1:]
            rows, cols = torch.nonzero(targets != IGNORE_INDEX, as_tuple=True)
            right += int((logits[rows, cols].argmax(-1) == targets[rows, cols]).sum())
            total += len(rows)
    finally:
        torch.set_grad_enabled(grad_before)
        for m, flag in zip(model.modules(), before):
            m.training = flag
    if total == 0:
        raise ValueError("batches: no target token found, the mean loss is undefined; give at least one label")
    return {"loss": loss / total, "token_accuracy": right / total}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06,
             accumulation=1, max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError("epochs = %r, but must be 1 or larger" % epochs)
    if accumulation < 1:
        raise ValueError("accumulation = %r, but must be 1 or larger" % accumulation)
    per_epoch = math.ceil(len(train_batches) / accumulation)
    if per_epoch == 0:
        raise ValueError("train_batches = [], but must hold a batch")
    steps = epochs * per_epoch
    warmup = math.ceil(warmup_ratio * steps)

    # one group per parameter: the simplest way to give each its own decay
    groups = []
    for p in model.parameters():
        if p.requires_grad:
            groups.append({"params": [p], "weight_decay": 0.0 if p.dim() == 1 else weight_decay})
    if not groups:
        raise ValueError("model has no trainable parameter")
    optimizer = torch.optim.AdamW(groups, lr=lr)

    k = 0
    results = []
    best = (math.inf, None)
    for epoch in range(1, epochs + 1):
        nll, tokens = 0.0, 0
        for j in range(per_epoch):
            rate = lr * (k / warmup) if k < warmup else lr * ((steps - k) / (steps - warmup))
            for g in optimizer.param_groups:
                g["lr"] = rate
            window = train_batches[j * accumulation:(j + 1) * accumulation]
            n = sum(n_targets(b) for b in window)
            nll += n * train_step(model, window, optimizer, max_grad_norm=max_grad_norm)
            tokens += n
            k += 1
        val = evaluate(model, val_batches)
        results.append({"epoch": epoch, "train_loss": nll / tokens, "val_loss": val["loss"],
                        "val_token_accuracy": val["token_accuracy"]})
        if val["loss"] < best[0] or best[1] is None:
            best = (val["loss"], {name: t.detach().clone() for name, t in model.state_dict().items()})
    with torch.no_grad():
        for name, t in model.state_dict().items():
            t.copy_(best[1][name])
    model.train(False)
    return results


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)
        self.hidden_size = hidden_size

    def forward(self, input_ids, attention_mask):
        states = self.backbone(input_ids, attention_mask)
        rows, cols = torch.nonzero(attention_mask, as_tuple=True)
        pooled = states.new_zeros(states.shape[0], self.hidden_size)
        pooled = pooled.index_add(0, rows, states[rows, cols])
        counts = torch.bincount(rows, minlength=states.shape[0]).clamp(min=1)
        return self.classifier(pooled / counts[:, None].to(pooled.dtype))
