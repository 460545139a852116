# RIGHT sft: a C++ programmer's code, preallocated buffers, index loops, RAII guards, explicit clipping, restores weights by copy_
import math

import torch
from torch import nn

IGNORE_INDEX = -100


class ModeGuard:
    """RAII: restores the training flags and the grad mode when the scope is left."""

    __slots__ = ("m_modules", "m_flags", "m_grad")

    def __init__(self, model):
        self.m_modules = []
        self.m_flags = []
        for m in model.modules():
            self.m_modules.append(m)
            self.m_flags.append(m.training)
        self.m_grad = torch.is_grad_enabled()

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, tb):
        n = len(self.m_modules)
        for i in range(n):
            self.m_modules[i].training = self.m_flags[i]
        torch.set_grad_enabled(self.m_grad)
        return False


class EvalStats:
    __slots__ = ("loss_sum", "num_correct", "num_tokens")

    def __init__(self):
        self.loss_sum = 0.0
        self.num_correct = 0
        self.num_tokens = 0


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    num_prompt = len(prompt_ids)
    num_response = len(response_ids)
    size = num_prompt + num_response + 1
    if size > max_length:
        size = max_length
    if size <= num_prompt:
        raise ValueError(
            "encode_example: bad argument max_length = " + str(max_length)
            + " (prompt size is " + str(num_prompt) + ", max_length must be > prompt size)"
        )
    input_ids = [0] * size
    labels = [IGNORE_INDEX] * size
    i = 0
    while i < size:
        if i < num_prompt:
            input_ids[i] = prompt_ids[i]
        elif i < num_prompt + num_response:
            input_ids[i] = response_ids[i - num_prompt]
            labels[i] = input_ids[i]
        else:
            input_ids[i] = eos_id
            labels[i] = eos_id
        i += 1
    return {"input_ids": input_ids, "labels": labels}


def collate(examples, *, pad_id):
    num_rows = len(examples)
    if num_rows == 0:
        raise ValueError("collate: bad argument examples (size 0, must be >= 1)")
    num_cols = 0
    for r in range(num_rows):
        num_cols = max(num_cols, len(examples[r]["input_ids"]))
    # flat row-major buffers
    buf_ids = [pad_id] * (num_rows * num_cols)
    buf_mask = [0] * (num_rows * num_cols)
    buf_labels = [IGNORE_INDEX] * (num_rows * num_cols)
    for r in range(num_rows):
        ids = examples[r]["input_ids"]
        labels = examples[r]["labels"]
        base = r * num_cols
        for c in range(len(ids)):
            buf_ids[base + c] = ids[c]
            buf_mask[base + c] = 1
            buf_labels[base + c] = labels[c]
    out = {}
    out["input_ids"] = torch.tensor(buf_ids, dtype=torch.int64).view(num_rows, num_cols)
    out["attention_mask"] = torch.tensor(buf_mask, dtype=torch.int64).view(num_rows, num_cols)
    out["labels"] = torch.tensor(buf_labels, dtype=torch.int64).view(num_rows, num_cols)
    return out


def target_indices(labels):
    """Returns (flat index into the B*T predictions, target id) of every position that is scored."""
    num_cols = labels.shape[1]
    pos = (labels != IGNORE_INDEX).nonzero()
    pos = pos[pos[:, 1] > 0]
    # label at column c is predicted at column c - 1
    flat = pos[:, 0] * num_cols + (pos[:, 1] - 1)
    ids = labels[pos[:, 0], pos[:, 1]]
    return flat, ids


def count_targets(batches):
    n = 0
    for i in range(len(batches)):
        flat, _ = target_indices(batches[i]["labels"])
        n += flat.shape[0]
    return n


def nll_sum(logits, labels):
    flat, ids = target_indices(labels)
    scored = logits.reshape(-1, logits.shape[2]).index_select(0, flat)
    scored = scored.to(torch.float32)
    # numerically stable log-sum-exp
    row_max = scored.detach().amax(dim=1, keepdim=True)
    denom = (scored - row_max).exp().sum(dim=1).log() + row_max[:, 0]
    numer = scored.gather(1, ids.view(-1, 1))[:, 0]
    return (denom - numer).sum(), scored, ids


def sft_loss(logits, labels):
    total, scored, ids = nll_sum(logits, labels)
    n = ids.shape[0]
    if n == 0:
        return total
    return total / n


def clip_gradients(model, max_norm):
    square_sum = 0.0
    for p in model.parameters():
        if p.grad is not None:
            square_sum += p.grad.detach().to(torch.float64).square().sum().item()
    norm = math.sqrt(square_sum)
    if norm > max_norm:
        scale = max_norm / norm
        for p in model.parameters():
            if p.grad is not None:
                p.grad.detach().mul_(scale)
    return norm


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    num_targets = count_targets(micro_batches)
    if num_targets == 0:
        raise ValueError("train_step: bad argument micro_batches (0 target tokens, must be >= 1)")

    model.train(True)
    for p in model.parameters():
        p.grad = None
    for g in range(len(optimizer.param_groups)):
        for p in optimizer.param_groups[g]["params"]:
            p.grad = None

    inv = 1.0 / num_targets
    loss_acc = 0.0
    for i in range(len(micro_batches)):
        mb = micro_batches[i]
        logits = model(mb["input_ids"], mb["attention_mask"])
        total, _, _ = nll_sum(logits, mb["labels"])
        (total * inv).backward()
        loss_acc += total.item()

    if max_grad_norm is not None:
        clip_gradients(model, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return loss_acc * inv


def evaluate(model, batches):
    stats = EvalStats()
    with ModeGuard(model):
        model.eval()
        torch.set_grad_enabled(False)
        for mb in batches:
            logits = model(mb["input_ids"], mb["attention_mask"])
            total, scored, ids = nll_sum(logits, mb["labels"])
            stats.loss_sum += total.item()
            stats.num_tokens += ids.shape[0]
            stats.num_correct += (scored.argmax(dim=1) == ids).sum().item()
    if stats.num_tokens == 0:
        raise ValueError("evaluate: bad argument batches (0 labels, must be >= 1)")
    return {"loss": stats.loss_sum / stats.num_tokens, "token_accuracy": stats.num_correct / stats.num_tokens}


def learning_rate(k, steps, warmup, lr):
    if k < warmup:
        return lr * k / warmup
    return lr * (steps - k) / (steps - warmup)


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError("finetune: bad argument epochs = " + str(epochs) + " (must be >= 1)")
    if accumulation < 1:
        raise ValueError("finetune: bad argument accumulation = " + str(accumulation) + " (must be >= 1)")
    num_batches = len(train_batches)
    if num_batches < 1:
        raise ValueError("finetune: bad argument train_batches (size 0, must be >= 1)")

    updates_per_epoch = (num_batches + accumulation - 1) // accumulation
    steps = updates_per_epoch * epochs
    warmup = int(math.ceil(warmup_ratio * steps))

    decay = []
    no_decay = []
    for p in model.parameters():
        if not p.requires_grad:
            continue
        if p.dim() == 1:
            no_decay.append(p)
        else:
            decay.append(p)
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}],
        lr=lr, betas=(0.9, 0.999), eps=1e-8,
    )

    history = [None] * epochs
    best_epoch = -1
    best_loss = 0.0
    # one preallocated checkpoint buffer, overwritten in place
    checkpoint = {}
    for name, t in model.state_dict().items():
        checkpoint[name] = torch.empty_like(t)

    k = 0
    for e in range(epochs):
        loss_sum = 0.0
        token_sum = 0
        for u in range(updates_per_epoch):
            begin = u * accumulation
            end = min(begin + accumulation, num_batches)
            window = [train_batches[i] for i in range(begin, end)]
            rate = learning_rate(k, steps, warmup, lr)
            for g in optimizer.param_groups:
                g["lr"] = rate
            n = count_targets(window)
            loss_sum += train_step(model, window, optimizer, max_grad_norm=max_grad_norm) * n
            token_sum += n
            k += 1
        val = evaluate(model, val_batches)
        history[e] = {
            "epoch": e + 1,
            "train_loss": loss_sum / token_sum,
            "val_loss": val["loss"],
            "val_token_accuracy": val["token_accuracy"],
        }
        if best_epoch < 0 or val["loss"] < best_loss:
            best_epoch = e
            best_loss = val["loss"]
            for name, t in model.state_dict().items():
                checkpoint[name].copy_(t)

    with torch.no_grad():
        for name, t in model.state_dict().items():
            t.copy_(checkpoint[name])
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.m_backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        h = self.m_backbone(input_ids, attention_mask)
        num_rows = h.shape[0]
        num_cols = h.shape[1]
        # skip the columns that are not real, do not multiply them by zero
        acc = torch.zeros(num_rows, h.shape[2], dtype=h.dtype, device=h.device)
        cnt = torch.zeros(num_rows, 1, dtype=h.dtype, device=h.device)
        for c in range(num_cols):
            on = (attention_mask[:, c] != 0).unsqueeze(1)
            acc = torch.where(on, acc + h[:, c, :], acc)
            cnt = cnt + on.to(h.dtype)
        return self.classifier(acc / torch.clamp(cnt, min=1.0))
