"""The dataset card: a README whose YAML ``datasets.load_dataset`` understands, and what a user must know.

It holds no time, host, path or cost, so that the same data give the same card. What comes from seed rows
(sources, licences) is data: it can't break the table that it stands in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.domain.model_names import public_name
from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.policy.pairing import PairCounts

UNKNOWN = "not stated"
_MOST_SOURCES = 200
_MOST_MODELS = 50
_OTHER_MODELS = "other models"

GOLD, RATIONALE, PARAPHRASE, RATING = "gold rationales", "rationales", "paraphrases", "ratings"
"""What models make, in the card's words and order."""
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|#~$&]")

_WHAT = {
    "pointwise": "Each row shows an image, its class and one rationale; the target is a short reasoning "
    "and a score from 1 to 5.",
    "pairwise": "Each row shows an image, its class and two rationales of different quality; the target is "
    "the letter of the better one.",
}
_COLUMNS = {
    "pointwise": "`level` (1–5, the score in the target)",
    "pairwise": "`level_a` and `level_b` (1–5; the higher one is preferred)",
}
_RULES = "embedded rules"
_OWN = {GOLD: f"people, or the {_RULES}", RATIONALE: _RULES, PARAPHRASE: _RULES, RATING: _RULES}
"""Who made what comes from no model."""

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


@dataclass(slots=True)
class CardFacts:
    """What is counted for the card while seeds go by, in the dataset's order."""

    seeds: Counter[Split] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    made: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def count(self, split: Split, label: str, source: str | None, licence: str | None) -> None:
        self.seeds[split] += 1
        self.labels[label] += 1
        self.licences[licence or UNKNOWN] += 1
        key = (source or UNKNOWN, licence or UNKNOWN)
        # Bounded: a corpus in which every row names its own source must not fill memory or the card.
        if key in self.sources or len(self.sources) < _MOST_SOURCES:
            self.sources[key] += 1

    def count_makers(self, label: str, makers: Iterable[tuple[str, str]]) -> None:
        """What was made for one level of an image of this class: (what, model) for each text and rating."""
        for what, model in ((what, public_name(model)) for what, model in makers):
            # Servers name the models, so here too a bound is needed.
            known = (what, model) in self.made or len(self.made) < _MOST_MODELS
            self.made.setdefault((what, model if known else _OTHER_MODELS), Counter())[label] += 1


def card(
    dataset: str,
    rows: Mapping[Split, int],
    facts: CardFacts,
    books: Mapping[Split, PairCounts],
    config: Config,
    backend_note: str,
) -> str:
    """The README of one dataset.

    Args:
        dataset: ``pointwise`` or ``pairwise``.
        rows: of each split; an empty one is not mentioned.
        books: pairs of each split, all and kept.
        backend_note: sentences on which backend and models made the data and what that is good for.
    """
    there = {split: rows[split] for split in Split if rows.get(split)}
    sections = [
        f"# DFJ-Meta {dataset}",
        f"Graded rationales to train and test a judge of deepfake explanations. {_WHAT[dataset]}",
        "\n\n".join(["## How it was made", _recipe(config), backend_note.strip(), *_makers(facts)]),
        "## What is in it\n\n" + _counts(dataset, there, facts, books, config),
        "## Format\n\n" + _format(dataset),
        "## Sources and licences\n\n" + _licences(facts),
        "## Limits\n\n" + _LIMITS,
    ]
    return _front_matter(dataset, there, facts) + "\n" + "\n\n".join(sections) + "\n"


def _front_matter(dataset: str, rows: Mapping[Split, int], facts: CardFacts) -> str:
    known = any(licence != UNKNOWN for licence in facts.licences)
    head: dict[str, object] = {
        "pretty_name": f"DFJ-Meta {dataset}",
        "language": ["en"],
        "license": "other" if known else "unknown",
        "task_categories": ["image-text-to-text"],
        "size_categories": [_size(sum(rows.values()))],
        "tags": ["synthetic", "deepfake-detection", "llm-as-a-judge", "dfj-meta"],
    }
    if rows:
        files = [{"split": str(split), "path": f"data/{split}-*.parquet"} for split in rows]
        head["configs"] = [{"config_name": "default", "data_files": files}]
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "n>1M")


def _recipe(config: Config) -> str:
    refine, options, similarity = config.refine, config.dataset, config.similarity
    gate = (
        f"a rationale is accepted where its rating is within {refine.threshold} of the intended one"
        if refine.gate == "per-level"
        else f"a ladder is accepted where its ratings are off by at most {refine.threshold} in sum"
    )
    window = (
        "without a similarity window"
        if similarity.backend == "none"
        else f"at a similarity of {similarity.min} to {similarity.max} to the original ({similarity.backend})"
    )
    ladders = "Only seeds with all five levels are in it." if options.require_complete_ladder else (
        "Seeds of which some levels were rejected are in it with the levels that passed."
    )  # fmt: skip
    return (
        "Every image comes with its class and a gold rationale (level 5). For each of the levels 1 to 4 a "
        "generator wrote a rationale of that quality, and an evaluator, which was not told the level, rated "
        f"it; {gate}, after at most {refine.max_rounds} rounds of rewriting. Accepted rationales were "
        f"paraphrased up to {config.paraphraser.count} times, {window}. {ladders} "
        "Images of one group share a split. "
        f"Splits, samples, sides and order follow from `rng_seed` {options.rng_seed}."
    )


def _makers(facts: CardFacts) -> list[str]:
    """Which model made how much for each class: a model that refuses leaves its share to another one."""
    if not facts.made:
        return []
    labels = sorted(facts.labels)
    rows = [
        f"| {what} | {_plain(model) or _OWN[what]} | {' | '.join(f'{counts[label]:,}' for label in labels)} |"
        for what in _OWN
        for (kind, model), counts in sorted(facts.made.items())
        if kind == what
    ]
    head = [f"| what | by | {' | '.join(labels)} |", "|---|---|" + "---|" * len(labels)]
    return ["Who made it, by class of the image:", "\n".join([*head, *rows])]


def _counts(
    dataset: str,
    rows: Mapping[Split, int],
    facts: CardFacts,
    books: Mapping[Split, PairCounts],
    config: Config,
) -> str:
    if not rows:
        return "Nothing: no seed gave a row."
    lines = ["| split | seeds | rows |", "|---|---|---|"]
    lines += [f"| {split} | {facts.seeds[split]:,} | {count:,} |" for split, count in rows.items()]
    labels = ", ".join(f"{count:,} {label}" for label, count in sorted(facts.labels.items()))
    lines += ["", f"Seeds by class: {labels}."]
    if dataset == "pairwise" and Split.TRAIN in rows:
        train = books[Split.TRAIN]
        lines.append(
            f"The train split holds {train.kept:,} of {train.total:,} pairs "
            f"(a seeded sample of {config.dataset.pair_fraction:g}); A and B are preferred equally often."
        )
    return "\n".join(lines)


def _format(dataset: str) -> str:
    return (
        "Parquet in `data/` (pictures embedded) for `datasets.load_dataset`; the same rows as JSONL in "
        "`<split>/data.jsonl` with pictures in `<split>/images/` for trainers such as ms-swift. "
        "Columns: `id`, `messages` (user and assistant turn; one `<image>` tag), `images`, `seed_id`, "
        f"`label`, {_COLUMNS[dataset]}, `paraphrase` (which wording of its level). Rows of one image stand "
        "together: shuffle before training. Media tags and chat specials inside texts are written with "
        "square brackets."
    )


def _licences(facts: CardFacts) -> str:
    if not facts.sources:
        return "None."
    lines = ["| source | licence | seeds |", "|---|---|---|"]
    lines += [f"| {_plain(s)} | {_plain(li)} | {n:,} |" for (s, li), n in sorted(facts.sources.items())]
    others = sum(facts.seeds.values()) - sum(facts.sources.values())
    if others:
        lines.append(f"| other sources | various | {others:,} |")
    lines += [
        "",
        "Pictures stay under their own licences; `not stated` means that the seed's row names none.",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text from a row as one harmless table cell."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", " ".join(text.split()))[:300]


_LIMITS = """\
- Levels 1 to 4 are machine-written: bad on purpose, and wrong about their image by design. Never use them as
  descriptions of the images.
- A level is what an automatic evaluator agreed to, not what people measured. Neighbouring levels are hard to
  tell apart, above all 2 and 3, and 4 and 5.
- A rationale of a level below 3 answers the wrong side of real against not-real; a judge could learn that
  sign alone. Look at its errors within levels 1–2 and within 3–5.
- Paraphrases of one rationale share its claims: the rows of one image are far from independent."""
