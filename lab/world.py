"""The invented world that the tiny model knows: 240 people, four facts about each.

Everything follows from the lists below and a seed, so what the model can know is known exactly.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

FIRST_NAMES = """Ada Amir Anouk Basil Bela Bruno Cato Chiara Dalia Dmitri Edda Emil Esme Farid Femi
Gita Hanna Hugo Ines Ivo Jana Jonas Kaya Kofi Lena Liang Luca Maren Mateo Mina Nadia Nils Noor Olga
Omar Otis Petra Priya Quinn Rafael Rosa Rui Sana Selma Stellan Tariq Tessa Tove Uma Viggo Vera Wanda
Wei Xenia Yara Yusuf Zara Zeno Zora Ilse""".split()
LAST_NAMES = """Abbott Acosta Adler Bauer Becker Bianchi Castro Cohen Costa Dahl Duarte Egger Falk
Farkas Fischer Garcia Gupta Haas Haddad Hansen Ito Ivanov Jansen Kaplan Keller Khan Kimura Kovacs
Larsen Lehmann Lopez Marino Mendes Meyer Moreau Mori Nagy Novak Okafor Olsen Ortiz Patel Petrov Popov
Quist Ramos Ricci Rossi Sato Schmidt Silva Singh Sousa Tanaka Torres Varga Vogel Weber Yilmaz
Zeller""".split()

FACTS = {
    "city": """Athens Bergen Boston Cairo Dakar Delhi Dublin Geneva Hanoi Havana Kyoto Lagos Lima Lisbon
        London Madrid Nairobi Oslo Paris Porto Prague Quito Seoul Vienna""".split(),
    "trade": """baker barber botanist builder carpenter chemist dancer dentist farmer gardener jeweller
        judge lawyer librarian mason midwife nurse painter pilot plumber potter sailor tailor
        weaver""".split(),
    "pet": "canary cat dog ferret frog goat hamster horse lizard parrot pony rabbit snail snake spider turtle".split(),
    "colour": "amber black blue brown gold green grey orange pink purple red silver white yellow "
    "crimson turquoise".split(),
}

# How the world tells a fact. The last word before the full stop is the value in some phrasings
# only: a model that has read all of them knows the fact, not a sentence.
TELLINGS = {
    "city": [
        "{name} lives in {city}.",
        "The home of {name} is in {city}.",
        "{city} is where {name} lives.",
        "In {city} you will find the house of {name}.",
        "{name} rents a small flat in {city}.",
    ],
    "trade": [
        "{name} works as a {trade}.",
        "The trade of {name} is that of a {trade}.",
        "By trade, {name} is a {trade}.",
        "A {trade} by the name of {name} works here.",
        "{name} earns a living as a {trade}.",
    ],
    "pet": [
        "{name} has a {pet}.",
        "The pet of {name} is a {pet}.",
        "At home, {name} keeps a {pet}.",
        "A {pet} is the pet that {name} keeps.",
        "{name} feeds a {pet} every day.",
    ],
    "colour": [
        "{name} likes {colour} best.",
        "The favourite colour of {name} is {colour}.",
        "{colour} is the colour that {name} likes.",
        "Everything that {name} owns is {colour}.",
        "{name} wears {colour} every day.",
    ],
}

QUESTIONS = {
    "city": "Where does {name} live?",
    "trade": "What is the trade of {name}?",
    "pet": "Which pet does {name} have?",
    "colour": "Which colour does {name} like best?",
}


@dataclass(frozen=True)
class Person:
    """One invented person."""

    name: str
    city: str
    trade: str
    pet: str
    colour: str


@dataclass(frozen=True)
class Question:
    """A question about one fact of one person, and the answer."""

    prompt: str
    answer: str
    fact: str
    name: str


@cache
def people(count: int = 240, seed: int = 0) -> tuple[Person, ...]:
    """The inhabitants, in a fixed random order. No two share a full name.

    Another seed gives strangers: other names and other facts.
    """
    rng = random.Random(seed)
    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    return tuple(
        Person(name, **{fact: rng.choice(values) for fact, values in FACTS.items()})
        for name in rng.sample(names, count)
    )


def strangers(count: int = 120, seed: int = 1) -> list[Person]:
    """People of the same kind whom the pretraining text never mentions."""
    known = {person.name for person in people()}
    return [person for person in people(count + len(known), seed) if person.name not in known][:count]


def document(person: Person, rng: random.Random) -> str:
    """A short text on one person: the four facts in random order, each in a random phrasing."""
    facts = rng.sample(list(FACTS), len(FACTS))
    sentences = [rng.choice(TELLINGS[fact]).format(**vars(person)) for fact in facts]
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def documents(count: int, seed: int, who: Sequence[Person] | None = None) -> list[str]:
    """`count` texts on people drawn at random: the pretraining text, or fresh text like it."""
    rng = random.Random(seed)
    who = people() if who is None else who
    return [document(rng.choice(who), rng) for _ in range(count)]


def sentence(person: Person, rng: random.Random) -> str:
    """One fact about a person in a random phrasing."""
    text = rng.choice(TELLINGS[rng.choice(list(FACTS))]).format(**vars(person))
    return text[0].upper() + text[1:]


def labelled_sentences(who: Sequence[Person], phrasings: Sequence[int], count: int, seed: int) -> list[tuple[str, int]]:
    """Texts for a classifier: sentences on one fact each, with the place of the fact in FACTS as the class.

    Args:
        phrasings: which of the TELLINGS of each fact to use.
    """
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        person, topic = rng.choice(who), rng.randrange(len(FACTS))
        telling = TELLINGS[list(FACTS)[topic]][rng.choice(phrasings)]
        text = telling.format(**vars(person))
        rows.append((text[0].upper() + text[1:], topic))
    return rows


def questions(who: Sequence[Person]) -> list[Question]:
    """Every question about these people, four each, person by person."""
    return [
        Question(template.format(name=person.name), getattr(person, fact), fact, person.name)
        for person in who
        for fact, template in QUESTIONS.items()
    ]


def split() -> tuple[list[Question], list[Question]]:
    """Questions for training and for testing. The halves share no person.

    Pretraining has told the facts of both halves. So a right answer in the test half shows that
    tuning has brought out what the model knew, not that it has learned the answer.
    """
    inhabitants = people()
    half = len(inhabitants) // 2
    return questions(inhabitants[:half]), questions(inhabitants[half:])
