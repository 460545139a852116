# WRONG preference: the sum of a row starts from a fresh tensor 0, so a batch without a scored position has no graph
import statistics
import torch
import torch.nn as nn
from solutions.lora import LoRALinear


def sequence_logprobs(logits, labels):
    # log softmax over the vocabulary
    if logits.dtype == torch.float16 or logits.dtype == torch.bfloat16:
        logits = logits.float()
    log_probs = torch.log_softmax(logits, dim=2)
    results = []
    for b in range(labels.shape[0]):
        total = torch.tensor(0.0)
        for t in range(labels.shape[1] - 1):
            label = labels[b, t + 1].item()
            if label != -100:
                total = total + log_probs[b, t, label]
        results.append(total)
    return torch.stack(results)


def preference_batch(pairs, *, pad_id):
    if len(pairs) == 0:
        raise ValueError("pairs is an empty list! Please give me at least one pair")
    all_rows = []
    # first all chosen
    for pair in pairs:
        all_rows.append([pair["prompt_ids"], pair["chosen_ids"]])
    # then all rejected
    for pair in pairs:
        all_rows.append([pair["prompt_ids"], pair["rejected_ids"]])
    for pair in pairs:
        if len(pair["chosen_ids"]) == 0:
            raise ValueError("chosen_ids is empty! It must have at least one token")
        if len(pair["rejected_ids"]) == 0:
            raise ValueError("rejected_ids is empty! It must have at least one token")
        if pair["chosen_ids"] == pair["rejected_ids"]:
            raise ValueError("chosen_ids and rejected_ids are the same: " + str(pair["chosen_ids"]) + "! They must not be")
    max_len = 0
    for prompt, answer in all_rows:
        if len(prompt) + len(answer) > max_len:
            max_len = len(prompt) + len(answer)
    input_ids = []
    attention_mask = []
    labels = []
    for prompt, answer in all_rows:
        ids = []
        mask = []
        labs = []
        for token in prompt:
            ids.append(token)
            mask.append(1)
            labs.append(-100)
        for token in answer:
            ids.append(token)
            mask.append(1)
            if len(labs) == 0:
                labs.append(-100)    # nothing comes before it, so it can not be predicted
            else:
                labs.append(token)
        while len(ids) < max_len:
            ids.append(pad_id)
            mask.append(0)
            labs.append(-100)
        input_ids.append(ids)
        attention_mask.append(mask)
        labels.append(labs)
    batch = {}
    batch["input_ids"] = torch.LongTensor(input_ids)
    batch["attention_mask"] = torch.LongTensor(attention_mask)
    batch["labels"] = torch.LongTensor(labels)
    return batch


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if beta <= 0:
        raise ValueError("beta is " + str(beta) + " but it must be bigger than 0")
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError("label_smoothing is " + str(label_smoothing) + " but it must be from 0 to below 0.5")
    reference_chosen = reference_chosen.detach().float()
    reference_rejected = reference_rejected.detach().float()
    policy_chosen = policy_chosen.float()
    policy_rejected = policy_rejected.float()
    chosen_reward = []
    rejected_reward = []
    total = 0
    correct = 0
    n = len(policy_chosen)
    log_sigmoid = nn.LogSigmoid()
    for i in range(n):
        c = policy_chosen[i] - reference_chosen[i]
        r = policy_rejected[i] - reference_rejected[i]
        d = beta * (c - r)
        total = total - (1 - label_smoothing) * log_sigmoid(d) - label_smoothing * log_sigmoid(-d)
        chosen_reward.append((beta * c).detach())
        rejected_reward.append((beta * r).detach())
        if chosen_reward[i] > rejected_reward[i]:
            correct += 1
    return {
        "loss": total / n,
        "chosen_reward": torch.stack(chosen_reward),
        "rejected_reward": torch.stack(rejected_reward),
        "accuracy": correct / n,
    }


def reference_logprobs(model, batch):
    lora_layers = []
    modes = []
    for module in model.modules():
        modes.append([module, module.training])
        if isinstance(module, LoRALinear):
            lora_layers.append(module)
    if len(lora_layers) == 0:
        raise ValueError("model has no LoRALinear inside! Please use inject_lora before")
    old_B = []
    was_merged = []
    for layer in lora_layers:
        was_merged.append(layer.merged)
        layer.unmerge()
        old_B.append(layer.lora_B.data)
        layer.lora_B.data = torch.zeros_like(layer.lora_B.data)
    try:
        model.eval()
        with torch.no_grad():
            logits = model(batch["input_ids"], batch["attention_mask"])
            answer = sequence_logprobs(logits, batch["labels"])
    finally:
        # put everything back
        for i in range(len(lora_layers)):
            lora_layers[i].lora_B.data = old_B[i]
            if was_merged[i]:
                lora_layers[i].merge()
        for module, mode in modes:
            module.training = mode
    return answer


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    if beta <= 0:
        raise ValueError("beta is " + str(beta) + " but it must be bigger than 0")
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError("label_smoothing is " + str(label_smoothing) + " but it must be from 0 to below 0.5")
    found = False
    for module in model.modules():
        if isinstance(module, LoRALinear):
            found = True
            if module.merged:
                raise ValueError("model has a merged LoRALinear! Please unmerge it before training")
    if not found:
        raise ValueError("model has no LoRALinear inside! Please use inject_lora before")

    # compute the reference for every batch
    references = []
    for batch in batches:
        references.append(reference_logprobs(model, batch))

    trainable = []
    for p in model.parameters():
        if p.requires_grad:
            trainable.append(p)
    optimizer = torch.optim.AdamW(trainable, lr=lr, weight_decay=0)
    history = []
    for i in range(len(batches)):
        model.train()
        optimizer.zero_grad()
        batch = batches[i]
        logits = model(batch["input_ids"], batch["attention_mask"])
        logprobs = sequence_logprobs(logits, batch["labels"])
        B = len(logprobs) // 2
        out = dpo_loss(logprobs[0:B], logprobs[B:2 * B], references[i][0:B], references[i][B:2 * B],
                       beta=beta, label_smoothing=label_smoothing)
        loss = out["loss"]
        loss.backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)
        optimizer.step()
        row = {}
        row["loss"] = loss.item()
        row["accuracy"] = out["accuracy"]
        row["margin"] = (out["chosen_reward"] - out["rejected_reward"]).mean().item()
        row["chosen_logprob"] = logprobs[0:B].mean().item()
        row["rejected_logprob"] = logprobs[B:2 * B].mean().item()
        history.append(row)
    model.eval()
    return history


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if len(rewards.shape) != 2:
        raise ValueError("rewards has " + str(len(rewards.shape)) + " dimensions but it must have 2")
    if rewards.shape[1] < 2:
        raise ValueError("rewards has groups of " + str(rewards.shape[1]) + " but they must be 2 or bigger")
    result = []
    for group in rewards.tolist():
        group = [float(x) for x in group]
        mean = statistics.mean(group)
        std = statistics.pstdev(group)
        new_group = []
        for x in group:
            a = x - mean
            if scale and a != 0:
                a = a / (std + epsilon)
            new_group.append(a)
        result.append(new_group)
    return torch.tensor(result, dtype=torch.float32)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per != "token" and per != "sequence" and per != "constant":
        raise ValueError("per is " + str(per) + " but it must be token, sequence or constant")
    if not (clip > 0 and clip < 1):
        raise ValueError("clip is " + str(clip) + " but it must be between 0 and 1")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs is None but with kl_coef > 0 it must be a tensor")
    logprobs = logprobs.float()
    old_logprobs = old_logprobs.detach().float()
    advantages = advantages.detach().float()
    N, T = logprobs.shape
    zero = logprobs.sum() * 0.0
    row_sums = []
    row_counts = []
    for n in range(N):
        s = zero
        count = 0
        for t in range(T):
            if mask[n, t] != 0:
                ratio = torch.exp(logprobs[n, t] - old_logprobs[n, t])
                clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
                loss = -torch.min(ratio * advantages[n], clipped * advantages[n])
                if kl_coef > 0:
                    r = reference_logprobs[n, t].detach().float() - logprobs[n, t]
                    loss = loss + kl_coef * (torch.exp(r) - r - 1)
                s = s + loss
                count = count + 1
        row_sums.append(s)
        row_counts.append(count)
    if per == "token":
        if sum(row_counts) == 0:
            return zero
        return sum(row_sums) / sum(row_counts)
    if per == "sequence":
        total = zero
        rows = 0
        for s, count in zip(row_sums, row_counts):
            if count > 0:
                total = total + s / count
                rows = rows + 1
        if rows == 0:
            return zero
        return total / rows
    if N * T == 0:
        return zero
    return sum(row_sums) / (N * T)
