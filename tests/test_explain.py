"""What explains a failure: known mistakes, relations between numbers, rules on the code. Each is right or silent."""

import random

import pytest
import torch

from grader import rules
from grader.checks import checks_of
from grader.compare import difference
from grader.explain import Evidence, explain, known
from grader.observe import Observation, Observed
from grader.problems import PROBLEMS
from grader.relations import relations
from grader.report import as_html, as_json, as_text
from grader.submission import Cell, read
from grader.verdict import Check, Report, Result
from tests.trials import solutions, variants

E = torch.tensor([[1.0, -2.0, 3.5, 0.7], [4.1, 0.3, -1.9, 2.2], [-0.6, 5.0, 1.3, -3.1]], dtype=torch.float64)


def said(expected, given, terms=()) -> list[str]:
    return list(relations(expected, given, terms).values())


# --- relations that hold ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, sentence",
    [
        (0.4 * E, "Every number in `x` is 0.4 (2/5) times the right one."),
        (17 * E, "Every number in `x` is 17 times the right one."),
        (-E, "Every number in `x` is the right one with the wrong sign."),
        (0 * E, "All numbers in `x` are zero."),
        (E * torch.nan, "12 of 12 numbers in `x` are NaN."),
        (E / 0, "12 of 12 numbers in `x` are infinite."),
        (E + 0.125, "Every number in `x` is 0.125 too large."),
        (E + E[0], "In `x` each row is wrong by the same numbers."),
        (E.T, "`x` is transposed: its last two axes are swapped."),
        (E[[2, 0, 1]], "Along axis 0 of `x` stand the right parts, but in another order."),
        (E.flip(0), "Along axis 0 of `x` stand the right parts, but in reverse order."),
        (E.roll(1, -1), "Along axis 1 of `x` all stands one place too late."),
        (torch.cat([E[:, 1:], 0 * E[:, :1]], 1), "Along axis 1 of `x` all stands one place too early."),
        (E[1:], "Along axis 0 of `x` 1 entry is missing at the start; the others are right."),
        (torch.cat([E, E]), "Along axis 0 of `x` 3 entries are too many at the end; the others are right."),
        (E * torch.tensor([[1.0], [2.0], [-0.5]]), "Each row of `x` is the right one times a number of its own, from -0.5 to 2."),
        (E * torch.tensor([1.0, 2, 3, 4]), "Each column of `x` is the right one times a number of its own, from 1 to 4."),
        (E[:1].expand(3, 4).clone(), "All rows of `x` are the same."),
        (torch.cat([E[:2], E[2:] ** 2]), "Along axis 0 of `x` the last place alone is wrong."),
        (E.half(), "The numbers of `x` are right, but they are float16 instead of float64."),
    ],
)  # fmt: skip
def test_a_relation_is_found(given, sentence):
    assert sentence in said({"x": E}, {"x": given})


def test_a_sum_in_the_place_of_a_mean_is_a_factor():
    assert said({"x": E.mean(0)}, {"x": E.sum(0)}) == ["Every number in `x` is 3 times the right one."]


def test_one_factor_in_several_entries_is_told_once():
    sentences = said({"a": E[0], "b": {"c": E[1], "d": 2.5}}, {"a": E[0] / 4, "b": {"c": E[1] / 4, "d": 0.625}})
    assert sentences[0] == "Every number that differs is 0.25 (1/4) times the right one."


def test_lists_of_numbers_and_of_ids_can_be_shifted():
    ids = [5, 9, 2, 7, 11, 3]
    assert "In `ids` all stands one place too early." in said({"ids": ids}, {"ids": [*ids[1:], 0]})
    labels = torch.tensor([[-100, 4, 8, 6, 3]])
    shifted = torch.tensor([[4, 8, 6, 3, -100]])
    assert (
        said({"labels": labels}, {"labels": shifted})[0] == "Along axis 1 of `labels` all stands one place too early."
    )


@pytest.mark.parametrize(
    "times, words",
    [
        (0, "is missing"), (2, "counts twice"), (-1, "is subtracted instead of added"),
        (0.16, "counts 0.16 (4/25) times as much as it should"),
    ],
)  # fmt: skip
def test_a_term_that_is_missing_or_counts_too_often_is_found(times, words):
    base, update = E, E.flip(1) ** 2
    terms = [("the update", {"x": base})]
    assert said({"x": base + update}, {"x": base + times * update}, terms)[-1] == f"In `x` the update {words}."


NAMES = ["a.0.q_proj", "a.1.v_proj", "head.v_proj"]


@pytest.mark.parametrize(
    "given, sentence",
    [
        (NAMES[::-1], "`n` holds the right names, but in reverse order."),
        ([NAMES[1], NAMES[0], NAMES[2]], "`n` holds the right names, but in another order."),
        ([*NAMES, NAMES[0]], "In `n` `a.0.q_proj` stands more often than it should."),
        ([f"base.{name}" for name in NAMES], "Every name in `n` has `base.` in front of the right one."),
        (["q_proj", "v_proj", "v_proj"], "`n` holds the last parts of the names alone."),
        ([*NAMES, "a.my_q_proj"], "What is too much in `n` has a right name as a piece of its last part: `my_q_proj` holds `q_proj`."),
        ([*NAMES, "a.q_proj.0"], "What is too much in `n` lies inside a module with a right name: `a.q_proj.0`."),
        ([*NAMES, "a.norm", "b.norm"], "What is too much in `n` ends in `norm` everywhere."),
    ],
)  # fmt: skip
def test_a_relation_between_names_is_found(given, sentence):
    assert sentence in said({"n": NAMES}, {"n": given})


def test_names_that_lie_too_deep_are_told():
    names = ["head", "tail.a", "body.0.a", "body.0.b.c", "body.1.a"]
    sentence = "What is missing in `n` lies deeper than all that is there: in names of more than 2 parts."
    assert sentence in said({"n": names}, {"n": names[:2]})
    assert sentence not in said({"n": names}, {"n": names[:1] + names[2:3]})


def test_sorted_names_are_told():
    assert said({"n": ["b.x", "a.x", "c.x"]}, {"n": ["a.x", "b.x", "c.x"]}) == [
        "`n` holds the right names, but sorted by the alphabet."
    ]


def test_the_keys_of_a_state_are_names():
    state = {name: E for name in NAMES}
    given = {f"base_model.{name}": E for name in NAMES}
    assert said({"s": state}, {"s": given}) == ["Every name in the state has `base_model.` in front of the right one."]


# --- relations that must stay silent ------------------------------------------------------------


@pytest.mark.parametrize(
    "expected, given",
    [
        (E, E),
        (E, E + 0.1 * E**2),
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0])),  # three numbers: not enough
        (torch.tensor([2.0] * 9), torch.tensor([6.0] * 9)),  # nine, but all the same one: not a factor
        (torch.tensor([5.0, 1e-9, 2e-9, 3e-9]), torch.tensor([10.0, 2e-9, 4e-9, 6e-9])),  # all but one are near zero
        (torch.tensor([3, 1, 4, 15, 9]), torch.tensor([6, 2, 8, 30, 18])),  # ids have no factor
        (2.5, 5.0),
        ("a", "b"),
        (E.bfloat16(), (1.01 * E).bfloat16()),
        (["failed", "passed"], ["passed", "failed"]),  # words, not names
    ],
)  # fmt: skip
def test_no_relation_is_made_up(expected, given):
    assert not [kind for kind in relations({"x": expected}, {"x": given}) if not kind.startswith("offset")]


def test_a_shift_along_equal_slices_is_none():
    tokens = torch.stack([E[0], E[1], E[0], E[1], E[2], E[0]])  # the same tokens again: shifted, it looks alike
    assert not [s for s in said({"x": tokens}, {"x": tokens.roll(2, 0)}) if "late" in s or "early" in s]


def test_random_numbers_stand_in_no_relation():
    rng = torch.Generator().manual_seed(5)
    for _ in range(300):
        one, other, term = (torch.randn(3, 5, generator=rng, dtype=torch.float64) for _ in range(3))
        assert relations({"x": one}, {"x": other}, [("a term", {"x": term})]) == {}


def test_whatever_comes_is_no_accident():
    rng = random.Random(3)

    def anything(depth=0):
        kinds = [
            lambda: E, lambda: E.int(), lambda: E > 0, lambda: E[:0], lambda: E[0, 0], lambda: E.half() / 0, lambda: E.to(torch.complex64),
            lambda: 3, lambda: 2.5, lambda: True, lambda: None, lambda: float("nan"), lambda: "words", lambda: NAMES, lambda: [], lambda: {},
            lambda: [1, 2.0, 3], lambda: [1, "a", None], lambda: {"a.b": 1},
        ]  # fmt: skip
        if depth < 3 and rng.random() < 0.4:
            parts = [anything(depth + 1) for _ in range(rng.randint(0, 3))]
            return parts if rng.random() < 0.5 else dict(zip(["k", "l", "m.n"], parts))
        return rng.choice(kinds)()

    for _ in range(3000):
        one, other, term = anything(), anything(), anything()
        relations(one, other, [("a term", term)])


# --- known mistakes -----------------------------------------------------------------------------


STUBS = {"a1": "A", "a2": "A", "a3": "A", "b1": "B", "b2": "B"}
RIGHT = {check: {"x": E, "y": index + 0.5} for index, check in enumerate(STUBS)}


def seen(value) -> Observation:
    return Observation("value", value=value)


def evidence(bank: dict, submission: dict, **more) -> Evidence:
    """The evidence on a submission. Bank and submission tell in which checks they see something else than what is right."""
    right = {check: seen(value) for check, value in RIGHT.items()}
    given = right | {check: seen({**RIGHT[check], **value}) for check, value in submission.items()}
    found = {name: {c: seen({**RIGHT[c], **value}) for c, value in wrong.items()} for name, wrong in bank.items()}
    return Evidence(
        right=right,
        seen=given,
        stubs=STUBS,
        passed=set(STUBS) - set(submission),
        wrong=list(submission),
        bank={name: right | wrong for name, wrong in found.items()},
        acts={name: frozenset(wrong) for name, wrong in found.items()},
        **more,
    )


ONE, TWO, THREE = {"x": 2 * E + 1}, {"x": E**2}, {"y": 7.25}


def test_a_mistake_that_agrees_with_all_of_a_stub_is_named():
    found = known(evidence({"m": {"a1": ONE, "a2": TWO}}, {"a1": ONE, "a2": TWO}))
    assert found == {"a1": ("m",), "a2": ("m",)}


def test_a_mistake_that_agrees_with_one_check_alone_is_not_named():
    assert known(evidence({"m": {"a1": ONE}}, {"a1": ONE, "a2": TWO})) == {}
    assert known(evidence({"m": {"a1": ONE, "a2": ONE}}, {"a1": ONE, "a2": TWO})) == {}


def test_a_mistake_that_fails_what_passes_is_ruled_out():
    assert known(evidence({"m": {"a1": ONE, "b1": ONE}}, {"a1": ONE})) == {}


def test_two_mistakes_in_one_stub_are_told_as_two():
    bank = {"m": {"a1": ONE, "a3": {"x": -E}}, "n": {"a2": TWO, "a3": {"y": 9.5}}}
    found = known(evidence(bank, {"a1": ONE, "a2": TWO, "a3": {"x": -E, "y": 9.5}}))
    assert found == {"a1": ("m",), "a2": ("n",), "a3": ("m", "n")}


def test_two_mistakes_must_fit_where_both_act():
    bank = {"m": {"a1": ONE, "a3": {"x": -E}}, "n": {"a2": TWO, "a3": {"y": 9.5}}}
    assert known(evidence(bank, {"a1": ONE, "a2": TWO, "a3": {"x": E + 5}})) == {}


def test_of_two_explanations_none_is_named():
    assert known(evidence({"m": {"a1": ONE}, "n": {"a1": ONE}}, {"a1": ONE})) == {}


def test_what_is_in_all_explanations_is_named():
    bank = {"m": {"a1": ONE}, "n": {"a2": TWO}, "o": {"a2": TWO}}
    assert known(evidence(bank, {"a1": ONE, "a2": TWO})) == {"a1": ("m",)}


def test_a_mistake_is_named_in_the_stubs_that_rest_on_it():
    bank = {"m": {"a1": ONE, "b1": TWO}}
    assert known(evidence(bank, {"a1": ONE, "b1": TWO, "b2": ONE})) == {"a1": ("m",), "b1": ("m",)}


def test_words_alone_do_not_name_a_mistake_below_an_unknown_one():
    words = {"y": "nothing"}
    bank = {"m": {"b1": words}, "n": {"a1": ONE, "b1": TWO}}
    assert known(evidence(bank, {"b1": words})) == {"b1": ("m",)}
    assert known(evidence(bank, {"a1": TWO, "b1": words})) == {}  # what fails above may show here too


def test_words_alone_do_not_name_a_mistake_that_looks_otherwise_elsewhere():
    words = {"y": "nothing"}
    assert known(evidence({"m": {"a1": words, "b1": ONE}}, {"a1": words, "b1": TWO})) == {}


def test_of_several_relations_the_one_that_holds_in_most_checks_is_told():
    both = explain(evidence({}, {"a1": {"x": 3 * E}, "a2": {"x": 3 * E, "y": 4.5}}))
    assert "3 times" in both["a1"].fact and "3 times" in both["a2"].fact


def test_a_term_is_told_from_the_bank():
    update = E.flip(1)
    bank = {"m": {"a1": {"x": E - update}}}
    found = explain(evidence(bank, {"a1": {"x": E + update}}, leaves_out={"m": "the update"}))
    assert found["a1"].fact == "In `x` the update counts twice."


# --- rules --------------------------------------------------------------------------------------


def shown(problem: str, code: str) -> set[tuple[str, str]]:
    return {(told["rule"], told["stub"]) for told in rules.found([Cell("a cell", code)], problem)}


LAYER = "class LoRALinear(nn.Module):\n    def forward(self, x):\n        return self.base(x) + {}\n"


@pytest.mark.parametrize(
    "problem, rule, wrong, right",
    [
        ("lora", "dropout_without_training", LAYER.format("F.dropout(x, self.p)"), LAYER.format("F.dropout(x, self.p, self.training)")),
        ("lora", "factors_cut_off", LAYER.format("x @ self.lora_A.data.T"), LAYER.format("x @ self.lora_A.T")),
        ("lora", "dropout_of_a_factor", LAYER.format("x @ self.dropout(self.lora_A).T"), LAYER.format("self.dropout(x) @ self.lora_A.T")),
        ("lora", "slope", LAYER.format("nn.init.kaiming_uniform_(self.lora_A, a=5)"), LAYER.format("nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)")),
        ("lora", "integer_division", LAYER.format("alpha // rank"), LAYER.format("alpha / rank")),
        ("lora", "exact_type", "def inject_lora(m):\n    return type(m) is nn.Linear", "def inject_lora(m):\n    return isinstance(m, nn.Linear)"),
        ("lora", "endswith_a_target", "def inject_lora(m, target_modules):\n    return [n for t in target_modules if n.endswith(t)]",
         "def inject_lora(m, target_modules):\n    return [n for t in target_modules if n.endswith('.' + t)]"),
        ("lora", "target_in_a_name", "def inject_lora(m, target_modules):\n    return any(t in name for t in target_modules)",
         "def inject_lora(m, target_modules):\n    return any(t == name for t in target_modules)"),
        ("lora", "children_alone", "def merge_lora(m):\n    for n, c in m.named_children():\n        c.merge()",
         "def merge_lora(m):\n    for n, c in m.named_children():\n        merge_lora(c)"),
        ("lora", "merged_on_the_class", "class LoRALinear:\n    def merge(self):\n        type(self).merged = True",
         "class LoRALinear:\n    def merge(self):\n        self.merged = True"),
        ("peft", "late_binding", "def add_adapters(m):\n    for l in m:\n        a = A()\n        l.register_forward_hook(lambda l, i, o: a(o))",
         "def add_adapters(m):\n    for l in m:\n        a = A()\n        l.register_forward_hook(lambda l, i, o, a=a: a(o))"),
        ("peft", "adapters_out_of_sight", "def add_adapters(m):\n    a = A()\n    m.register_forward_hook(lambda l, i, o: a(o))",
         "def add_adapters(m):\n    m.adapter = A()\n    m.register_forward_hook(lambda l, i, o: l.adapter(o))"),
        ("peft", "no_input_embeddings", "class PromptTuning:\n    def f(self):\n        return self.model.embed",
         "class PromptTuning:\n    def f(self):\n        return self.model.get_input_embeddings()"),
        ("sft", "cleared_after_the_step", "def train_step(b, optimizer):\n    b.backward()\n    optimizer.step()\n    optimizer.zero_grad()",
         "def train_step(b, optimizer):\n    optimizer.zero_grad()\n    b.backward()\n    optimizer.step()"),
        ("sft", "never_cleared", "def train_step(b, optimizer):\n    b.backward()\n    optimizer.step()",
         "def train_step(b, optimizer):\n    for p in b: p.grad = None\n    b.backward()\n    optimizer.step()"),
        ("sft", "truth_of_the_limit", "def train_step(b, max_grad_norm):\n    if max_grad_norm:\n        clip(b)",
         "def train_step(b, max_grad_norm):\n    if max_grad_norm is not None:\n        clip(b)"),
        ("sft", "windows_rounded_down", "def finetune(b, accumulation):\n    return len(b) // accumulation",
         "def finetune(b, accumulation):\n    return -(-len(b) // accumulation)"),
        ("sft", "best_by_reference", "def finetune(m):\n    best = m.state_dict()", "def finetune(m):\n    best = copy.deepcopy(m.state_dict())"),
        ("sft", "best_by_reference", "def finetune(m):\n    best = {k: v.detach() for k, v in m.state_dict().items()}",
         "def finetune(m):\n    best = {k: v.clone() for k, v in m.state_dict().items()}"),
        ("sft", "betas", "def finetune(p):\n    return AdamW(p, betas=(0.9, 0.95))", "def finetune(p):\n    return AdamW(p, betas=(0.9, 0.999))"),
        ("sft", "mode_not_given_back", "def evaluate(m):\n    m.eval()\n    return m(1)", "def evaluate(m):\n    m.eval()\n    m.train(True)"),
        ("sft", "padding_by_its_value", "def collate(e, *, pad_id):\n    return e != pad_id", "def collate(e, *, pad_id):\n    return len(e)"),
    ],
)  # fmt: skip
def test_a_rule_sees_its_pattern_and_not_the_right_code(problem, rule, wrong, right):
    assert f"{problem}.{rule}" in {name for name, _ in shown(problem, wrong)}
    assert f"{problem}.{rule}" not in {name for name, _ in shown(problem, right)}


def test_a_rule_looks_into_the_helpers_of_a_stub_and_nowhere_else():
    helper = "def clip(b, max_grad_norm):\n    if max_grad_norm:\n        pass\n"
    assert shown("sft", helper + "def train_step(b):\n    clip(b, 1.0)") == {("sft.truth_of_the_limit", "train_step")}
    assert shown("sft", helper + "def train_step(b):\n    pass") == set()


def test_of_two_definitions_the_last_one_is_read():
    wrong, right = "def inject_lora(m):\n    type(m) is nn.Linear\n", "def inject_lora(m):\n    pass\n"
    assert shown("lora", wrong + right) == set() and shown("lora", right + wrong)


def test_code_that_cannot_be_read_shows_nothing():
    assert shown("lora", "def inject_lora(m:\n") == set()
    assert rules.found([Cell("a note", "def inject_lora(m):\n    type(m) is nn.Linear", kind="Markdown")], "lora") == []


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_no_right_solution_shows_a_pattern(problem):
    right = {"reference": read(problem.reference)} | variants(problem) | solutions("right", problem)
    for name, submission in right.items():
        assert rules.found(submission.cells, problem.id) == [], name


def test_the_checks_and_stubs_that_rules_cite_exist():
    for rule in rules.RULES.values():
        problem = PROBLEMS[rule.problem]
        own = {check.id for check in checks_of(problem.id).values() if check.stub in rule.stubs}
        assert set(rule.stubs) <= set(problem.stubs) and set(rule.checks) <= own | set(checks_of(problem.id)), rule.id
        assert all(any(rule.explains(stub, [check]) for stub in rule.stubs) for check in rule.checks), rule.id
        assert rule.sentence.endswith("."), rule.id


TOLD = {"rule": "sft.windows_rounded_down", "stub": "finetune", "cell": "code cell 3", "line": 7}


def test_a_rule_speaks_only_if_it_explains_all_that_is_left():
    found = rules.facts([TOLD], "finetune", ["accumulates_over_windows", "warms_up_then_decays"])
    assert found["accumulates_over_windows"].startswith("In code cell 3, line 7: `//` leaves out the short window")
    assert rules.facts([TOLD], "finetune", ["accumulates_over_windows", "ends_in_eval_mode"]) == {}
    assert rules.facts([TOLD], "train_step", ["accumulates_over_windows"]) == {}
    assert rules.facts([TOLD | {"rule": "made up"}], "finetune", ["accumulates_over_windows"]) == {}
    assert rules.facts([TOLD], "finetune", []) == {}


# --- sentences and reports ----------------------------------------------------------------------


REFUSED = {"raises": "TypeError", "not named in the message": []}


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"raises": "nothing"}, "q: expected an error of kind TypeError, but none was raised"),
        ({"raises": "KeyError"}, "q: expected an error of kind TypeError, but a KeyError was raised"),
        (
            REFUSED | {"not named in the message": ["rank"]},
            "q: a TypeError was raised, but its message does not name rank",
        ),
        (REFUSED | {"not named in the message": 3}, "q, not named in the message: expected [], got 3"),
        (REFUSED, None),
    ],
)
def test_a_refusal_is_told_in_words(given, sentence):
    assert difference({"q": REFUSED}, {"q": given}) == sentence


def test_an_error_where_none_is_due_is_told_in_words():
    assert difference({"raises": "nothing"}, REFUSED) == "no error was expected, but a TypeError was raised"


def test_a_fact_is_shown_in_every_report():
    check = Check("c", "freeze", 1, ("", "", ""), "A title.")
    report = Report(PROBLEMS["peft"], [Result(check, "failed", "x differs.", fact="Every number is `2`.")])
    assert '"message": "x differs. Every number is `2`."' in as_json(report)
    assert "<strong>A clue:</strong> Every number is <code>2</code>." in as_html(report)
    assert "  A clue:         Every number is `2`." in as_text(report)


def test_a_submission_observed_without_rules_is_explained_too():
    assert Observed({}, {}, set(), []).rules == []
