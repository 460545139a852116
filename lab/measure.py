"""What a model knows and what it costs: the figures that the notebooks print."""

import sys

import torch
import torch.nn.functional as F

from lab.data import IGNORE_INDEX, batches, chat_batch, pad, prompt_ids, text_batch
from lab.model import generate
from lab.tokenizer import Tokenizer
from lab.world import Question, people


def there(batch: dict[str, torch.Tensor], model) -> dict[str, torch.Tensor]:
    """The batch on the device of the model."""
    device = next(model.parameters()).device
    return {name: tensor.to(device) for name, tensor in batch.items()}


def next_token_loss(model, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy in nats per target token: position t predicts label t + 1. Keeps the graph."""
    batch = there(batch, model)
    logits = model(batch["input_ids"], batch["attention_mask"]).float()
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORE_INDEX)


@torch.no_grad()
def text_loss(model, tokenizer: Tokenizer, texts: list[str]) -> float:
    """Loss on plain texts in nats per token, dropout off: what fine-tuning makes worse is forgotten."""
    was_training = model.training
    model.eval()
    loss = next_token_loss(model, text_batch(tokenizer, texts)).item()
    model.train(was_training)
    return loss


def continuations(
    model, tokenizer: Tokenizer, prompts: list[list[int]], *, max_new_tokens: int = 12
) -> list[list[int]]:
    """Greedy continuations of token-id prompts, up to the end-of-turn token, which is included."""
    found = []
    for part in batches(prompts, 256):
        prompt = {"input_ids": pad(part, tokenizer.pad_id, left=True)}
        prompt["attention_mask"] = pad([[1] * len(row) for row in part], 0, left=True)
        options = {"max_new_tokens": max_new_tokens, "pad_id": tokenizer.pad_id, "eos_id": tokenizer.eos_ids}
        new = (_generate_with_cache if hasattr(model, "generate") else generate)(model, **there(prompt, model), **options)
        for row in new.tolist():
            end = next((place + 1 for place, id in enumerate(row) if id in tokenizer.eos_ids), len(row))
            found.append(row[:end])
    return found


def _generate_with_cache(model, input_ids, attention_mask, *, max_new_tokens: int, eos_id: list[int], pad_id: int) -> torch.Tensor:
    """As `lab.model.generate`, for a model of transformers, whose cache keeps the keys and values of earlier tokens."""
    from transformers import GenerationConfig

    # A config of ours, since that of a checkpoint may sample, or punish repetitions.
    config = GenerationConfig(do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=eos_id or None, pad_token_id=pad_id)
    was_training = model.training
    model.eval()
    new = model.generate(input_ids=input_ids, attention_mask=attention_mask, generation_config=config)
    model.train(was_training)
    return new[:, input_ids.shape[1] :]


def replies(model, tokenizer: Tokenizer, questions: list[str], *, max_new_tokens: int = 12) -> list[str]:
    """What the model says to each question in chat form, greedily."""
    prompts = [prompt_ids(tokenizer, question) for question in questions]
    return [tokenizer.decode(row) for row in continuations(model, tokenizer, prompts, max_new_tokens=max_new_tokens)]


def answers(model, tokenizer: Tokenizer, questions: list[Question]) -> list[str]:
    """What the model says to each question of the world in chat form."""
    return replies(model, tokenizer, [question.prompt for question in questions])


@torch.no_grad()
def accuracy(model, tokenizer: Tokenizer, questions: list[Question]) -> float:
    """Share of questions answered with exactly the right word and then an end of turn. 0 to 1.

    Greedy decoding gives the answer if and only if each of its tokens is the most probable one after those before it.
    So one pass over the questions with their answers tells the same as generating, in a fraction of the time.
    """
    if not questions:
        raise ValueError("There are no questions, so there is no share of right answers.")
    was_training = model.training
    model.eval()
    right = 0
    for part in batches(questions, 120):
        batch = there(chat_batch(tokenizer, part), model)
        said = model(batch["input_ids"], batch["attention_mask"])[:, :-1].argmax(dim=-1)
        labels = batch["labels"][:, 1:]
        right += ((said == labels) | (labels == IGNORE_INDEX)).all(dim=1).sum().item()
    model.train(was_training)
    return right / len(questions)


def saved_bytes(model, batch: dict[str, torch.Tensor]) -> int:
    """Bytes of the activations that autograd keeps for the backward pass of one batch.

    Each storage is counted once. Parameters are left out: they are there anyway.
    """
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept = {}

    def pack(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # the tensor itself may hold the graph that now holds it, and neither would ever be freed

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = next_token_loss(model, batch)  # alive until the end, so that no address is used twice
    del loss
    return sum(kept.values())


def peak_memory() -> int:
    """The most bytes that this process has held at once."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# One phrasing of each fact whose value comes last: cut before it, it asks the base model.
OPENINGS = {
    "city": "{name} lives in",
    "trade": "{name} works as a",
    "pet": "{name} has a",
    "colour": "The favourite colour of {name} is",
}


def recall(model, tokenizer: Tokenizer) -> dict[str, float]:
    """Share of facts that the model completes rightly in the words of the pretraining text. 0 to 1."""
    inhabitants = people()
    shares = {}
    for fact, opening in OPENINGS.items():
        prompts = [tokenizer.encode(opening.format(name=person.name)) for person in inhabitants]
        said = [tokenizer.decode(row) for row in continuations(model, tokenizer, prompts, max_new_tokens=3)]
        right = [text.split(".")[0].strip() == getattr(p, fact) for text, p in zip(said, inhabitants)]
        shares[fact] = sum(right) / len(right)
    return shares
