"""Draws ``docs/images/rooms.svg`` from the contract on imports in ``pyproject.toml``: a floor a layer."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

TARGET = Path(__file__).with_name("images") / "rooms.svg"
"""The picture that is drawn."""

_CONTRACT = Path(__file__).parents[1] / "pyproject.toml"

CAPTIONS = {
    "cli": "commands, progress, exit codes",
    "estimate": "calls, tokens, cost and hours to expect",
    "app": "start a job or go on with it, assemble, look into a run",
    "cluster": "Ray actors; the one importer of ray",
    "tasks": "the jobs of calls: a new job goes here",
    "engine": "worker, partition, local engine; what a task is",
    "training": "a judge's training: checked, then launched",
    "roles": "who plays which role: a prompt and a model, or the rules",
    "scoring": "predictions to figures with intervals",
    "dataset": "tables to splits, pairs, shards, cards",
    "endpoints": "openai, gemini, vllm, swift, scripted",
    "limits": "calls in flight, rates, dollars",
    "prompting": "files to messages, replies to values",
    "calls": "the paid call, its key, the journalled client",
    "intake": "files to items and their plan: a new importer goes here",
    "config": "strict sections, read from YAML",
    "storage": "the run folder: journal, commits, tables",
    "stages": "the loop as plain async code: start here",
    "policy": "decisions: values in, verdict out",
    "similarity": "embeddings, lexical, none",
    "ms_swift": "the command that trains and infers",
    "domain": "the nouns: frozen values",
    "language": "English by tables",
}
"""What a room is for, in a few words."""

_COLOURS = {
    "run": ("cli", "estimate", "app", "cluster", "engine", "tasks", "training"),
    "work": ("roles", "dataset", "scoring", "endpoints", "limits", "prompting", "calls"),
    "disk": ("intake", "config", "storage"),
    "pure": ("stages", "policy", "similarity", "ms_swift", "domain", "language"),
}
_WIDTH, _MARGIN, _GAP, _HEIGHT, _STEP = 960, 10, 12, 40, 58
_STYLE = """
      .box { stroke-width: 1.5 } text { text-anchor: middle }
      .run { fill: #fbefff; stroke: #8250df } .work { fill: #ddf4ff; stroke: #218bff }
      .pure { fill: #dafbe1; stroke: #2da44e } .disk { fill: #fff8c5; stroke: #bf8700 }
      .h { font-weight: bold; fill: #1f2328 } .s { font-size: 11px; fill: #424a53 }
      .a { stroke: #7d8590; stroke-width: 2; fill: none }
    """


def floors() -> list[list[str]]:
    """The rooms of each layer, top first."""
    contract = tomllib.loads(_CONTRACT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    layers = [[name.split(".")[1] for name in layer.split(" | ")] for layer in contract["layers"]]
    return [[room for room in layer if room in CAPTIONS] for layer in layers]


def render() -> str:
    """The picture."""
    drawn = floors()
    height = 2 * _MARGIN + _STEP * (len(drawn) - 1) + _HEIGHT
    told = ", then ".join(" and ".join(floor) for floor in drawn)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
            ' aria-labelledby="t d" font-family="Helvetica, Arial, sans-serif" font-size="14">',
            '  <title id="t">The rooms of dfj_bootstrap</title>',
            f'  <desc id="d">Imports point down only: {told}.</desc>',
            '  <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6"'
            ' orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#7d8590"/></marker>',
            f"    <style>{_STYLE}</style></defs>",
            *(line for number, floor in enumerate(drawn) for line in _floor(number, floor)),
            *(_arrow(number) for number in range(len(drawn) - 1)),
            "</svg>\n",
        ]
    )


def _floor(number: int, rooms: list[str]) -> Iterator[str]:
    width = (_WIDTH - 2 * _MARGIN - _GAP * (len(rooms) - 1)) / len(rooms)
    for place, room in enumerate(rooms):
        x, y = _MARGIN + place * (width + _GAP), _MARGIN + number * _STEP
        middle, kind = x + width / 2, next(kind for kind, own in _COLOURS.items() if room in own)
        yield f'  <rect class="box {kind}" x="{x:g}" y="{y}" width="{width:g}" height="{_HEIGHT}" rx="8"/>'
        yield f'  <text class="h" x="{middle:g}" y="{y + 17}">{room}</text>'
        yield f'  <text class="s" x="{middle:g}" y="{y + 33}">{escape(CAPTIONS[room])}</text>'


def _arrow(number: int) -> str:
    y = _MARGIN + number * _STEP + _HEIGHT
    return f'  <path class="a" d="M{_WIDTH // 2} {y + 1} V{y + _STEP - _HEIGHT - 2}" marker-end="url(#tip)"/>'
