# RIGHT sft: passes micro-batches to the model row by row (slices of one), in training and in evaluation, python dict/zip collation
import itertools
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    prompt = [(token, IGNORE_INDEX) for token in prompt_ids]
    answer = [(token, token) for token in itertools.chain(response_ids, [eos_id])]
    kept = list(itertools.islice(prompt + answer, max(0, max_length)))
    if len(kept) <= len(prompt):
        raise ValueError(
            "no label left to learn from: max_length is {}, prompt_ids has {} entries, "
            "only max_length > len(prompt_ids) is allowed".format(max_length, len(prompt))
        )
    ids, labels = map(list, zip(*kept))
    return {"input_ids": ids, "labels": labels}


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is empty (allowed: one example or more)")
    columns_ids = itertools.zip_longest(*(e["input_ids"] for e in examples), fillvalue=None)
    columns_labels = itertools.zip_longest(*(e["labels"] for e in examples), fillvalue=IGNORE_INDEX)
    # zip_longest gives columns; transpose them into rows at the end
    columns_ids = list(columns_ids)
    ids = [[pad_id if t is None else t for t in col] for col in columns_ids]
    mask = [[int(t is not None) for t in col] for col in columns_ids]
    labels = [list(col) for col in columns_labels]
    as_rows = lambda cols: torch.tensor(cols, dtype=torch.long).t().contiguous()
    return {"input_ids": as_rows(ids), "attention_mask": as_rows(mask), "labels": as_rows(labels)}


def row_nll(logits, labels):
    """logits (T, V), labels (T,) -> sum of the losses of one row, its hits, its number of targets"""
    logits, targets = logits[:-1].float(), labels[1:]
    keep = targets != IGNORE_INDEX
    total = F.nll_loss(F.log_softmax(logits, dim=-1), targets, ignore_index=IGNORE_INDEX, reduction="sum")
    hits = int((logits.argmax(-1) == targets)[keep].sum())
    return total, hits, int(keep.sum())


def sft_loss(logits, labels):
    totals, _, counts = zip(*(row_nll(row, y) for row, y in zip(logits, labels)))
    return sum(totals) / max(1, sum(counts))


def rows_of(batch):
    keys = ("input_ids", "attention_mask", "labels")
    for i in range(batch["input_ids"].shape[0]):
        yield tuple(batch[k][i:i + 1] for k in keys)


def targets_in(batch):
    return (batch["labels"][:, 1:] != IGNORE_INDEX).sum().item()


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    denominator = sum(map(targets_in, micro_batches))
    if denominator == 0:
        raise ValueError("micro_batches: not one target token in it, and at least one is needed for an update")
    model.train()
    model.zero_grad()
    optimizer.zero_grad()
    loss_sum = 0.0
    for ids, mask, labels in itertools.chain.from_iterable(map(rows_of, micro_batches)):
        total, _, _ = row_nll(model(ids, mask)[0], labels[0])
        (total / denominator).backward()
        loss_sum += total.item()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return loss_sum / denominator


def evaluate(model, batches):
    modes = dict()
    for name, module in model.named_modules(remove_duplicate=True):
        modes[name] = module.training
    totals = [0.0, 0, 0]
    model.eval()
    try:
        for batch in batches:
            for ids, mask, labels in rows_of(batch):
                with torch.no_grad():
                    result = row_nll(model(ids, mask)[0], labels[0])
                totals = [a + float(b) for a, b in zip(totals, result)]
    finally:
        for name, mode in modes.items():
            model.get_submodule(name).training = mode
    loss_sum, hits, n = totals
    if n == 0:
        raise ValueError("batches: no label in any of them")
    return {"loss": loss_sum / n, "token_accuracy": hits / n}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06,
             accumulation=1, max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError("epochs: {} given, 1 or more allowed".format(epochs))
    if accumulation < 1:
        raise ValueError("accumulation: {} given, 1 or more allowed".format(accumulation))
    if len(train_batches) == 0:
        raise ValueError("train_batches: empty list given, 1 batch or more allowed")
    starts = range(0, len(train_batches), accumulation)
    steps = epochs * len(starts)
    warmup = math.ceil(warmup_ratio * steps)

    by_decay = {True: [], False: []}
    for p in filter(lambda p: p.requires_grad, model.parameters()):
        by_decay[p.dim() == 1].append(p)
    optimizer = torch.optim.AdamW(by_decay[False], lr=lr, weight_decay=weight_decay) if by_decay[False] else None
    if optimizer is None:
        optimizer = torch.optim.AdamW(by_decay[True], lr=lr, weight_decay=0.0)
    elif by_decay[True]:
        optimizer.add_param_group({"params": by_decay[True], "weight_decay": 0.0})
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda k: k / warmup if k < warmup else (steps - k) / (steps - warmup) if k < steps else 0.0,
    )

    history, best = [], None
    for epoch in range(1, epochs + 1):
        weighted = tokens = 0
        for s in starts:
            window = train_batches[s:s + accumulation]
            n = sum(map(targets_in, window))
            weighted += n * train_step(model, window, optimizer, scheduler=schedule, max_grad_norm=max_grad_norm)
            tokens += n
        scores = evaluate(model, val_batches)
        history.append({
            "epoch": epoch,
            "train_loss": weighted / tokens,
            "val_loss": scores["loss"],
            "val_token_accuracy": scores["token_accuracy"],
        })
        if best is None or scores["loss"] < best[0]:
            best = scores["loss"], {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(best[1])
    return model.eval() and history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.net = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.net(input_ids, attention_mask)
        means = []
        for states, mask in zip(hidden, attention_mask):
            real = states[mask == 1]
            means.append(real.mean(dim=0) if len(real) else real.sum(dim=0))
        return self.classifier(torch.stack(means))
