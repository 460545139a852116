# RIGHT sft: fastai flavour, a Learner with callbacks and @patch, everything done through events
import functools, inspect, math
import torch, torch.nn as nn, torch.nn.functional as F

IGNORE_INDEX = -100

# %% ../nbs/00_core.ipynb
def patch(f):
    "Decorator: add `f` to the class its first parameter is annotated with"
    cls = next(iter(inspect.signature(f).parameters.values())).annotation
    setattr(cls, f.__name__, f)
    return f

def store(self, **kw):
    for k, v in kw.items(): setattr(self, k, v)

# %% ../nbs/01_data.ipynb
def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    "Prompt + response + EOS, learn only on the last two"
    xs = ([(t, IGNORE_INDEX) for t in prompt_ids] + [(t, t) for t in response_ids] + [(eos_id, eos_id)])
    xs = xs[:max_length] if max_length > 0 else []
    if not any(y != IGNORE_INDEX for _, y in xs):
        raise ValueError(f"`max_length` is {max_length}: the prompt of {len(prompt_ids)} tokens fills it, no label survives")
    return dict(input_ids=[x for x, _ in xs], labels=[y for _, y in xs])

def _pad(seqs, val): return nn.utils.rnn.pad_sequence([torch.as_tensor(s, dtype=torch.long) for s in seqs], batch_first=True, padding_value=val)

def collate(examples, *, pad_id):
    "List of dicts -> dict of tensors"
    if not len(examples): raise ValueError("`examples` is empty, give at least one")
    return dict(input_ids=_pad([e['input_ids'] for e in examples], pad_id),
                attention_mask=_pad([[1]*len(e['input_ids']) for e in examples], 0),
                labels=_pad([e['labels'] for e in examples], IGNORE_INDEX))

# %% ../nbs/02_loss.ipynb
class SFTLoss(nn.Module):
    "Flattened, shifted cross entropy"
    def __init__(self, reduction='mean'): super().__init__(); self.reduction = reduction
    def targets(self, y): return y[:, 1:].flatten()
    def n(self, y): return (self.targets(y) != IGNORE_INDEX).sum().item()
    def forward(self, out, y):
        s = F.cross_entropy(out[:, :-1].flatten(0, 1).float(), self.targets(y), ignore_index=IGNORE_INDEX, reduction='sum')
        return s if self.reduction == 'sum' else s / max(self.n(y), 1)

def sft_loss(logits, labels): return SFTLoss()(logits, labels)

# %% ../nbs/03_learner.ipynb
class Callback:
    order = 0
    learn = None
    def __call__(self, event): getattr(self, event, lambda: None)()

class Learner:
    def __init__(self, model, opt=None, cbs=()):
        self.model, self.opt, self.cbs, self.loss_func = model, opt, [], SFTLoss('sum')
        for cb in cbs: self.add_cb(cb)

@patch
def add_cb(self: Learner, cb):
    cb.learn = self; self.cbs.append(cb); return self

@patch
def __call__(self: Learner, event):
    for cb in sorted(self.cbs, key=lambda c: c.order): cb(event)

@patch
def one_batch(self: Learner, b, denom=None):
    self.xb, self.yb = (b['input_ids'], b['attention_mask']), b['labels']
    self.pred = self.model(*self.xb)
    self.loss = self.loss_func(self.pred, self.yb)
    self('after_loss')
    if denom is not None: (self.loss / denom).backward()

@patch
def one_update(self: Learner, window):
    self.window = list(window)
    self.n_tok = sum(self.loss_func.n(b['labels']) for b in self.window)
    if self.n_tok == 0: raise ValueError(f"`micro_batches`: {len(self.window)} of them and not one label, need at least one")
    self.model.train()
    self.model.zero_grad(); self.opt.zero_grad()
    self.win_loss = 0.
    for b in self.window:
        self.one_batch(b, self.n_tok)
        self.win_loss += self.loss.item()
    self('before_step'); self.opt.step(); self('after_step')
    return self.win_loss / self.n_tok

@patch
def validate(self: Learner, dl):
    modes = {m: m.training for m in self.model.modules()}
    self('before_validate')
    try:
        self.model.eval()
        with torch.no_grad():
            for b in dl: self.one_batch(b)
    finally:
        for m, t in modes.items(): m.training = t
    self('after_validate')

@patch
def fit(self: Learner, n_epoch, windows, val):
    self.n_epoch = n_epoch
    self('before_fit')
    for self.epoch in range(n_epoch):
        self('before_epoch')
        for w in windows: self.one_update(w)
        self.validate(val)
        self('after_epoch')
    self('after_fit')

# %% ../nbs/04_callbacks.ipynb
class GradientClip(Callback):
    def __init__(self, max_norm): self.max_norm = max_norm
    def before_step(self):
        if self.max_norm is not None: nn.utils.clip_grad_norm_(self.learn.model.parameters(), self.max_norm)

class StepSched(Callback):
    def __init__(self, sched): self.sched = sched
    def after_step(self):
        if self.sched is not None: self.sched.step()

class ValidMetrics(Callback):
    on = False
    def before_validate(self): self.on, self.tot, self.hit, self.cnt = True, 0., 0, 0
    def after_loss(self):
        if not self.on: return
        l = self.learn
        y = l.yb[:, 1:]; m = y != IGNORE_INDEX
        self.tot += l.loss.item(); self.cnt += m.sum().item()
        self.hit += (l.pred[:, :-1].argmax(-1)[m] == y[m]).sum().item()
    def after_validate(self):
        self.on = False
        if self.cnt == 0: raise ValueError("`batches` has no label at all, so there is nothing to average")
        self.value = dict(loss=self.tot / self.cnt, token_accuracy=self.hit / self.cnt)

class Recorder(Callback):
    order = 10
    def __init__(self, metrics): self.metrics, self.values = metrics, []
    def before_epoch(self): self.s, self.n = 0., 0
    def after_step(self): self.s += self.learn.win_loss; self.n += self.learn.n_tok
    def after_epoch(self):
        v = self.metrics.value
        self.values.append(dict(epoch=self.learn.epoch + 1, train_loss=self.s / self.n, val_loss=v['loss'],
                                val_token_accuracy=v['token_accuracy']))

class SaveBest(Callback):
    order = 20
    def __init__(self, rec): self.rec, self.best, self.sd = rec, None, None
    def after_epoch(self):
        v = self.rec.values[-1]['val_loss']
        if self.best is None or v < self.best:
            self.best = v
            self.sd = {k: t.detach().clone() for k, t in self.learn.model.state_dict().items()}
    def after_fit(self):
        self.learn.model.load_state_dict(self.sd); self.learn.model.eval()

# %% ../nbs/05_api.ipynb
def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    return Learner(model, optimizer, [GradientClip(max_grad_norm), StepSched(scheduler)]).one_update(micro_batches)

def evaluate(model, batches):
    vm = ValidMetrics()
    Learner(model, cbs=[vm]).validate(batches)
    return vm.value

def sched_lin(pos, n, warm): return pos / warm if pos < warm else (n - pos) / (n - warm) if n > pos else 0.

def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    if epochs < 1: raise ValueError(f"`epochs` = {epochs}, allowed: 1, 2, ...")
    if accumulation < 1: raise ValueError(f"`accumulation` = {accumulation}, allowed: 1, 2, ...")
    if not len(train_batches): raise ValueError("`train_batches` is empty")
    windows = [train_batches[i:i+accumulation] for i in range(0, len(train_batches), accumulation)]
    n = len(windows) * epochs
    ps = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW([dict(params=[p for p in ps if p.dim() != 1]), dict(params=[p for p in ps if p.dim() == 1], weight_decay=0.)],
                            lr=lr, weight_decay=weight_decay)
    sched = torch.optim.lr_scheduler.LambdaLR(opt, functools.partial(sched_lin, n=n, warm=math.ceil(warmup_ratio * n)))
    vm = ValidMetrics(); rec = Recorder(vm)
    Learner(model, opt, [GradientClip(max_grad_norm), StepSched(sched), vm, rec, SaveBest(rec)]).fit(epochs, windows, val_batches)
    return rec.values

# %% ../nbs/06_classifier.ipynb
class MaskedMean(nn.Module):
    def forward(self, h, mask):
        m = mask.to(torch.bool)[:, :, None]
        return h.where(m, h.new_zeros(())).sum(1).div(m.sum(1).clamp(min=1))

class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        store(self, body=backbone, pool=MaskedMean(), classifier=nn.Linear(hidden_size, num_classes))
    def forward(self, input_ids, attention_mask): return self.classifier(self.pool(self.body(input_ids, attention_mask), attention_mask))
