"""Any causal language model loads as transformers loads it, and a folder that holds something else says what."""

import json
import re
import shutil
from pathlib import Path

import gguf
import numpy as np
import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from lab import checkpoint
from lab.checkpoint import CheckpointError
from lab.model import generate
from tests.checkpoints import SIZES, change, change_weights, ids, model_of, saved


def yarn(**more):
    return {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64, **more}


FORMS = {
    "untied": ("Qwen2", {"tie_word_embeddings": False}),
    "tied": ("Qwen2", {"tie_word_embeddings": True}),
    "another activation": ("Qwen2", {"hidden_act": "gelu"}),
    "a sliding window in some layers": ("Qwen2", {"sliding_window": 16, "use_sliding_window": True, "max_window_layers": 1}),
    "YaRN": ("Qwen2", {"rope_parameters": yarn()}),
    "linear scaling": ("Qwen2", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}),
    "dynamic scaling": (
        "Qwen2", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}, "max_position_embeddings": 32},
    ),
    "Llama 3's scaling": (
        "Llama",
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 64}},
    ),
    "Llama, with biases": ("Llama", {"attention_bias": True}),
    "Qwen3, heads of another size": ("Qwen3", {"head_dim": 24}),
    "Gemma": ("Gemma", {"head_dim": 16}),
    "Gemma 2, with soft caps": ("Gemma2", {"head_dim": 16, "sliding_window": 16}),
    "Mistral, with a window": ("Mistral", {"sliding_window": 16}),
    "GPT-2": ("GPT2", {}),
    "OLMo 2": ("Olmo2", {}),
    "Phi 3": ("Phi3", {}),
    "SmolLM 3": ("SmolLM3", {}),
    "experts": ("Qwen2Moe", {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32}),
}  # fmt: skip


def same(folder: Path, right=None, **options) -> None:
    """The folder loads, and the logits are those of transformers, with padding on either side too."""
    model, _ = checkpoint.load(folder, **options)
    right = (right or AutoModelForCausalLM.from_pretrained(folder, **options)).eval()
    mask = torch.ones(2, 40, dtype=torch.long)
    with torch.no_grad():
        assert (model(ids()) - right(ids()).logits).abs().max() < 1e-4
        mask[1, 30:] = 0
        found, due = model(ids(), mask), right(input_ids=ids(), attention_mask=mask).logits
        assert (found - due)[mask.bool()].abs().max() < 1e-4
        mask = mask.flip(1)
        if "dynamic" in (folder / "config.json").read_text():
            return  # these positions depend on the length
        alone = right(ids()[1:, 10:]).logits[0]
        assert (model(ids(), mask)[1, 10:] - alone).abs().max() < 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_logits_are_those_of_transformers(tmp_path, form):
    kind, settings = FORMS[form]
    same(saved(model_of(kind, **settings), tmp_path), model_of(kind, **settings))


def old_spelling(folder):
    change(folder / "config.json", rope_parameters=..., rope_theta=1e6)


def old_yarn(folder):
    scaling = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
    change(folder / "config.json", rope_parameters=..., rope_theta=1e4, rope_scaling=scaling)


def stale_shards(folder):
    """An earlier save in several files lies beside."""
    model = model_of(tie_word_embeddings=False)
    for parameter in model.parameters():
        parameter.data.mul_(-0.5)
    model.save_pretrained(folder / "old", max_shard_size="100KB")
    for path in (folder / "old").glob("model-*.safetensors"):
        shutil.copy(path, folder)
    shutil.rmtree(folder / "old")


def averaged(folder):
    save_file({name: 2 * tensor for name, tensor in load_file(folder / "model.safetensors").items()}, folder / "model_ema.safetensors")


def as_pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def other_head(weights):
    return weights | {"lm_head.weight": torch.randn_like(weights["model.embed_tokens.weight"])}


def old_buffers(weights):
    return weights | {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(8) for i in range(2)}


FILES = {
    "the old spelling of theta": old_spelling,
    "the old spelling of YaRN": old_yarn,
    "stale shards": stale_shards,
    "an average beside": averaged,
    "a pickle": as_pickle,
    "tied, with another head": lambda folder: change_weights(folder, other_head),
    "buffers of old versions": lambda folder: change_weights(folder, old_buffers),
    "keys that nobody knows": lambda folder: change(folder / "config.json", foo=1, auto_map={"AutoModel": "x.Y"}),
    "what macOS leaves": lambda folder: (folder / "._model.safetensors").write_bytes(b"\0\5\x16\7" * 30),
}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("tied", [True, False])
def test_other_files_beside_and_other_spellings_change_nothing(tmp_path, form, tied):
    FILES[form](saved(model_of(tie_word_embeddings=tied), tmp_path))
    same(tmp_path)


@pytest.mark.parametrize("tied", [True, False])
def test_several_files_with_an_index(tmp_path, tied):
    model = model_of(tie_word_embeddings=tied)
    same(saved(model, tmp_path, max_shard_size="100KB"), model)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1


@pytest.mark.parametrize("kind, tied", [("Qwen2", False), ("Qwen2", True), ("GPT2", True)])
@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "base_model.model.", "_orig_mod.module."])
def test_a_prefix_in_front_of_all_names(tmp_path, prefix, kind, tied):
    model = model_of(kind, tie_word_embeddings=tied)
    change_weights(saved(model, tmp_path), lambda weights: {prefix + name: tensor for name, tensor in weights.items()})
    same(tmp_path, model)
    checkpoint.save(*checkpoint.load(tmp_path), tmp_path / "again")
    assert not any(name.startswith(prefix) for name in load_file(tmp_path / "again" / "model.safetensors"))


def test_a_wrapper_in_the_middle_of_names(tmp_path):
    model = model_of(tie_word_embeddings=False)
    wrapped = re.compile(r"(layers\.[0-9]\.)")
    change_weights(saved(model, tmp_path), lambda weights: {wrapped.sub(r"\1_fsdp_wrapped_module.", name): t for name, t in weights.items()})
    same(tmp_path, model)


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("wanted", [torch.bfloat16, torch.float32])
def test_the_dtype_is_the_wanted_one(tmp_path, stored, wanted):
    saved(model_of().to(stored), tmp_path)
    model, _ = checkpoint.load(tmp_path, dtype=wanted)
    assert {parameter.dtype for parameter in model.parameters()} == {wanted}
    if wanted == torch.float32:
        same(tmp_path, dtype=wanted)


def test_a_gguf_file(tmp_path, tiny):
    write_gguf(tmp_path / "tiny.gguf")
    for place in (tmp_path, tmp_path / "tiny.gguf"):
        model, tokenizer = checkpoint.load(place)
        assert (model(ids()) - tiny[0](ids())).abs().max() < 1e-4
        assert tokenizer.encode("Ada Moreau lives in Oslo<|end|>") == tiny[1].encode("Ada Moreau lives in Oslo<|end|>")
        assert tokenizer.eos_ids == tiny[1].eos_ids
    shutil.copy(tmp_path / "tiny.gguf", tmp_path / "other.gguf")
    with pytest.raises(CheckpointError, match="several GGUF files"):
        checkpoint.load(tmp_path)


def test_a_model_from_gguf_can_be_saved(tmp_path):
    write_gguf(tmp_path / "tiny.gguf")
    model, tokenizer = checkpoint.load(tmp_path / "tiny.gguf")
    checkpoint.save(model, tokenizer, tmp_path / "new")
    same(tmp_path / "new", AutoModelForCausalLM.from_pretrained(checkpoint.TINY))


@pytest.mark.parametrize(
    "add, words",
    [
        (lambda writer: writer.add_rope_scaling_type(gguf.RopeScalingType.YARN), "scales its rotary positions .yarn"),
        (lambda writer: writer.add_tensor("rope_freqs.weight", np.ones(16, dtype=np.float32)), "scales its rotary positions"),
        (lambda writer: writer.add_sliding_window(16), "a sliding window of 16"),
        (lambda writer: writer.add_tensor("blk.0.attn_q_norm.weight", np.ones(32, dtype=np.float32)), "numbers, of which transformers has taken"),
    ],
)
def test_what_transformers_leaves_out_of_a_gguf_file_is_told(tmp_path, add, words):
    write_gguf(tmp_path / "tiny.gguf", add)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load(tmp_path)


def write_gguf(path: Path, add=lambda writer: None) -> None:
    """The tiny model as llama.cpp stores it, and what `add` adds."""
    config = json.loads((checkpoint.TINY / "config.json").read_text())
    tokenizer = json.loads((checkpoint.TINY / "tokenizer.json").read_text())
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ids_of = tokenizer["model"]["vocab"] | special
    tokens = sorted(ids_of, key=ids_of.get)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(special["<|end|>"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(checkpoint.TINY / "model.safetensors").items():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), tensor.numpy())
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_hub_name_is_looked_up_in_the_cache(tmp_path, monkeypatch):
    model = model_of()
    snapshot = tmp_path / "models--some--model" / "snapshots" / ("0" * 40)
    saved(model, snapshot)
    (tmp_path / "models--some--model" / "refs").mkdir()
    (tmp_path / "models--some--model" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found, _ = checkpoint.load("some/model")
    with torch.no_grad():
        assert torch.equal(found(ids()), model(ids()).logits)


# --- how it is used -----------------------------------------------------------------------------


def test_a_call_of_transformers_gets_what_transformers_gives(tmp_path):
    model, _ = checkpoint.load(saved(model_of(), tmp_path))
    assert isinstance(model(ids()), torch.Tensor)
    assert model(input_ids=ids(), labels=ids()).loss > 0
    assert model.generate(ids(), max_new_tokens=3, do_sample=False).shape == (2, 43)
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    assert adapted(input_ids=ids(), labels=ids()).loss > 0


def test_the_end_tokens_are_those_of_the_generation_config(tmp_path):
    saved(model_of(), tmp_path)
    change(tmp_path / "generation_config.json", eos_token_id=[7, 1])
    model, tokenizer = checkpoint.load(tmp_path)
    assert (tokenizer.eos_ids, tokenizer.eos_id) == ([7, 1], 1)  # <|end|> is both the tokenizer's and in the list
    first = generate(model, ids(1), max_new_tokens=1, eos_id=999, pad_id=0).item()
    assert generate(model, ids(1), max_new_tokens=5, eos_id=[999, first], pad_id=0).tolist() == [[first]]


# --- something else -----------------------------------------------------------------------------


def adapter(folder):
    peft.get_peft_model(model_of(), peft.LoraConfig(target_modules=["q_proj"])).save_pretrained(folder)
    change(folder / "adapter_config.json", base_model_name_or_path="Qwen/Qwen2.5-0.5B")


def unmerged(folder):
    adapted = peft.get_peft_model(model_of(), peft.LoraConfig(target_modules=["q_proj"]))
    weights = {name.removeprefix("base_model.model."): tensor.contiguous() for name, tensor in adapted.state_dict().items()}
    save_file({name: tensor for name, tensor in weights.items() if name != "lm_head.weight"}, folder / "model.safetensors")


def classifier(folder):
    config = transformers.Qwen2Config(**SIZES)
    saved(transformers.Qwen2ForSequenceClassification(config), folder)


def encoder(folder):
    settings = {name: value for name, value in SIZES.items() if name != "num_key_value_heads"}
    saved(transformers.BertLMHeadModel(transformers.BertConfig(**settings)), folder)


def translator(folder):
    config = transformers.T5Config(vocab_size=1073, d_model=32, d_ff=32, num_layers=1, num_heads=2, d_kv=16)
    saved(transformers.T5ForConditionalGeneration(config), folder)


def without_head(folder):
    saved(transformers.Qwen2Model(transformers.Qwen2Config(**SIZES)), folder)


def quantised(method):
    return lambda folder: change(folder / "config.json", quantization_config={"quant_method": method, "bits": 4})


def in_eight_bits(weights):
    return {name: (100 * tensor).to(torch.int8) if "mlp" in name else tensor for name, tensor in weights.items()}


def missing_shard(folder):
    model_of().save_pretrained(folder, max_shard_size="100KB")
    (folder / "model.safetensors").unlink()
    sorted(folder.glob("model-*"))[1].unlink()


def only_shards(folder):
    missing_shard(folder)
    (folder / "model.safetensors.index.json").unlink()


def with_nan(weights):
    weights["model.norm.weight"][0] = float("nan")
    return weights


def in_a_pickle(folder):
    torch.save(in_eight_bits(load_file(folder / "model.safetensors")), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def training_state(folder):
    torch.save({"step": 3, "model": load_file(folder / "model.safetensors")}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def of_another_layer(weights):
    return weights | {"model.layers.0.self_attn.q_norm.weight": torch.ones(16)}


def twice(weights):
    return {who + name: tensor.clone() for who in ("student.", "teacher.") for name, tensor in weights.items()}


def gone(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "nowhere")


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 123\n"
WRONG = {
    "an adapter alone": (adapter, "PEFT adapter .LORA, for the base Qwen/Qwen2.5-0.5B.", ("model.safetensors", "config.json")),
    "an adapter beside": (adapter, "a model and a PEFT adapter .LORA"),
    "a LoRA that was not merged": (unmerged, "a LoRA that was not merged"),
    "a classifier": (classifier, "a classifier of texts"),
    "an encoder": (encoder, "'bert', which is no causal language model"),
    "a translator": (translator, "an encoder and a decoder"),
    "no head": (without_head, "lack lm_head.weight"),
    "GPTQ": (quantised("gptq"), "a quantised model .gptq"),
    "bitsandbytes": (quantised("bitsandbytes"), "a quantised model .bitsandbytes"),
    "whole numbers": (lambda folder: change_weights(folder, in_eight_bits), "is of type I8, so this is a quantised model"),
    "a missing shard": (missing_shard, "model-00002-of-.*is missing"),
    "shards without an index": (only_shards, "shards need their model.safetensors.index.json"),
    "no weights": (lambda folder: None, "holds no weights", ("model.safetensors",)),
    "no tokenizer": (lambda folder: None, "holds no tokenizer", ("tokenizer.json", "tokenizer_config.json")),
    "no config": (lambda folder: None, "has no config.json. It has generation_config.json", ("config.json",)),
    "a pointer of Git LFS": (written("model.safetensors", POINTER), "model.safetensors is only a pointer of Git LFS"),
    "a pointer for a tokenizer": (written("tokenizer.json", POINTER), "tokenizer.json is only a pointer"),
    "an empty file": (written("model.safetensors", b""), "model.safetensors is empty"),
    "a file that is cut off": (written("model.safetensors", b"\x10\0\0\0\0\0\0\0{"), "model.safetensors is damaged"),
    "a list for a config": (written("config.json", b"[1]"), "should be an object"),
    "a config in UTF-16": (written("config.json", '{"a": 1}'.encode("utf-16")), "config.json cannot be read"),
    "an unknown type": (lambda folder: change(folder / "config.json", model_type="nonesuch"), "cannot be read by transformers"),
    "sizes as words": (lambda folder: change(folder / "config.json", hidden_size="64"), "cannot be read by transformers"),
    "another shape": (lambda folder: change(folder / "config.json", intermediate_size=90), "has shape .*config.json asks for"),
    "another number of layers": (lambda folder: change(folder / "config.json", num_hidden_layers=3, layer_types=...), "lack model.layers.2"),
    "NaN": (lambda folder: change_weights(folder, with_nan), "model.norm.weight holds NaN"),
    "whole numbers in a pickle": (in_a_pickle, "is of type torch.int8, so this is a quantised model"),
    "the state of a training": (training_state, "holds more than weights"),
    "norms that the config does not know": (lambda folder: change_weights(folder, of_another_layer), "q_norm.weight, which has no place"),
    "two models": (lambda folder: change_weights(folder, twice), "several models, .*student. and teacher."),
    "a model that sees the future": (lambda folder: change(folder / "config.json", is_causal=False), "sees later tokens"),
    "a number that is none": (lambda folder: change(folder / "config.json", rms_norm_eps=float("nan")), "answers with NaN"),
    "a link to nothing": (gone, "points to a file that is gone"),
    "a pointer for the end tokens": (written("generation_config.json", POINTER), "generation_config.json is only a pointer"),
    "an index of nothing": (lambda folder: (only_shards(folder), written("model.safetensors.index.json", b"{}")(folder)), "names no files"),
    "a tokenizer that is none": (written("tokenizer.json", b"{}"), "the tokenizer cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_folder_that_holds_something_else_says_what(tmp_path, case):
    make, words, *taken = WRONG[case]
    saved(model_of(tie_word_embeddings=False), tmp_path)
    make(tmp_path)
    for name in taken[0] if taken else ():
        (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=words) as told:
        checkpoint.load(tmp_path)
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize(
    "name, words",
    [("", "is empty"), ("~nobody-of-this-name/x", "There is no model"), ("x" * 5000, "There is no model"), ("a/b.gguf", "There is no file")],
)
def test_a_name_that_cannot_be_is_told(name, words):
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load(name)


def test_a_device_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="no device 'nonesuch'"):
        checkpoint.load(tmp_path, device="nonesuch")


def test_an_empty_folder_and_a_file_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="It is empty"):
        checkpoint.load(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match="is a file. Name the folder"):
        checkpoint.load(tmp_path / "notes.txt")


def test_what_does_not_belong_together_is_told(tmp_path):
    saved(model_of(vocab_size=1000), tmp_path)
    with pytest.warns(UserWarning, match="knows 1073 tokens, but the model has rows for 1000"):
        checkpoint.load(tmp_path)
    saved(model_of(), tmp_path)
    change_weights(tmp_path, lambda weights: weights | {"v_head.summary.weight": torch.ones(3)})
    with pytest.warns(UserWarning, match="left out, such as v_head.summary.weight"):
        checkpoint.load(tmp_path)
    shutil.copy(tmp_path / "model.safetensors", tmp_path / "model-00001-of-00001.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00001-of-00001.safetensors"}}))
    with pytest.warns(UserWarning, match="a single file of weights and an index"):
        checkpoint.load(tmp_path)
