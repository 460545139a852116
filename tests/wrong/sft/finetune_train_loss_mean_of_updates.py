# WRONG sft: train_loss is the plain mean of the updates' losses, not weighted by their target tokens
"""
---
title: Supervised fine-tuning
summary: >
  Annotated implementation of instruction tuning with masked prompts.
---

# Supervised fine-tuning

We fine-tune a causal language model on pairs of prompt $x$ and response $y$.
Only the tokens of the response (and the end-of-sequence token) contribute to the loss.
"""
import math
from typing import Any, Dict, List, Optional

import torch
import torch.nn as nn

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    """
    ### Encode one example

    $[x_1, \\dots, x_m, y_1, \\dots, y_n, \\text{EOS}]$, labels are $-100$ for $x$.
    """
    # The whole sequence
    sequence = [*prompt_ids, *response_ids, eos_id]
    # Labels start as a copy
    labels = sequence.copy()
    # Mask the prompt
    for i in range(len(prompt_ids)):
        labels[i] = IGNORE_INDEX
    # Cut both at the end
    if max_length < len(sequence):
        sequence = sequence[:max_length] if max_length > 0 else []
        labels = labels[:max_length] if max_length > 0 else []
    # Something has to be left
    if sum(label != IGNORE_INDEX for label in labels) == 0:
        raise ValueError(f"no label left within max_length ({max_length}); prompt_ids takes {len(prompt_ids)}, "
                         f"so max_length has to be {len(prompt_ids) + 1} or more")
    return {'input_ids': sequence, 'labels': labels}


def collate(examples, *, pad_id):
    """
    ### Pad to the right and stack
    """
    if not examples:
        raise ValueError("examples is empty; a list of one or more is needed")
    # Longest sequence $T$
    seq_len = max(len(e['input_ids']) for e in examples)
    # Collect rows
    rows: Dict[str, List[torch.Tensor]] = {'input_ids': [], 'attention_mask': [], 'labels': []}
    for e in examples:
        # Real length and padding
        n, p = len(e['input_ids']), seq_len - len(e['input_ids'])
        rows['input_ids'].append(torch.cat([torch.tensor(e['input_ids'], dtype=torch.long), torch.full((p,), pad_id, dtype=torch.long)]))
        rows['attention_mask'].append(torch.cat([torch.ones(n, dtype=torch.long), torch.zeros(p, dtype=torch.long)]))
        rows['labels'].append(torch.cat([torch.tensor(e['labels'], dtype=torch.long), torch.full((p,), IGNORE_INDEX, dtype=torch.long)]))
    #
    return {k: torch.stack(v) for k, v in rows.items()}


class CrossEntropyLoss(nn.Module):
    """
    ### Next-token loss

    $$\\mathcal{L} = -\\frac{1}{|S|} \\sum_{(b,t) \\in S} \\log p_{b,t}(y_{b,t+1})$$

    Returns the *sum* and $|S|$.
    """

    def __init__(self):
        super().__init__()
        self.loss = nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX, reduction='none')

    def forward(self, outputs: torch.Tensor, labels: torch.Tensor):
        # Position $t$ predicts $t + 1$
        target = labels[:, 1:]
        # $|S|$
        n = (target != IGNORE_INDEX).sum()
        # In float32
        losses = self.loss(outputs[:, :-1].to(torch.float32).reshape(-1, outputs.shape[-1]), target.reshape(-1))
        return losses.sum(), n


class AccuracyMetric:
    """
    ### Token accuracy
    """

    def __call__(self, outputs: torch.Tensor, labels: torch.Tensor) -> int:
        pred, target = outputs[:, :-1].argmax(dim=-1), labels[:, 1:]
        # Ignored labels are never equal to a prediction since $-100 < 0$
        return pred.eq(target).sum().item()


loss_func = CrossEntropyLoss()
accuracy_func = AccuracyMetric()


def sft_loss(logits, labels):
    """
    Mean loss; $0$ if there is no target
    """
    total, n = loss_func(logits, labels)
    return total / torch.clamp(n, min=1)


def n_targets(batch):
    """Number of target tokens $|S|$"""
    return (batch['labels'][:, 1:] != IGNORE_INDEX).sum().item()


def _forward_backward(model: nn.Module, window: List[Dict[str, torch.Tensor]], n: int) -> float:
    """
    Forward and backward passes of a window; gradients add up in `.grad`. Returns the sum of the losses.
    """
    total = 0.
    for batch in window:
        loss, _ = loss_func(model(batch['input_ids'], batch['attention_mask']), batch['labels'])
        # Divide by the tokens of the *whole* window
        (loss / n).backward()
        total += loss.item()
    return total


def _clip(model: nn.Module, max_grad_norm: Optional[float]):
    """Clip the gradients by the total norm"""
    if max_grad_norm is None:
        return
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_grad_norm)


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    """
    ### One update
    """
    n = sum(n_targets(batch) for batch in micro_batches)
    if n == 0:
        raise ValueError("there is no label in micro_batches; at least one label that is not -100 is needed")
    # Train mode
    model.train()
    # Clear the gradients
    model.zero_grad()
    optimizer.zero_grad()
    # Accumulate
    total = _forward_backward(model, micro_batches, n)
    # Clip, update, schedule
    _clip(model, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    #
    return total / n


def evaluate(model, batches):
    """
    ### Validation
    """
    # Every module has its own mode
    modes = {name: module.training for name, module in model.named_modules()}
    loss, correct, n = 0., 0, 0
    try:
        model.eval()
        for batch in batches:
            with torch.set_grad_enabled(False):
                outputs = model(batch['input_ids'], batch['attention_mask'])
                batch_loss, batch_n = loss_func(outputs, batch['labels'])
                loss += batch_loss.item()
                n += batch_n.item()
                correct += accuracy_func(outputs, batch['labels'])
    finally:
        for name, module in model.named_modules():
            module.training = modes[name]
    if n == 0:
        raise ValueError("there is no label in batches; at least one label that is not -100 is needed")
    return {'loss': loss / n, 'token_accuracy': correct / n, 'n_tokens': n}


class Option:
    """
    A config that is computed when it is first asked for
    """

    def __init__(self, func):
        self.func, self.name = func, func.__name__

    def __get__(self, instance, owner):
        if instance is None:
            return self
        value = self.func(instance)
        instance.__dict__[self.name] = value
        return value


class Configs:
    """
    ## Configurations
    """
    epochs: int
    learning_rate: float
    weight_decay: float
    warmup_ratio: float
    accumulation: int
    max_grad_norm: Optional[float]
    model: nn.Module
    train_batches: List[Any]
    val_batches: List[Any]

    def __init__(self, **kwargs):
        for k, v in kwargs.items():
            setattr(self, k, v)

    @Option
    def windows(self):
        return [self.train_batches[i: i + self.accumulation] for i in range(0, len(self.train_batches), self.accumulation)]

    @Option
    def steps(self):
        return len(self.windows) * self.epochs

    @Option
    def warmup(self):
        return math.ceil(self.warmup_ratio * self.steps)

    @Option
    def optimizer(self):
        # AdamW with decay of matrices only
        params = [p for p in self.model.parameters() if p.requires_grad]
        return torch.optim.AdamW([
            {'params': [p for p in params if p.dim() != 1], 'weight_decay': self.weight_decay},
            {'params': [p for p in params if p.dim() == 1], 'weight_decay': 0.},
        ], lr=self.learning_rate)

    def rate(self, k: int):
        """
        $\\eta \\frac{k}{w}$ while $k < w$, then $\\eta \\frac{n - k}{n - w}$
        """
        if k < self.warmup:
            return self.learning_rate * k / self.warmup
        return self.learning_rate * (self.steps - k) / (self.steps - self.warmup)

    def train(self, step: int):
        """
        ### One epoch, beginning with update `step`; returns the loss
        """
        total = 0.
        for k, window in enumerate(self.windows, step):
            n = sum(n_targets(batch) for batch in window)
            if n == 0:
                raise ValueError("train_batches has a window without any label; each needs one at least")
            self.model.train()
            self.model.zero_grad(set_to_none=True)
            total += _forward_backward(self.model, window, n) / n
            _clip(self.model, self.max_grad_norm)
            # Set the learning rate of this very update
            for group in self.optimizer.param_groups:
                group['lr'] = self.rate(k)
            self.optimizer.step()
        return total / len(self.windows)

    def run(self):
        """
        ### Training loop
        """
        history: List[Dict[str, Any]] = []
        checkpoints: Dict[str, torch.Tensor] = {}
        for epoch in range(self.epochs):
            train_loss = self.train(epoch * len(self.windows))
            val = evaluate(self.model, self.val_batches)
            # Save the model if it is better than all before
            if all(val['loss'] < h['val_loss'] for h in history):
                checkpoints = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            history.append({'epoch': epoch + 1, 'train_loss': train_loss,
                            'val_loss': val['loss'], 'val_token_accuracy': val['token_accuracy']})
        # Load the best
        self.model.load_state_dict(checkpoints)
        self.model.eval()
        #
        return history


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    """
    ### Fine-tune
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; 1 or more is needed")
    if accumulation < 1:
        raise ValueError(f"accumulation is {accumulation}; 1 or more is needed")
    if len(train_batches) == 0:
        raise ValueError("train_batches is empty; one or more is needed")
    conf = Configs(model=model, train_batches=train_batches, val_batches=val_batches, epochs=epochs, learning_rate=lr,
                   weight_decay=weight_decay, warmup_ratio=warmup_ratio, accumulation=accumulation, max_grad_norm=max_grad_norm)
    return conf.run()


class MeanPool(nn.Module):
    """
    ### Mean over the real tokens
    """

    def forward(self, h: torch.Tensor, mask: torch.Tensor):
        # Flip the mask: True where there is padding
        pad = mask == 0
        h = h.masked_fill(pad[:, :, None], 0.)
        # Number of real tokens, at least one
        n = (~pad).sum(dim=1)
        n = torch.maximum(n, torch.ones_like(n))
        return h.sum(dim=1) / n[:, None]


class SequenceClassifier(nn.Module):
    """
    ## Classifier
    """

    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.transformer = backbone
        self.mean_pool = MeanPool()
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        h = self.transformer(input_ids, attention_mask)
        return self.classifier(self.mean_pool(h, attention_mask))
