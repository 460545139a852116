"""A small decoder-only language model in the Qwen2 layout, in one file.

RMSNorm, rotary positions, SwiGLU, grouped-query attention, biases on q, k and v. Modules and
parameters carry the names that the model hubs use. It is there to be read; other models, transformers computes.

Letters in the shapes: B batch, T tokens, D hidden size, H query heads, K key/value heads,
E size of one head, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """The fields of a Qwen2 `config.json` that the model needs."""

    vocab_size: int
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    max_position_embeddings: int = 256
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight, computed in float32 (Zhang & Sennrich, arXiv 1910.07467)."""

    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * wide.to(x.dtype)


def rotary_angles(positions, head_size: int, theta: float):
    """cos and sin of the rotary angles (Su et al., arXiv 2104.09864), each (B, 1, T, E)."""
    exponent = torch.arange(0, head_size, 2, device=positions.device).float() / head_size
    angles = positions[:, None, :, None].float() / theta**exponent
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Turn each pair (x[i], x[i + E/2]) by the angle of its position. x: (B, heads, T, E)."""
    first, second = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-second, first], dim=-1) * sin).to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention in which H query heads share K key/value heads."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.head_size = config.hidden_size // self.heads
        width, kv_width = config.hidden_size, self.kv_heads * self.head_size
        self.q_proj = nn.Linear(width, width, bias=True)
        self.k_proj = nn.Linear(width, kv_width, bias=True)
        self.v_proj = nn.Linear(width, kv_width, bias=True)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin, visible):
        """x (B, T, D), visible (B, 1, T, T) bool -> (B, T, D)."""
        B, T, D = x.shape
        q = self.q_proj(x).view(B, T, self.heads, self.head_size).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.kv_heads, self.head_size).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.kv_heads, self.head_size).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = self.heads // self.kv_heads  # query heads per key/value head
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.o_proj(mixed.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x)) (Shazeer, arXiv 2002.05202)."""

    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    """Attention and MLP, each behind a norm and inside a residual connection."""

    def __init__(self, config: Config):
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, x, cos, sin, visible):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, visible)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """The model without its output head: token ids to hidden states."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None):
        """Token ids (B, T), or embeddings (B, T, D), and a mask (B, T) of 0 and 1 -> (B, T, D).

        Positions count the real tokens, so that padding on either side changes nothing.
        """
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        B, T, _ = x.shape
        if attention_mask is None:
            attention_mask = torch.ones(B, T, dtype=torch.long, device=x.device)
        positions = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        head_size = self.config.hidden_size // self.config.num_attention_heads
        cos, sin = rotary_angles(positions, head_size, self.config.rope_theta)
        past = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
        visible = past & attention_mask[:, None, None, :].bool()
        # A padding token at the left sees nothing. It may see itself, or softmax gives NaN.
        visible = visible | torch.eye(T, dtype=torch.bool, device=x.device)
        for layer in self.layers:
            x = layer(x, cos, sin, visible)
        return self.norm(x)


class CausalLM(nn.Module):
    """The decoder with a head that scores each token of the vocabulary as the next one."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.apply(self._initialise)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @staticmethod
    def _initialise(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.model.embed_tokens

    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None):
        """Token ids (B, T) and a mask (B, T) of 0 and 1 -> logits (B, T, V)."""
        return self.lm_head(self.model(input_ids, attention_mask, inputs_embeds=inputs_embeds))


@torch.no_grad()
def generate(model, input_ids, attention_mask=None, *, max_new_tokens: int, eos_id: int | list[int], pad_id: int):
    """Greedy decoding. The prompts (B, T) are padded on the left, if at all. A row ends with eos_id, or with one of several.

    Returns the new tokens alone, (B, up to max_new_tokens). After its end token a row is padding.
    """
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    was_training = model.training
    model.eval()
    start = input_ids.shape[1]
    ends = torch.tensor([eos_id] if isinstance(eos_id, int) else list(eos_id), device=input_ids.device)
    done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
    for _ in range(max_new_tokens):
        best = model(input_ids, attention_mask)[:, -1].argmax(dim=-1)
        best = best.masked_fill(done, pad_id)
        input_ids = torch.cat([input_ids, best[:, None]], dim=1)
        attention_mask = torch.cat([attention_mask, (~done).long()[:, None]], dim=1)
        done = done | torch.isin(best, ends)
        if done.all():
            break
    model.train(was_training)
    return input_ids[:, start:]
