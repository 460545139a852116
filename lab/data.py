"""From texts and questions to batches of tensors."""

import torch

from lab.tokenizer import END_OF_TEXT, Tokenizer
from lab.world import Question

IGNORE_INDEX = -100  # a label that the loss leaves out, as in PyTorch and Hugging Face


def pad(rows: list[list[int]], value: int, *, left: bool = False) -> torch.Tensor:
    """Rows of unequal length -> one (B, T) long tensor, filled up with `value`."""
    width = max(len(row) for row in rows)
    fill = [[value] * (width - len(row)) for row in rows]
    return torch.tensor([f + row if left else row + f for row, f in zip(rows, fill)], dtype=torch.long)


def batch_of(inputs: list[list[int]], labels: list[list[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask and labels, each (B, T) long, padded on the right."""
    return {
        "input_ids": pad(inputs, pad_id),
        "attention_mask": pad([[1] * len(row) for row in inputs], 0),
        "labels": pad(labels, IGNORE_INDEX),
    }


def text_batch(tokenizer: Tokenizer, texts: list[str]) -> dict[str, torch.Tensor]:
    """Plain texts, as in pretraining: every token is a target, the end of the text too."""
    rows = [tokenizer.encode(text + END_OF_TEXT) for text in texts]
    return batch_of(rows, rows, tokenizer.pad_id)


def echo(tokenizer: Tokenizer, text: str) -> str:
    """A chat in which the assistant repeats what the user says."""
    return tokenizer.chat([{"role": "user", "content": text}, {"role": "assistant", "content": text}])


def prompt_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """The question in chat form, up to the point where the assistant begins to speak."""
    messages = [{"role": "user", "content": question.prompt}]
    return tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))


def answer_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """What the assistant should say after the prompt: the answer and the end of the turn."""
    messages = [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": question.answer}]
    return tokenizer.encode(tokenizer.chat(messages))[len(prompt_ids(tokenizer, question)) :]


def chat_batch(tokenizer: Tokenizer, questions: list[Question]) -> dict[str, torch.Tensor]:
    """Questions with their answers, as in instruction tuning.

    The prompt is read, but only the answer and its end-of-turn token are targets.
    """
    inputs, labels = [], []
    for question in questions:
        prompt = prompt_ids(tokenizer, question)
        answer = answer_ids(tokenizer, question)
        inputs.append(prompt + answer)
        labels.append([IGNORE_INDEX] * len(prompt) + answer)
    return batch_of(inputs, labels, tokenizer.pad_id)


def batches(items: list, size: int, *, seed: int | None = None) -> list[list]:
    """Slices of `size` items, shuffled first if there is a seed. The last slice may be short."""
    if seed is not None:
        order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
        items = [items[i] for i in order.tolist()]
    return [items[start : start + size] for start in range(0, len(items), size)]
