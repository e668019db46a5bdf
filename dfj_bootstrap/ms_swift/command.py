"""Where ms-swift's ``swift`` command is, and what it may see of this environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from dfj_bootstrap.errors import ConfigError

VARIABLE = "DFJ_SWIFT"
"""Names the ``swift`` command, where it isn't found by itself."""

INSTALL = "make .venv-train/.ready"
"""What sets up an environment for it, in the project's folder."""

ASSUMED = "swift"
"""The command that is shown where there is none."""

_OWN_ENVIRONMENT = Path(".venv-train") / "bin" / "swift"


def find_swift(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The ``swift`` command: as named by ``DFJ_SWIFT``, in ``.venv-train`` here, or on the PATH.

    Raises:
        ConfigError: ``DFJ_SWIFT`` names nothing that can be run.
    """
    named = environment.get(VARIABLE)
    if named:
        path = Path(named).expanduser().absolute()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ConfigError(
                f"{VARIABLE}: {named} is no command; name the `swift` of ms-swift's environment"
            )
        return path
    beside = (Path(sys.executable).parent / "swift", Path.cwd() / _OWN_ENVIRONMENT)
    found = next((str(path) for path in beside if os.access(path, os.X_OK)), None) or shutil.which("swift")
    return Path(found).absolute() if found else None


def not_installed() -> ConfigError:
    """The error of a machine without ms-swift."""
    return ConfigError(
        f"ms-swift isn't installed here: `{INSTALL}` sets up an environment for it, "
        f"or name its `swift` command in {VARIABLE}"
    )


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for another Python than this one: what points that one to our packages is left out."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in environment.items() if name not in ours}
