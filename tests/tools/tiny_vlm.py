"""Build a tiny, randomly initialised Qwen2.5-VL checkpoint without any download.

    python tests/tools/tiny_vlm.py OUT_DIR [--seed 0]

The folder loads like a hub checkpoint in transformers and vLLM, so that tests go through the real code
(tokenizer, chat template, image processor, multimodal forward pass) in seconds on a CPU. What it says is
noise: assert on shapes and ids, not on text. Its vocabulary is nearly that of single bytes, so a prompt has
about as many tokens as characters; hence the long context. The same seed and the same library versions give
the same weights byte for byte. Needs torch, transformers>=5, tokenizers, and a torchvision that imports (see
torchvision_stub/).
"""

import argparse
import json
from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

# Qwen2.5-VL's own special tokens at Qwen2.5-VL's own ids, which some tools have built in.
SPECIAL = {
    tok: 151643 + i
    for i, tok in enumerate(
        f"<|{name}|>"
        for name in (
            "endoftext",
            "im_start",
            "im_end",
            "object_ref_start",
            "object_ref_end",
            "box_start",
            "box_end",
            "quad_start",
            "quad_end",
            "vision_start",
            "vision_end",
            "vision_pad",
            "image_pad",
            "video_pad",
        )
    )
}
CONTEXT = 16384
VOCAB_SIZE = 151680  # ids between the small trained vocabulary and SPECIAL stay unused

# A few merges keep prompts short; every other byte falls back to its single-byte token.
CORPUS = [
    "system user assistant You are a helpful assistant.",
    "Describe the image. What is shown in this picture? Answer with JSON only.",
    '{"question": "", "answer": "", "score": 1, "reason": "", "label": "yes", "label": "no"}',
    "0123456789 true false null the quick brown fox jumps over the lazy dog",
]

# ChatML with image/video place holders, as in Qwen2.5-VL's processor.
CHAT_TEMPLATE = """\
{%- for m in messages -%}
{%- if loop.first and m.role != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{{- '<|im_start|>' + m.role + '\\n' -}}
{%- if m.content is string -%}{{- m.content -}}
{%- else -%}
{%- for c in m.content -%}
{%- if c.type in ('image', 'image_url') or 'image' in c -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif c.type == 'video' or 'video' in c -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif 'text' in c -%}{{- c.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


def build_tokenizer(corpus: Iterable[str] = CORPUS, vocabulary: int = 512) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on ``corpus``, with Qwen2.5-VL's special tokens at their own ids."""

    def byte_level(model: models.Model) -> Tokenizer:
        tok = Tokenizer(model)
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tok.decoder = decoders.ByteLevel()
        return tok

    trained = byte_level(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(corpus, trainer)
    bpe = json.loads(trained.to_str())["model"]
    merges = [tuple(m) for m in bpe["merges"]]
    # The trained vocabulary (ids from 0) plus the special tokens at their fixed ids.
    tok = byte_level(models.BPE(vocab=bpe["vocab"] | SPECIAL, merges=merges))
    tok.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(SPECIAL)[1:],
        model_max_length=CONTEXT,
        chat_template=CHAT_TEMPLATE,
    )


def build_processor(tok: PreTrainedTokenizerFast, image_tokens: int) -> Qwen2_5_VLProcessor:
    """A processor with at most ``image_tokens`` tokens a picture, each a merged patch of 28 x 28 pixels."""
    size = {"shortest_edge": 28 * 28, "longest_edge": image_tokens * 28 * 28}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size, patch_size=14, merge_size=2),
        video_processor=Qwen2VLVideoProcessor(size=size, patch_size=14, merge_size=2),
        tokenizer=tok,
        chat_template=CHAT_TEMPLATE,
    )


SPECIAL_IDS = dict(
    bos_token_id=SPECIAL["<|endoftext|>"],
    eos_token_id=SPECIAL["<|im_end|>"],
    pad_token_id=SPECIAL["<|endoftext|>"],
)
"""As configurations name them."""

VISION_IDS = dict(
    image_token_id=SPECIAL["<|image_pad|>"],
    video_token_id=SPECIAL["<|video_pad|>"],
    vision_start_token_id=SPECIAL["<|vision_start|>"],
    vision_end_token_id=SPECIAL["<|vision_end|>"],
)


def build(out_dir: str, seed: int = 0) -> None:
    tok = build_tokenizer()
    config = Qwen2_5_VLConfig(
        text_config=dict(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,  # head_dim 32, which vLLM's CPU attention takes
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT,
            # mrope_section must add up to head_dim / 2
            rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[4, 6, 6]),
            tie_word_embeddings=False,
            **SPECIAL_IDS,
        ),
        vision_config=dict(
            depth=2,
            hidden_size=64,
            intermediate_size=128,
            num_heads=2,
            out_hidden_size=64,
            patch_size=14,
            spatial_merge_size=2,
            temporal_patch_size=2,
            window_size=112,
            fullatt_block_indexes=[1],
        ),
        **VISION_IDS,
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(config)
    # Unused ids must never win: give them logit 0 and spread the used ones widely.
    used = torch.tensor(sorted(tok.get_vocab().values()))
    with torch.no_grad():
        head = torch.zeros_like(model.lm_head.weight)
        head[used] = torch.randn(len(used), head.shape[1])
        model.lm_head.weight.copy_(head)
    model = model.to(torch.bfloat16).eval()
    model.generation_config = GenerationConfig(**SPECIAL_IDS)
    processor = build_processor(tok, image_tokens=64)
    model.save_pretrained(out_dir)
    processor.save_pretrained(out_dir)


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("out_dir")
    ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()
    build(a.out_dir, a.seed)
