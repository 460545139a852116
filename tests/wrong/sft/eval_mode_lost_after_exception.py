# WRONG sft: the modes are restored after the loop without try/finally, so that an exception in the model leaves it in eval mode
"""
Minimal SFT trainer, in the spirit of minGPT. No frills.
"""
import math
from types import SimpleNamespace

import torch
import torch.nn as nn
from torch.nn import functional as F

IGNORE_INDEX = -100

# -----------------------------------------------------------------------------
# data

def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    x = [*prompt_ids, *response_ids, eos_id]
    n_prompt = len(x) - len(response_ids) - 1
    y = [IGNORE_INDEX if i < n_prompt else t for i, t in enumerate(x)]
    x, y = x[:max(max_length, 0)], y[:max(max_length, 0)]
    if len(x) <= n_prompt:
        raise ValueError(f"nothing to learn: max_length={max_length} but the prompt already takes {n_prompt} tokens "
                         f"(need max_length > {n_prompt})")
    return dict(input_ids=x, labels=y)

def collate(examples, *, pad_id):
    if not examples:
        raise ValueError(f"examples: got {examples!r}, expected a non-empty list")
    b, t = len(examples), max(len(ex['input_ids']) for ex in examples)
    ids = torch.full((b, t), pad_id, dtype=torch.long)
    att = torch.zeros((b, t), dtype=torch.long)
    lab = torch.full((b, t), IGNORE_INDEX, dtype=torch.long)
    for i, ex in enumerate(examples):
        n = len(ex['input_ids'])
        ids[i, :n] = torch.tensor(ex['input_ids'], dtype=torch.long)
        lab[i, :n] = torch.tensor(ex['labels'], dtype=torch.long)
        att[i, :n] = 1
    return dict(input_ids=ids, attention_mask=att, labels=lab)

# -----------------------------------------------------------------------------
# loss

def _flat(logits, labels):
    """ line up predictions and targets, keep only the positions that count """
    logits, targets = logits[:, :-1, :], labels[:, 1:]
    keep = targets != IGNORE_INDEX
    return logits[keep], targets[keep] # (N, V), (N,)

def sft_loss(logits, labels):
    lg, tg = _flat(logits, labels)
    if tg.numel() == 0:
        return lg.float().sum() # sum over nothing: 0, but connected to the graph
    return F.cross_entropy(lg.float(), tg)

# -----------------------------------------------------------------------------
# training

def configure_optimizers(model, config):
    params = {n: p for n, p in model.named_parameters() if p.requires_grad}
    decay = [p for p in params.values() if p.dim() != 1]
    nodecay = [p for p in params.values() if p.dim() == 1]
    groups = [
        {'params': decay, 'weight_decay': config.weight_decay},
        {'params': nodecay, 'weight_decay': 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)

def get_lr(it, config):
    # linear warmup, then linear decay to zero
    if it < config.warmup_iters:
        return config.learning_rate * it / config.warmup_iters
    return config.learning_rate * (config.max_iters - it) / (config.max_iters - config.warmup_iters)

def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    n_tokens = [(mb['labels'][:, 1:] != IGNORE_INDEX).sum().item() for mb in micro_batches]
    total = sum(n_tokens)
    if total < 1:
        raise ValueError(f"micro_batches: {len(n_tokens)} given, but not one has a label to learn from")
    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)
    lossf = 0.0
    for mb, n in zip(micro_batches, n_tokens):
        loss = sft_loss(model(mb['input_ids'], mb['attention_mask']), mb['labels'])
        loss = loss * (n / total) # mean over n tokens -> share of the mean over all tokens
        loss.backward()
        lossf += loss.item()
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return lossf

@torch.no_grad()
def evaluate(model, batches):
    was_training = {name: m.training for name, m in model.named_modules()}
    nll, hits, n = 0.0, 0, 0
    model.eval()
    for b in batches:
        lg, tg = _flat(model(b['input_ids'], b['attention_mask']), b['labels'])
        nll += F.cross_entropy(lg.float(), tg, reduction='sum').item()
        hits += (lg.argmax(-1) == tg).sum().item()
        n += tg.numel()
    for name, m in model.named_modules():
        m.training = was_training[name]
    if n == 0:
        raise ValueError("batches: no labels in there, every position is -100 (or there are no batches)")
    return {'loss': nll / n, 'token_accuracy': hits / n, 'tokens': n}

class Trainer:

    def __init__(self, config, model, train_batches, val_batches):
        self.config = config
        self.model = model
        self.train_batches = train_batches
        self.val_batches = val_batches
        self.optimizer = configure_optimizers(model, config)
        self.iter_num = 0
        self.best = float('inf')
        self.checkpoint = None

    def windows(self):
        a = self.config.accumulation
        for i in range(0, len(self.train_batches), a):
            yield self.train_batches[i:i+a]

    def run_epoch(self):
        nll = n = 0
        for window in self.windows():
            lr = get_lr(self.iter_num, self.config)
            for group in self.optimizer.param_groups:
                group['lr'] = lr
            tokens = sum((mb['labels'][:, 1:] != IGNORE_INDEX).sum().item() for mb in window)
            nll += tokens * train_step(self.model, window, self.optimizer, max_grad_norm=self.config.grad_norm_clip)
            n += tokens
            self.iter_num += 1
        return nll / n

    def run(self):
        log = []
        for epoch in range(self.config.epochs):
            train_loss = self.run_epoch()
            val = evaluate(self.model, self.val_batches)
            log.append({'epoch': epoch + 1, 'train_loss': train_loss, 'val_loss': val['loss'],
                        'val_token_accuracy': val['token_accuracy'], 'iter': self.iter_num})
            if self.checkpoint is None or val['loss'] < self.best:
                self.best = val['loss']
                self.checkpoint = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.checkpoint)
        self.model.eval()
        return log

def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    for name, value in (('epochs', epochs), ('accumulation', accumulation)):
        if value < 1:
            raise ValueError(f"{name} is {value}, must be a positive integer")
    if len(train_batches) == 0:
        raise ValueError("train_batches is empty")
    max_iters = epochs * ((len(train_batches) + accumulation - 1) // accumulation)
    config = SimpleNamespace(
        epochs=epochs, learning_rate=lr, weight_decay=weight_decay, accumulation=accumulation,
        grad_norm_clip=max_grad_norm, max_iters=max_iters, warmup_iters=math.ceil(warmup_ratio * max_iters),
    )
    return Trainer(config, model, train_batches, val_batches).run()

# -----------------------------------------------------------------------------
# classification head

class SequenceClassifier(nn.Module):
    """ backbone -> masked mean -> linear """

    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.transformer = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        x = self.transformer(input_ids, attention_mask) # (B, T, D)
        m = (attention_mask == 1)[..., None] # (B, T, 1)
        x = torch.where(m, x, torch.zeros_like(x))
        n = m.sum(dim=1) # (B, 1)
        return self.classifier(x.sum(dim=1) / torch.clamp(n, min=1))
