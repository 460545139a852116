"""From texts and questions to batches of tensors."""

import torch

from lab import chats
from lab.chats import IGNORE_INDEX
from lab.tokenizer import Tokenizer
from lab.world import Question


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
    end = [] if tokenizer.end_of_text_id is None else [tokenizer.end_of_text_id]
    rows = [tokenizer.encode(text) + end for text in texts]
    return batch_of(rows, rows, tokenizer.pad_id)


def echo(tokenizer: Tokenizer, text: str) -> str:
    """A chat in which the assistant repeats what the user says."""
    return tokenizer.chat([{"role": "user", "content": text}, {"role": "assistant", "content": text}])


def prompt_ids(tokenizer: Tokenizer, question: Question | str) -> list[int]:
    """The question in chat form, up to the point where the assistant begins to speak."""
    messages = [{"role": "user", "content": question if isinstance(question, str) else question.prompt}]
    return tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))


def answer_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """What the assistant should say after the prompt: the answer and the end of the turn."""
    _, labels = chats.example(tokenizer, _dialogue(question))
    return [label for label in labels if label != IGNORE_INDEX]


def chat_batch(tokenizer: Tokenizer, questions: list[Question]) -> dict[str, torch.Tensor]:
    """Questions with their answers, as in instruction tuning.

    The prompt is read, but only the answer and its end-of-turn token are targets.
    """
    return dialogue_batch(tokenizer, [_dialogue(question) for question in questions])


def _dialogue(question: Question) -> list[dict]:
    return [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": question.answer}]


def dialogue_batch(tokenizer: Tokenizer, dialogues: list[list[dict]], **variables) -> dict[str, torch.Tensor]:
    """Dialogues with system, tool and several assistant turns. What the assistant says is a target, in each of its turns.

    Args:
        variables: what the chat template knows besides, such as `tools`.

    Raises:
        ValueError: there is no dialogue, or nothing would be learned of one, which is named.
    """
    if not dialogues:
        raise ValueError("A batch needs at least one dialogue.")
    inputs, labels = zip(*(chats.example(tokenizer, messages, **variables) for messages in dialogues))
    return batch_of(list(inputs), list(labels), tokenizer.pad_id)


def batches(items: list, size: int, *, seed: int | None = None) -> list[list]:
    """Slices of `size` items, shuffled first if there is a seed. The last slice may be short."""
    if seed is not None:
        order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
        items = [items[i] for i in order.tolist()]
    return [items[start : start + size] for start in range(0, len(items), size)]
