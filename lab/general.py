"""What any language model of today should know: plain facts and plain prose. After tuning they tell what was forgotten."""

import re

from lab import measure

# A question, and the words of which one must be in the answer.
FACTS = {
    "What is the capital of France?": ["Paris"],
    "What is the capital of Japan?": ["Tokyo"],
    "What is the capital of Italy?": ["Rome"],
    "What is the capital of Germany?": ["Berlin"],
    "What is the capital of Egypt?": ["Cairo"],
    "Which continent is Kenya in?": ["Africa"],
    "Which language do most people speak in Brazil?": ["Portuguese"],
    "What is the currency of Japan?": ["yen"],
    "What is the largest ocean on Earth?": ["Pacific"],
    "Which planet is known as the Red Planet?": ["Mars"],
    "What is the largest planet of our solar system?": ["Jupiter"],
    "Which star does the Earth move around?": ["Sun"],
    "What is the chemical formula of water?": ["H2O", "H₂O"],
    "What is the chemical symbol of gold?": ["Au"],
    "Which gas do plants take from the air?": ["carbon dioxide", "CO2", "CO₂"],
    "What is the largest animal on Earth?": ["whale"],
    "Which organ pumps blood through the body?": ["heart"],
    "How many legs does a spider have?": ["eight", "8"],
    "How many days are there in a week?": ["seven", "7"],
    "How many months are there in a year?": ["twelve", "12"],
    "How many minutes are there in an hour?": ["sixty", "60"],
    "At how many degrees Celsius does water boil?": ["100", "hundred"],
    "What is two plus two?": ["four", "4"],
    "What is the opposite of hot?": ["cold", "cool"],
    "Which colour do you get when you mix blue and yellow?": ["green"],
    "Who wrote Romeo and Juliet?": ["Shakespeare"],
    "Who painted the Mona Lisa?": ["Leonardo", "Vinci"],
    "Who was the first president of the United States?": ["Washington"],
    "Who developed the theory of relativity?": ["Einstein"],
    "In which year did the Second World War end?": ["1945"],
}

# Openings of books out of copyright: Austen 1813, Melville 1851, Darwin 1859, Carroll 1865, Wells 1898.
PROSE = [
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife. However "
    "little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is so well fixed in the "
    "minds of the surrounding families, that he is considered as the rightful property of some one or other of their daughters.",
    "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing particular to "
    "interest me on shore, I thought I would sail about a little and see the watery part of the world.",
    "When on board H.M.S. Beagle, as naturalist, I was much struck with certain facts in the distribution of the inhabitants of South "
    "America, and in the geological relations of the present to the past inhabitants of that continent.",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or twice she had "
    "peeped into the book her sister was reading, but it had no pictures or conversations in it.",
    "No one would have believed in the last years of the nineteenth century that this world was being watched keenly and closely by "
    "intelligences greater than man's and yet as mortal as his own.",
]


def facts_known(model, tokenizer) -> float:
    """The share of FACTS that the model tells in chat form, greedily. 0 to 1."""
    said = measure.replies(model, tokenizer, list(FACTS), max_new_tokens=20)
    return sum(is_told(words, text) for words, text in zip(FACTS.values(), said)) / len(FACTS)


def is_told(accepted: list[str], text: str) -> bool:
    """Whether one of these is in the text, as a word of its own. Capitals do not matter."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in accepted)


def prose_loss(model, tokenizer) -> float:
    """The loss on PROSE, in nats per token."""
    return measure.text_loss(model, tokenizer, PROSE)
