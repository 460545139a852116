"""Pretrain the tiny model on the texts of the invented world: `python -m lab.pretrain`.

It takes about ten minutes on two cores and writes the model, its tokenizer and its card.
"""

import argparse
import copy
import math
import random
import time
from pathlib import Path

import torch

from lab import checkpoint, world
from lab.data import batches, chat_batch, echo, text_batch
from lab.measure import accuracy, next_token_loss, recall, text_loss
from lab.model import CausalLM, Config
from lab.tokenizer import Tokenizer

STEPS, PEAK_LR, WARMUP = 5000, 2e-3, 100
BATCH, CHATS = 44, 8  # texts and chats a step
HELD_OUT = 999_999  # seed of texts that pretraining does not draw
CARD = """# The tiny model

A decoder in the Qwen2 layout with {parameters:,} parameters, pretrained from scratch on short texts about
240 invented people (`lab/world.py`): where each lives, what they work, which pet and which colour they
like. It has also seen chats, but only such in which the assistant repeats what the user says: it knows the
special tokens of the chat template, and it answers no question. It knows nothing else.

Made by `python -m lab.pretrain --seed {seed}`: {steps} steps of {batch} texts and {chats} chats, AdamW, peak
learning rate {lr:g}. It is licensed like the course.

| measured when it was made | |
|---|---|
| minutes of pretraining, two cores | {minutes:.1f} |
| loss on fresh texts about these people | {loss:.3f} nats per token |
| facts completed in the words of the texts | {recall} |
| questions in chat form answered right, as it is | {base:.1%} |
| the same after {sft_steps} steps of instruction tuning on the other half of the people (learning rate {sft_lr:g}) | {tuned:.1%} |
| loss on the texts after that tuning | {forgotten:.3f} nats per token |

The tuned figure is about 120 people whose facts only pretraining has shown.
"""


def pretrain(seed: int, steps: int = STEPS) -> tuple[CausalLM, Tokenizer]:
    """A model trained on fresh texts at each step, with linear warm-up and cosine decay."""
    sample = world.documents(4000, seed=seed) + [f" {q.prompt} {q.answer}" for q in world.questions(world.people())]
    tokenizer = Tokenizer.train(sample, vocab_size=1152)
    torch.manual_seed(seed)
    model = CausalLM(Config(vocab_size=len(tokenizer)))
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]  # norms and biases: not decayed
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_LR, betas=(0.9, 0.98))
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / WARMUP, 0.02 + 0.98 * (1 + math.cos(math.pi * k / steps)) / 2)
    )
    for step in range(steps):
        loss = next_token_loss(model, text_batch(tokenizer, texts_of_step(tokenizer, seed * 1_000_003 + step)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step:5d} of {steps}   loss {loss.item():.3f}", flush=True)
    return model.eval(), tokenizer


def texts_of_step(tokenizer: Tokenizer, seed: int) -> list[str]:
    """Fresh texts about the people, and chats in which the assistant is a parrot.

    Without the chats the special tokens would never be trained, and LoRA, which leaves the embeddings
    frozen, could not tell the end of a turn from the other tokens that the model has never seen.
    """
    rng = random.Random(seed)
    chats = [echo(tokenizer, world.sentence(rng.choice(world.people()), rng)) for _ in range(CHATS)]
    return world.documents(BATCH, seed) + chats


def instruction_tune(model: CausalLM, tokenizer: Tokenizer, *, steps: int, lr: float) -> CausalLM:
    """A copy of the model, fully fine-tuned on the questions of half of the people."""
    tuned = copy.deepcopy(model).train()
    train, _ = world.split()
    optimizer = torch.optim.AdamW(tuned.parameters(), lr=lr, weight_decay=0.0)
    for step, part in enumerate(part for epoch in range(steps) for part in batches(train, 32, seed=epoch)):
        if step == steps:
            break
        optimizer.zero_grad()
        next_token_loss(tuned, chat_batch(tokenizer, part)).backward()
        optimizer.step()
    return tuned.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.pretrain", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=checkpoint.TINY)
    options = parser.parse_args()
    started = time.time()
    model, tokenizer = pretrain(options.seed, options.steps)
    minutes = (time.time() - started) / 60
    checkpoint.save(model, tokenizer, options.out)
    text = card(model, tokenizer, seed=options.seed, steps=options.steps, minutes=minutes)
    (options.out / "README.md").write_text(text, encoding="utf-8")
    print(text)


def card(model: CausalLM, tokenizer: Tokenizer, *, seed: int, steps: int, minutes: float) -> str:
    """The model card, with what the model can do as measured now."""
    sft_steps, sft_lr = 200, 3e-4
    tuned = instruction_tune(model, tokenizer, steps=sft_steps, lr=sft_lr)
    _, test = world.split()
    fresh = world.documents(200, seed=HELD_OUT)
    return CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        seed=seed,
        steps=steps,
        batch=BATCH,
        chats=CHATS,
        lr=PEAK_LR,
        minutes=minutes,
        loss=text_loss(model, tokenizer, fresh),
        recall=", ".join(f"{fact} {share:.1%}" for fact, share in recall(model, tokenizer).items()),
        base=accuracy(model, tokenizer, test),
        sft_steps=sft_steps,
        sft_lr=sft_lr,
        tuned=accuracy(tuned, tokenizer, test),
        forgotten=text_loss(tuned, tokenizer, fresh),
    )


if __name__ == "__main__":
    main()
