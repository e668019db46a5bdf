"""Make torchvision importable beside a CPU build of torch.  Run with the venv's own python:

    VENV/bin/python tests/tools/torchvision_stub/install.py

Why: the usual torchvision wheel is a CUDA build.  Beside torch's CPU build its compiled
`_C.so` cannot load, and `import torchvision` dies with "operator torchvision::nms does not exist",
because it registers meta kernels for operators that `_C.so` would have declared.  Everything else
in the wheel is plain Python on top of torch and works, transforms included.
What: two files in site-packages.  A .pth line arms an import hook in every process of that venv
(vLLM's engine processes too); on the first `import torchvision` the hook declares the
missing operators.  They have no kernel: calling nms or roi_align raises, importing does not.
Where `_C.so` loads (a matching GPU build), the hook does nothing.
"""

import pathlib
import sysconfig

HOOK = '''\
import importlib.util, os, sys

OPS = """nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align
_ps_roi_align_backward ps_roi_pool _ps_roi_pool_backward qroi_align deform_conv2d
_deform_conv2d_backward""".split()


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "torchvision":
            return None
        sys.meta_path.remove(Finder)  # once per process
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            return spec
        import torch

        try:
            torch.ops.load_library(os.path.join(os.path.dirname(spec.origin), "_C.so"))
        except OSError:
            Finder.lib = torch.library.Library("torchvision", "DEF")  # kept alive here
            for op in OPS:
                Finder.lib.define(op + "(Tensor x) -> Tensor")  # never called: the signature is a dummy
        return spec


sys.meta_path.insert(0, Finder)
'''

site = pathlib.Path(sysconfig.get_paths()["purelib"])
(site / "tv_cpu_ops.py").write_text(HOOK)
(site / "tv_cpu_ops.pth").write_text("import tv_cpu_ops\n")
