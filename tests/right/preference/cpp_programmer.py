# RIGHT preference: a C++ programmer's RAII guards, structs and index arithmetic; packed (ragged) token lists
import torch
from torch import nn
import torch.nn.functional as F

from solutions.lora import LoRALinear

kIgnore = -100


class Guard:
    """Base of the RAII guards: acquire() in the constructor of the scope, release() at its end, whatever happens."""

    def acquire(self):
        raise NotImplementedError

    def release(self):
        raise NotImplementedError

    def __enter__(self):
        try:
            self.acquire()
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.release()
        return False


class ModeGuard(Guard):
    def __init__(self, model):
        self.mods = list(model.modules())
        self.flags = bytearray(int(m.training) for m in self.mods)

    def acquire(self):
        for m in self.mods:
            m.training = False

    def release(self):
        for i in range(len(self.mods)):
            self.mods[i].training = bool(self.flags[i])


class MergeGuard(Guard):
    def __init__(self, layers):
        self.layers = layers
        self.undone = []

    def acquire(self):
        for l in self.layers:
            if l.merged:
                l.unmerge()
                self.undone.append(l)

    def release(self):
        while self.undone:
            self.undone.pop().merge()


class AdapterGuard(Guard):
    """Puts the data pointers of lora_B onto zeros and puts them back."""

    def __init__(self, layers):
        self.layers = layers
        self.saved = []

    def acquire(self):
        for l in self.layers:
            self.saved.append((l.lora_B, l.lora_B.data))
            l.lora_B.data = torch.zeros_like(l.lora_B.data)

    def release(self):
        while self.saved:
            tensor, data = self.saved.pop()
            tensor.data = data


class NoGradGuard(Guard):
    def acquire(self):
        self.previous = torch.is_grad_enabled()
        torch.set_grad_enabled(False)

    def release(self):
        torch.set_grad_enabled(self.previous)


def collectLayers(model):
    out = []
    for m in model.modules():
        if isinstance(m, LoRALinear):
            out.append(m)
    if len(out) == 0:
        raise ValueError("model: number of LoRALinear is 0, expected >= 1")
    return out


def toFloat(t):
    if t.dtype == torch.float64:
        return t
    return t.to(torch.float32)


def sequence_logprobs(logits, labels):
    B, T, V = logits.shape
    flat = toFloat(logits).reshape(B * T, V)
    # index list of (source position, target)
    y = labels.clone()
    y[:, 0] = kIgnore
    target = y.reshape(B * T)
    dst = torch.nonzero(target != kIgnore).squeeze(1)  # position of the label
    src = dst - 1                                      # position that predicts it, same row because column > 0
    nll = F.cross_entropy(flat.index_select(0, src), target.index_select(0, dst), reduction="none")
    row = torch.div(dst, T, rounding_mode="floor")
    out = torch.zeros(B, dtype=flat.dtype, device=flat.device)
    return out.scatter_add(0, row, -nll)


def preference_batch(pairs, *, pad_id):
    nPairs = len(pairs)
    if nPairs == 0:
        raise ValueError("pairs: size is 0, expected >= 1")
    width = 0
    for i in range(nPairs):
        p = pairs[i]
        for key in ("chosen_ids", "rejected_ids"):
            n = len(p[key])
            if n == 0:
                raise ValueError("pairs[%d].%s: size is 0, expected >= 1" % (i, key))
            if len(p["prompt_ids"]) + n > width:
                width = len(p["prompt_ids"]) + n
        a = p["chosen_ids"]
        b = p["rejected_ids"]
        if len(a) == len(b):
            equal = True
            for j in range(len(a)):
                if a[j] != b[j]:
                    equal = False
                    break
            if equal:
                raise ValueError("pairs[%d]: chosen_ids and rejected_ids are both %s, expected two answers" % (i, a))
    n = 2 * nPairs * width
    ids = [pad_id] * n
    mask = [0] * n
    labels = [kIgnore] * n
    for r in range(2 * nPairs):
        p = pairs[r % nPairs]
        answer = p["chosen_ids"] if r < nPairs else p["rejected_ids"]
        k = r * width
        for token in p["prompt_ids"]:
            ids[k] = token
            mask[k] = 1
            k += 1
        for token in answer:
            ids[k] = token
            mask[k] = 1
            labels[k] = token
            k += 1
    shape = (2 * nPairs, width)
    return {
        "input_ids": torch.tensor(ids, dtype=torch.int64).view(shape),
        "attention_mask": torch.tensor(mask, dtype=torch.int64).view(shape),
        "labels": torch.tensor(labels, dtype=torch.int64).view(shape),
    }


def checkDpo(beta, label_smoothing):
    if not (beta > 0):
        raise ValueError("beta: value is %s, expected > 0" % beta)
    if not (label_smoothing >= 0 and label_smoothing < 0.5):
        raise ValueError("label_smoothing: value is %s, expected 0 <= x < 0.5" % label_smoothing)


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    checkDpo(beta, label_smoothing)
    pc = toFloat(policy_chosen)
    pr = toFloat(policy_rejected)
    rc = toFloat(reference_chosen).detach()
    rr = toFloat(reference_rejected).detach()
    d = beta * ((pc - rc) - (pr - rr))
    ls = F.logsigmoid(torch.cat((d, -d)))
    n = d.numel()
    loss = -((1 - label_smoothing) * ls[:n].sum() + label_smoothing * ls[n:].sum()) / n
    cw = (beta * (pc.detach() - rc))
    rw = (beta * (pr.detach() - rr))
    hits = 0
    for i in range(n):
        if cw[i].item() > rw[i].item():
            hits += 1
    return {"loss": loss, "chosen_reward": cw, "rejected_reward": rw, "accuracy": hits / n}


def reference_logprobs(model, batch):
    layers = collectLayers(model)
    with NoGradGuard(), ModeGuard(model), MergeGuard(layers), AdapterGuard(layers):
        logits = model(batch["input_ids"], batch["attention_mask"])
        return sequence_logprobs(logits, batch["labels"])


class UpdateStats:
    __slots__ = ("loss", "accuracy", "margin", "chosen_logprob", "rejected_logprob")

    def toDict(self):
        return {name: float(getattr(self, name)) for name in self.__slots__}


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    checkDpo(beta, label_smoothing)
    layers = collectLayers(model)
    for l in layers:
        if l.merged:
            raise ValueError("model: a LoRALinear has merged == true, expected false for all of them")
    nBatches = len(batches)
    refs = [None] * nBatches
    for i in range(nBatches):
        refs[i] = reference_logprobs(model, batches[i])
    out = []
    if nBatches > 0:
        trainable = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
        model.train()
        for i in range(nBatches):
            optimizer.zero_grad(set_to_none=True)
            lp = sequence_logprobs(model(batches[i]["input_ids"], batches[i]["attention_mask"]), batches[i]["labels"])
            n = lp.shape[0] // 2
            res = dpo_loss(lp[:n], lp[n:], refs[i][:n], refs[i][n:], beta=beta, label_smoothing=label_smoothing)
            res["loss"].backward()
            if max_grad_norm is not None:
                nn.utils.clip_grad_norm_(trainable, max_grad_norm)
            optimizer.step()
            stats = UpdateStats()
            stats.loss = res["loss"].item()
            stats.accuracy = res["accuracy"]
            stats.margin = res["chosen_reward"].mean().item() - res["rejected_reward"].mean().item()
            stats.chosen_logprob = lp[:n].detach().mean()
            stats.rejected_logprob = lp[n:].detach().mean()
            out.append(stats.toDict())
    model.eval()
    return out


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2:
        raise ValueError("rewards: dim() is %d, expected 2" % rewards.dim())
    P, G = rewards.shape
    if G < 2:
        raise ValueError("rewards: size(1) is %d, expected >= 2" % G)
    out = torch.zeros(P, G, dtype=torch.float32)
    for i in range(P):
        r = [float(x) for x in rewards[i].tolist()]
        # Welford
        mean = 0.0
        m2 = 0.0
        for k in range(G):
            delta = r[k] - mean
            mean += delta / (k + 1)
            m2 += delta * (r[k] - mean)
        if m2 == 0.0:
            continue
        std = (m2 / G) ** 0.5
        for k in range(G):
            out[i, k] = (r[k] - mean) / (std + epsilon) if scale else r[k] - mean
    return out


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per != "token" and per != "sequence" and per != "constant":
        raise ValueError("per: value is %r, expected token | sequence | constant" % (per,))
    if not (clip > 0 and clip < 1):
        raise ValueError("clip: value is %s, expected 0 < clip < 1" % clip)
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs: value is None, expected a tensor because kl_coef is %s" % kl_coef)
    N, T = logprobs.shape
    flatMask = mask.reshape(N * T) != 0
    idx = torch.nonzero(flatMask).squeeze(1)
    row = torch.div(idx, max(T, 1), rounding_mode="floor")
    lp = toFloat(logprobs).reshape(N * T).index_select(0, idx)
    old = toFloat(old_logprobs.detach()).reshape(N * T).index_select(0, idx)
    A = toFloat(advantages.detach()).index_select(0, row)
    ratio = torch.exp(lp - old)
    loss = -torch.min(ratio * A, torch.clamp(ratio, 1 - clip, 1 + clip) * A)
    if kl_coef > 0:
        r = toFloat(reference_logprobs.detach()).reshape(N * T).index_select(0, idx) - lp
        loss = loss + kl_coef * (torch.exp(r) - r - 1)
    count = idx.numel()
    if per == "token":
        return loss.sum() / (count if count > 0 else 1)
    if per == "constant":
        return loss.sum() / (N * T if N * T > 0 else 1)
    perRow = torch.zeros(N, dtype=torch.long).scatter_add(0, row, torch.ones_like(row))
    sums = torch.zeros(N, dtype=loss.dtype).scatter_add(0, row, loss)
    nRows = int((perRow > 0).sum())
    return (sums / perRow.clamp(min=1)).sum() / (nRows if nRows > 0 else 1)
