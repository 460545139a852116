# RIGHT sft: a beginner's nested loops over rows and tokens, evaluation on a deep copy of the model (so its modes never change)
import copy
import math
import torch
import torch.nn as nn

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    input_ids = []
    labels = []
    # first the prompt, we do not learn it
    for token in prompt_ids:
        input_ids.append(token)
        labels.append(IGNORE_INDEX)
    # then the response
    for token in response_ids:
        input_ids.append(token)
        labels.append(token)
    # then the end token
    input_ids.append(eos_id)
    labels.append(eos_id)

    # cut what is too long
    while len(input_ids) > max_length and len(input_ids) > 0:
        input_ids.pop()
        labels.pop()

    # is there something to learn?
    found = False
    for label in labels:
        if label != IGNORE_INDEX:
            found = True
    if found == False:
        raise ValueError("There is no label left! max_length was " + str(max_length) + " and the prompt has "
                         + str(len(prompt_ids)) + " tokens. max_length must be bigger than the prompt.")

    result = {}
    result["input_ids"] = input_ids
    result["labels"] = labels
    return result


def collate(examples, *, pad_id):
    if len(examples) == 0:
        raise ValueError("examples is empty! Please give me at least 1 example.")

    # find the longest
    longest = 0
    for example in examples:
        if len(example["input_ids"]) > longest:
            longest = len(example["input_ids"])

    input_ids = torch.zeros(len(examples), longest, dtype=torch.long)
    attention_mask = torch.zeros(len(examples), longest, dtype=torch.long)
    labels = torch.zeros(len(examples), longest, dtype=torch.long)
    for i in range(len(examples)):
        for j in range(longest):
            if j < len(examples[i]["input_ids"]):
                input_ids[i][j] = examples[i]["input_ids"][j]
                attention_mask[i][j] = 1
                labels[i][j] = examples[i]["labels"][j]
            else:
                input_ids[i][j] = pad_id
                attention_mask[i][j] = 0
                labels[i][j] = IGNORE_INDEX

    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def count_labels(labels):
    count = 0
    for row in labels.tolist():
        for j in range(1, len(row)):   # the first label is never predicted
            if row[j] != IGNORE_INDEX:
                count += 1
    return count


def sum_of_losses(logits, labels):
    logits = logits.float()
    # start with a zero that is connected to the logits
    total = logits[:, :, 0:0].sum()
    batch_size = labels.shape[0]
    length = labels.shape[1]
    label_list = labels.tolist()
    for i in range(batch_size):
        for t in range(length - 1):
            label = label_list[i][t + 1]
            if label == IGNORE_INDEX:
                continue
            log_probs = torch.log_softmax(logits[i, t], dim=0)
            total = total - log_probs[label]
    return total


def sft_loss(logits, labels):
    total = sum_of_losses(logits, labels)
    number = count_labels(labels)
    if number == 0:
        return total
    return total / number


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    # count all the labels first
    number = 0
    for batch in micro_batches:
        number = number + count_labels(batch["labels"])
    if number == 0:
        raise ValueError("micro_batches has no labels! I need at least 1 label that is not -100.")

    model.train()
    optimizer.zero_grad()
    model.zero_grad()

    loss_for_printing = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = sum_of_losses(logits, batch["labels"]) / number
        loss.backward()
        loss_for_printing = loss_for_printing + loss.item()

    if max_grad_norm != None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)

    optimizer.step()
    if scheduler != None:
        scheduler.step()

    return loss_for_printing


def evaluate(model, batches):
    # I use a copy, so that I can not break the real model
    model_copy = copy.deepcopy(model)
    model_copy.eval()

    loss = 0.0
    correct = 0
    number = 0
    with torch.no_grad():
        for batch in batches:
            logits = model_copy(batch["input_ids"], batch["attention_mask"])
            labels = batch["labels"].tolist()
            loss = loss + sum_of_losses(logits, batch["labels"]).item()
            number = number + count_labels(batch["labels"])
            predictions = torch.argmax(logits, dim=2).tolist()
            for i in range(len(labels)):
                for t in range(len(labels[i]) - 1):
                    if labels[i][t + 1] != IGNORE_INDEX:
                        if predictions[i][t] == labels[i][t + 1]:
                            correct = correct + 1

    if number == 0:
        raise ValueError("batches has no labels! I can not compute the loss of 0 labels, give at least 1.")

    return {"loss": loss / number, "token_accuracy": correct / number}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError("epochs is " + str(epochs) + " but it must be 1 or more!")
    if accumulation < 1:
        raise ValueError("accumulation is " + str(accumulation) + " but it must be 1 or more!")
    if len(train_batches) == 0:
        raise ValueError("train_batches is empty!")

    with_decay = []
    without_decay = []
    for param in model.parameters():
        if param.requires_grad == True:
            if len(param.shape) == 1:
                without_decay.append(param)
            else:
                with_decay.append(param)

    optimizer = torch.optim.AdamW([
        {"params": with_decay, "weight_decay": weight_decay},
        {"params": without_decay, "weight_decay": 0.0},
    ], lr=lr)

    # put the batches into windows
    windows = []
    window = []
    for batch in train_batches:
        window.append(batch)
        if len(window) == accumulation:
            windows.append(window)
            window = []
    if len(window) > 0:
        windows.append(window)   # the last one may be short

    steps = len(windows) * epochs
    warmup = math.ceil(warmup_ratio * steps)
    k = 0

    history = []
    best_model = None
    best_loss = None
    for epoch in range(epochs):
        loss_sum = 0.0
        label_sum = 0
        for window in windows:
            if k < warmup:
                new_lr = lr * k / warmup
            else:
                new_lr = lr * (steps - k) / (steps - warmup)
            for group in optimizer.param_groups:
                group["lr"] = new_lr
            loss = train_step(model, window, optimizer, max_grad_norm=max_grad_norm)
            number = 0
            for batch in window:
                number = number + count_labels(batch["labels"])
            loss_sum = loss_sum + loss * number
            label_sum = label_sum + number
            k = k + 1

        result = evaluate(model, val_batches)
        history.append({
            "epoch": epoch + 1,
            "train_loss": loss_sum / label_sum,
            "val_loss": result["loss"],
            "val_token_accuracy": result["token_accuracy"],
        })
        if best_loss == None or result["loss"] < best_loss:
            best_loss = result["loss"]
            best_model = copy.deepcopy(model.state_dict())

    model.load_state_dict(best_model)
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.my_backbone = backbone
        self.hidden_size = hidden_size
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.my_backbone(input_ids, attention_mask)
        means = []
        for i in range(input_ids.shape[0]):
            real = []
            for t in range(input_ids.shape[1]):
                if attention_mask[i, t] == 1:
                    real.append(hidden[i, t])
            if len(real) > 0:
                means.append(sum(real) / len(real))
            else:
                # only padding
                means.append(torch.zeros(self.hidden_size, dtype=hidden.dtype, device=hidden.device))
        return self.classifier(torch.stack(means))
