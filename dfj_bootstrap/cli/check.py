"""``dfj check``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson

from dfj_bootstrap.cli.report import Report
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.intake.plan import make_plan
from dfj_bootstrap.intake.seeds import SeedItems
from dfj_bootstrap.roles.checks import check_backends, keys_in_use
from dfj_bootstrap.roles.generation import FORMS
from dfj_bootstrap.roles.identity import identity_of
from dfj_bootstrap.storage.folder import check_run_folder

_SHOWN = 20
"""Refused rows that are printed; the rest is counted."""


def check_run(config: Config, *, live: bool = False) -> Report:
    """Look at everything that can be looked at without a call; ``live``: then call each model once.

    Raises:
        RunError: the output folder, a prompt, a key, an extra or the seeds as a whole are wrong.
    """
    check_run_folder(config.output)
    identity = identity_of(config, FORMS)
    check_backends(config)
    with tempfile.TemporaryDirectory(prefix="dfj-check-") as scratch:
        plan = make_plan(Path(scratch), SeedItems(config.seed_files, config.image_root), trial=True)
        refused = [orjson.loads(row) for row in (Path(scratch) / "refused.jsonl").read_bytes().splitlines()]
    lines = [f"{row['file']}:{row['line']}: {row['field']}: {row['why']}" for row in refused[:_SHOWN]]
    if len(refused) > _SHOWN:
        lines.append(f"… and {len(refused) - _SHOWN} more refused rows")
    lines += [f"{role}: {_described(who)}" for role, who in identity.items()]
    keys = keys_in_use(config)
    lines += [f"models.{name}: the key is taken from {variable}" for name, variable in keys.items()]
    lines.append(
        f"{plan.total} good rows, {plan.refused} refused; the config, prompts and images are in order"
    )
    report = Report(lines, {"good": plan.total, "refused": refused, "roles": identity, "keys": keys})
    if not live:
        return report
    from dfj_bootstrap.cli.live import check_live, merged

    return merged(report, check_live(config))


def _described(who: object) -> str:
    if not isinstance(who, dict):
        return str(who)
    return ", ".join(f"{key} {value}" for key, value in who.items() if value not in (None, ""))
