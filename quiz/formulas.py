"""The formulas behind numeric keys. Each item names one and its arguments, so no number is typed in.

Bytes are counted in GB of 10⁹.
"""

import math
from collections.abc import Callable

FORMULAS: dict[str, Callable[..., float]] = {}


def formula(function: Callable[..., float]) -> Callable[..., float]:
    """Makes a function known to the bank by its name."""
    FORMULAS[function.__name__] = function
    return function


def compute(name: str, arguments: dict[str, float]) -> float:
    """The value of a formula. ValueError names an unknown formula or arguments that do not fit."""
    if name not in FORMULAS:
        raise ValueError(f"there is no formula {name!r}; there are {', '.join(sorted(FORMULAS))}")
    try:
        value = FORMULAS[name](**arguments)
    except (TypeError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"formula {name!r}: {error}") from None
    if not math.isfinite(value):
        raise ValueError(f"formula {name!r} gives {value}, which is no number to answer")
    return value


@formula
def given(value: float) -> float:
    """The number as it is: for own questions of an instructor. The course's numbers are computed."""
    return value


@formula
def product(a: float, b: float, c: float = 1, d: float = 1) -> float:
    return a * b * c * d


@formula
def ratio(a: float, b: float) -> float:
    return a / b


@formula
def lora_parameters(matrices: float, rank: float, d_in: float, d_out: float) -> float:
    """LoRA on equal matrices: r (d_in + d_out) each (LoRA, section 5.1)."""
    return matrices * rank * (d_in + d_out)


@formula
def lora_on_a_decoder(layers: float, rank: float, width: float, inner: float) -> float:
    """LoRA on q, k, v, o, gate, up and down of every layer, all heads with keys of their own."""
    return layers * rank * (4 * 2 * width + 3 * (width + inner))


@formula
def adapter_parameters(adapters: float, width: float, bottleneck: float) -> float:
    """Down, up and their biases: 2 d m + m + d each (Houlsby et al.)."""
    return adapters * (2 * width * bottleneck + bottleneck + width)


@formula
def ia3_parameters(layers: float, keys: float, values: float, inner: float) -> float:
    return layers * (keys + values + inner)


@formula
def training_gigabytes(parameters: float, bytes_each: float) -> float:
    """Model states in training; mixed-precision Adam is 16 bytes a parameter (ZeRO, section 3.1)."""
    return parameters * bytes_each / 1e9


@formula
def lora_gigabytes(total: float, trained: float, frozen_bytes: float = 2) -> float:
    """Frozen weights, and 16 bytes for each trained parameter."""
    return (total * frozen_bytes + trained * 16) / 1e9


@formula
def quantised_gigabytes(parameters: float, bits: float) -> float:
    return parameters * bits / 8 / 1e9


@formula
def double_quantised_bits() -> float:
    """NF4 with blocks of 64 and 8-bit constants in blocks of 256 (QLoRA, section 3)."""
    return 4 + 8 / 64 + 32 / (64 * 256)


@formula
def operations_share(rank: float, width: float) -> float:
    """Operations of LoRA against full fine-tuning for a square layer: (2 N² + 6 N r) / 3 N²."""
    return 2 / 3 + 2 * rank / width


@formula
def checkpointed_share(rank: float, width: float) -> float:
    """The same if both repeat each block in the backward pass: (3 N² + 8 N r) / 4 N²."""
    return 3 / 4 + 2 * rank / width


@formula
def sharded_gigabytes(frozen: float, trained: float, devices: float, stage: float) -> float:
    """Model states on one of so many devices: ZeRO-1 shards Adam's 12 bytes, ZeRO-2 the gradients too, ZeRO-3 all (ZeRO, section 5)."""
    parts = [2 * (frozen + trained), 2 * trained, 12 * trained]  # weights, gradients, Adam
    return sum(part / (devices if stage >= 3 - i else 1) for i, part in enumerate(parts)) / 1e9


@formula
def many_models_gigabytes(base: float, adapters: float, adapter: float) -> float:
    return base + adapters * adapter


@formula
def optimizer_steps(examples: float, batch: float, epochs: float) -> float:
    """Updates of a run. The last batch of an epoch may be short."""
    return epochs * math.ceil(examples / batch)


@formula
def padding_share(longest: float, used: float, rows: float) -> float:
    """The share of positions that are padding, in per cent."""
    return 100 * (1 - used / (rows * longest))


@formula
def token_weight_ratio(short: float, long: float) -> float:
    """Mean of two micro-batch means: the weight of a token in the short one against that of the mean over all tokens."""
    return (1 / (2 * short)) * (short + long)


@formula
def uniform_loss(choices: float) -> float:
    """Cross-entropy in nats of a model that knows nothing."""
    return math.log(choices)


@formula
def hit_chance(trials: float, best: float) -> float:
    """Probability in per cent that one of the random trials lies in the best share."""
    return 100 * (1 - (1 - best) ** trials)


@formula
def halving_cost(configurations: float, eta: float) -> float:
    """Epochs of successive halving: each round keeps 1/eta of the configurations for eta times the epochs."""
    cost, left, epochs = 0.0, int(configurations), 1
    while left >= 1:
        cost += left * epochs
        left, epochs = int(left // eta), epochs * eta
    return cost


@formula
def lora_size_ratio(old_rank: float, new_rank: float, power: float) -> float:
    """How α / r^power changes when the rank does."""
    return (old_rank / new_rank) ** power


@formula
def rate_at_another_alpha(rate: float, old: float, new: float) -> float:
    """LoRA under Adam with one rate for A and B: the same run at another α, A's initial values scaled by the same root."""
    return rate * math.sqrt(old / new)


@formula
def sgd_step_ratio(old_rank: float, new_rank: float, power: float) -> float:
    """How the first SGD step from B = 0 changes the weight, with the scale α / r^power, when the rank does: as scale² · r."""
    return (old_rank / new_rank) ** (2 * power - 1)


@formula
def logits_gigabytes(batch: float, tokens: float, vocabulary: float, size: float) -> float:
    return batch * tokens * vocabulary * size / 1e9


@formula
def uniform_bits(choices: float) -> float:
    """The same loss in bits."""
    return math.log2(choices)


@formula
def percentage(part: float, whole: float) -> float:
    return 100 * part / whole


@formula
def leaked_accuracy(honest: float, leaked: float) -> float:
    """Accuracy in per cent, if leaked items (a share) are answered from memory and the others honestly (a share)."""
    return 100 * (leaked + (1 - leaked) * honest)


@formula
def weighted_mean(loss_a: float, count_a: float, loss_b: float, count_b: float) -> float:
    """Mean loss over the samples of two groups of batches."""
    return (loss_a * count_a + loss_b * count_b) / (count_a + count_b)


@formula
def paired_standard_error(only_new: float, only_old: float, questions: float) -> float:
    """Of the difference of two models on the same questions, in points. Questions that both or neither have right count zero."""
    mean = (only_new - only_old) / questions
    return 100 * math.sqrt(((only_new + only_old) / questions - mean**2) / questions)


@formula
def unpaired_standard_error(new: float, old: float, questions: float) -> float:
    """Of the difference of two shares on two independent samples of so many questions each, in points."""
    return 100 * math.sqrt((new * (1 - new) + old * (1 - old)) / questions)


@formula
def kept_share(hard: float, easy: float, samples: float) -> float:
    """Of as many hard as easy questions, the share of the hard ones, in per cent, among those that a sampler solves in so many trials.

    With one trial it is also their share of all right samples, however many are drawn of each question.
    """
    solved_hard, solved_easy = (1 - (1 - chance) ** samples for chance in (hard, easy))
    return 100 * solved_hard / (solved_hard + solved_easy)


@formula
def block_share(a: float, b: float, c: float, d: float) -> float:
    """Four packed examples: attention scores within the examples, in per cent of those of the whole row."""
    return 100 * (a**2 + b**2 + c**2 + d**2) / (a + b + c + d) ** 2


@formula
def block_bits(bits: float, block: float, constant: float) -> float:
    """Bits a weight, if each block of weights has one constant of so many bits."""
    return bits + constant / block


@formula
def mixed_gigabytes(quantised: float, bits: float, kept: float) -> float:
    """Weights of a model of which some parameters are in so many bits and the others are kept in 16."""
    return (quantised * bits / 8 + kept * 2) / 1e9


@formula
def bradley_terry(chosen: float, rejected: float) -> float:
    """The probability that the answer with the first reward is preferred: σ of the difference."""
    return 1 / (1 + math.exp(rejected - chosen))


@formula
def conservative_gap(smoothing: float, beta: float) -> float:
    """The difference of log-ratios at which conservative DPO's loss of a pair is smallest, in nats: where σ is 1 - smoothing."""
    return math.log((1 - smoothing) / smoothing) / beta


@formula
def group_advantage(right: float, samples: float) -> float:
    """GRPO's advantage of a right answer among so many, with rewards of 0 and 1 and the population's standard deviation."""
    mean = right / samples
    return (1 - mean) / math.sqrt(mean * (1 - mean))


@formula
def equal_group_share(chance: float, samples: float) -> float:
    """How often all answers of a group are right or all are wrong, in per cent, if each is right with this chance."""
    return 100 * (chance**samples + (1 - chance) ** samples)


@formula
def k3(policy: float, reference: float) -> float:
    """The estimate of the KL of policy to reference from one token and its two probabilities, in nats (Schulman)."""
    return reference / policy - math.log(reference / policy) - 1


@formula
def alignment_gigabytes(parameters: float, trained: float, frozen: float) -> float:
    """Model states of so many trained (16 bytes a parameter) and frozen models (2 bytes), all of one size."""
    return parameters * (16 * trained + 2 * frozen) / 1e9
