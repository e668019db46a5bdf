"""Folders that vLLM loads as a Qwen2.5-VL of its real size, but for the weights, which vLLM makes up itself.

``--load-format dummy`` gives random weights. The sizes are those of the published configurations; the
tokenizer is trained here on the project's own texts, so that a prompt has about as many tokens as with the
real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from transformers import Qwen2_5_VLConfig

from tests.tools.tiny_vlm import SPECIAL_IDS, VISION_IDS, build_processor, build_tokenizer

ROOT = Path(__file__).parents[1]

IMAGE_TOKENS = 1280
"""At most, of a picture: 1,003,520 pixels, as DeepfakeJudge was trained."""

_CONTEXT = 32768
_VOCABULARY = 8192

_TEXT: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "vocab_size": 151936,
    },
    "3b": {
        "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
        "num_key_value_heads": 2, "vocab_size": 151936,
    },
    "7b": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064,
    },
}  # fmt: skip
SHAPES = tuple(_TEXT)


def build_folder(folder: Path, shape: str) -> Path:
    """Write configuration, tokenizer and processor of one of ``SHAPES``."""
    text = _TEXT[shape]
    half_head = text["hidden_size"] // text["num_attention_heads"] // 2
    config = Qwen2_5_VLConfig(
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        dtype="bfloat16",
        text_config={
            **text,
            "max_position_embeddings": _CONTEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                # Time, height and width: 16, 24 and 24 of 64
                "mrope_section": [half_head // 4, half_head * 3 // 8, half_head * 3 // 8],
            },
            "tie_word_embeddings": shape == "3b",
            **SPECIAL_IDS,
        },
        vision_config=_vision(shape, text["hidden_size"]),
        tie_word_embeddings=shape == "3b",
        **VISION_IDS,
    )
    config.save_pretrained(folder)
    build_processor(build_tokenizer(_texts(), _VOCABULARY), IMAGE_TOKENS).save_pretrained(folder)
    return folder


def _vision(shape: str, width: int) -> dict[str, Any]:
    common = {
        "out_hidden_size": width,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
    }
    if shape == "tiny":
        own = {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "fullatt_block_indexes": [1],
        }
    else:
        own = {
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "fullatt_block_indexes": [7, 15, 23, 31],
        }
    return {**common, **own}


def _texts() -> list[str]:
    """What prompts are made of: the templates, the example rationales, and prose about the subject."""
    files = [*ROOT.glob("prompts/*/*.txt"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    rows = [orjson.loads(line) for line in (ROOT / "examples" / "seeds.jsonl").read_bytes().splitlines()]
    return [
        *(file.read_text(encoding="utf-8") for file in files),
        *(row.get("gold_rationale") or "" for row in rows),
    ]
