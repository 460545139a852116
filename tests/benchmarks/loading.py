"""How much memory loading a checkpoint takes, beside its weights: `make bench`, or alone."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = {
    "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 6, "num_attention_heads": 14,
    "num_key_value_heads": 2, "tie_word_embeddings": True,
}  # fmt: skip  those of Qwen2.5-0.5B, with six layers: 451 MB in bfloat16
# In a process of its own, since a peak never falls. That of the kernel's record, on Linux: getrusage tells the parent's, too.
LOAD = """
import re, sys, torch
from pathlib import Path
from lab import checkpoint, pretrained

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])

before = peak()
model, _ = checkpoint.load(sys.argv[1], dtype=getattr(torch, sys.argv[2]))
print((peak() - before) / sum(p.numel() * p.element_size() for p in model.parameters()))
"""


def main() -> None:
    import torch
    import transformers

    from lab import checkpoint

    with tempfile.TemporaryDirectory() as folder:
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SIZES)).to(torch.bfloat16)
        model.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(checkpoint.TINY / name, folder)
        size = Path(folder, "model.safetensors").stat().st_size
        for dtype in ("bfloat16", "float32"):
            done = subprocess.run([sys.executable, "-c", LOAD, folder, dtype], capture_output=True, text=True, check=True)
            print(f"loading {size / 1e6:.0f} MB in bfloat16 as {dtype}: memory grew by {float(done.stdout):.2f} x the weights")


if __name__ == "__main__":
    main()
