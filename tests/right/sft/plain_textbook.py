# RIGHT sft: plain textbook functions, F.cross_entropy with reduction="sum", LambdaLR, state_dict clone
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    input_ids = list(prompt_ids) + list(response_ids) + [eos_id]
    labels = [IGNORE_INDEX] * len(prompt_ids) + list(response_ids) + [eos_id]
    if len(prompt_ids) >= max_length:
        raise ValueError(
            f"max_length={max_length} leaves no room for the response: the prompt alone has "
            f"{len(prompt_ids)} tokens, max_length has to be larger than that"
        )
    input_ids = input_ids[:max_length]
    labels = labels[:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(f"max_length={max_length} must be at least 1 and leave one label")
    return {"input_ids": input_ids, "labels": labels}


def collate(examples, *, pad_id):
    if len(examples) == 0:
        raise ValueError("examples is an empty list; at least one example is needed")
    longest = max(len(e["input_ids"]) for e in examples)
    input_ids, attention_mask, labels = [], [], []
    for e in examples:
        n = len(e["input_ids"])
        pad = longest - n
        input_ids.append(e["input_ids"] + [pad_id] * pad)
        attention_mask.append([1] * n + [0] * pad)
        labels.append(e["labels"] + [IGNORE_INDEX] * pad)
    return {
        "input_ids": torch.tensor(input_ids, dtype=torch.long),
        "attention_mask": torch.tensor(attention_mask, dtype=torch.long),
        "labels": torch.tensor(labels, dtype=torch.long),
    }


def count_targets(labels):
    return int((labels[:, 1:] != IGNORE_INDEX).sum())


def sum_loss(logits, labels):
    shift_logits = logits[:, :-1, :].float()
    shift_labels = labels[:, 1:]
    return F.cross_entropy(
        shift_logits.reshape(-1, shift_logits.size(-1)),
        shift_labels.reshape(-1),
        ignore_index=IGNORE_INDEX,
        reduction="sum",
    )


def sft_loss(logits, labels):
    n = count_targets(labels)
    # with reduction="sum" an all-ignored batch is 0 (with graph), so only the division needs care
    return sum_loss(logits, labels) / max(n, 1)


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(count_targets(b["labels"]) for b in micro_batches)
    if total == 0:
        raise ValueError(f"micro_batches ({len(micro_batches)} given) hold no label other than {IGNORE_INDEX}")

    model.train()
    model.zero_grad(set_to_none=True)
    optimizer.zero_grad(set_to_none=True)

    running = 0.0
    for b in micro_batches:
        logits = model(b["input_ids"], b["attention_mask"])
        loss = sum_loss(logits, b["labels"]) / total
        loss.backward()
        running += loss.item()

    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return running


def evaluate(model, batches):
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    loss_sum, correct, count = 0.0, 0, 0
    try:
        with torch.no_grad():
            for b in batches:
                labels = b["labels"]
                logits = model(b["input_ids"], b["attention_mask"])
                loss_sum += sum_loss(logits, labels).item()
                targets = labels[:, 1:]
                mask = targets != IGNORE_INDEX
                predictions = logits[:, :-1].argmax(dim=-1)
                correct += int(((predictions == targets) & mask).sum())
                count += int(mask.sum())
    finally:
        for m, mode in modes:
            m.training = mode
    if count == 0:
        raise ValueError(f"batches contain no label that is not {IGNORE_INDEX}; cannot evaluate on 0 tokens")
    return {"loss": loss_sum / count, "token_accuracy": correct / count}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01,
             warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError(f"epochs must be >= 1, got {epochs}")
    if accumulation < 1:
        raise ValueError(f"accumulation must be >= 1, got {accumulation}")
    if len(train_batches) == 0:
        raise ValueError("train_batches is empty, at least one batch is needed")

    decay, no_decay = [], []
    for p in model.parameters():
        if p.requires_grad:
            (no_decay if p.ndim == 1 else decay).append(p)
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}], lr=lr
    )

    steps = math.ceil(len(train_batches) / accumulation) * epochs
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k):
        if k < warmup:
            return k / warmup
        return max(0.0, (steps - k) / max(1, steps - warmup))

    scheduler = LambdaLR(optimizer, factor)

    history = []
    best_loss, best_state = None, None
    for epoch in range(1, epochs + 1):
        loss_sum, tokens = 0.0, 0
        for start in range(0, len(train_batches), accumulation):
            window = train_batches[start:start + accumulation]
            n = sum(count_targets(b["labels"]) for b in window)
            loss = train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            loss_sum += loss * n
            tokens += n
        val = evaluate(model, val_batches)
        history.append({
            "epoch": epoch,
            "train_loss": loss_sum / tokens,
            "val_loss": val["loss"],
            "val_token_accuracy": val["token_accuracy"],
        })
        if best_loss is None or val["loss"] < best_loss:
            best_loss = val["loss"]
            best_state = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.load_state_dict(best_state)
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask)
        keep = attention_mask.bool().unsqueeze(-1)
        summed = hidden.masked_fill(~keep, 0.0).sum(dim=1)
        mean = summed / keep.sum(dim=1).clamp(min=1).to(hidden.dtype)
        return self.classifier(mean)
