"""The invented world is fixed, and its halves are clean."""

import random

from lab import data, world


def test_the_world_is_the_same_every_time():
    assert world.people() == world.people.__wrapped__()
    assert world.documents(5, seed=3) == world.documents(5, seed=3) != world.documents(5, seed=4)


def test_the_halves_share_no_person():
    train, test = world.split()
    assert not {question.name for question in train} & {question.name for question in test}
    assert len(train) == len(test) == 480


def test_strangers_are_unknown():
    assert not {person.name for person in world.strangers()} & {person.name for person in world.people()}


def test_a_document_tells_every_fact_once():
    person = world.people()[0]
    text = world.document(person, random.Random(0)).lower()
    assert all(getattr(person, fact).lower() in text for fact in world.FACTS)
    assert text.count(".") == len(world.FACTS)


def test_only_the_answer_and_its_end_are_targets(tiny):
    _, tokenizer = tiny
    question = world.split()[0][0]
    batch = data.chat_batch(tokenizer, [question])
    targets = [label for label in batch["labels"][0].tolist() if label != data.IGNORE_INDEX]
    assert targets == [*tokenizer.encode(f" {question.answer}"), tokenizer.eos_id]
    assert batch["input_ids"][0].tolist()[-len(targets) :] == targets


def test_batches_hold_every_item_once():
    parts = data.batches(list(range(10)), 4, seed=1)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sorted(sum(parts, [])) == list(range(10)) != sum(parts, [])
