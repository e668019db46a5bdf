"""From the tables of a run to ``dfj-meta``: a pure function of the tables, the pictures and the options.

Invariants:

- The bytes don't depend on the number of partitions, epochs, engine, workers, or anything but the above.
- It streams: one slice's rows and one row group are in memory.
- A reader sees the old ``dfj-meta`` or the new one, whole; a kill in between is mended by the next start.
- Every seed in the tables is either in the dataset or counted under the reason why not.
- Every row was read back by ``row_reader`` before the dataset takes its place.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.card import CardFacts, card
from dfj_bootstrap.dataset.checksums import OURS, ChecksumWriter, HashedFile, keep_edited_cards
from dfj_bootstrap.dataset.graded import graded_seeds
from dfj_bootstrap.dataset.records import (
    GradedSeed,
    JudgePrompts,
    as_row,
    judge_prompts,
    picture_name,
    seed_records,
    wordings,
)
from dfj_bootstrap.dataset.row_reader import Meant, RowReader, compare_files
from dfj_bootstrap.dataset.shards import DATASETS, SHARD_BYTES, SplitWriter, sync_tree
from dfj_bootstrap.domain.seed import Split
from dfj_bootstrap.domain.trajectory import SeedOutcome
from dfj_bootstrap.errors import RunFolderError
from dfj_bootstrap.intake.images import dataset_bytes
from dfj_bootstrap.policy.pairing import PairCounts
from dfj_bootstrap.policy.splitting import split_of
from dfj_bootstrap.storage.atomic import sync
from dfj_bootstrap.storage.folder import retire
from dfj_bootstrap.storage.reader import RunReader

NOTHING_ACCEPTED = "nothing_accepted"
"""Left out: no level of the seed was accepted."""

IMAGE_IN_OTHER_SPLIT = "image_in_other_split"
"""Left out: another seed shows the same picture, and is in the other split."""


@dataclass(frozen=True, slots=True)
class AssemblySummary:
    """What came out.

    Attributes:
        counts: dataset (``pointwise``, ``pairwise``) → split → rows; a split with none has no folder.
        seeds: split → seeds that are in it.
        pairs: split → all pairs, of which the pairwise counts are kept.
        images: pictures, each counted once per split that it stands in.
        shards: Parquet files.
        left_out: reason (``incomplete``, ``failed``, ``nothing_accepted``, ``image_in_other_split``) → seeds.
    """

    counts: Mapping[str, Mapping[Split, int]]
    seeds: Mapping[Split, int]
    pairs: Mapping[Split, int]
    images: int
    shards: int
    left_out: Mapping[str, int]


def assemble(
    reader: RunReader,
    config: Config,
    backend_note: str,
    on_progress: Callable[[int], None] | None = None,
    *,
    prompts: JudgePrompts | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> AssemblySummary:
    """Make ``dfj-meta`` anew from the tables, and put it in the place of an older one.

    Args:
        reader: of the run, whose folder is held; a partition without a commit has no seeds yet.
        backend_note: for the cards, see ``card``.
        on_progress: told the number of seeds gone through, after each.
        prompts: the judge's user turns; default: the shipped ones.
        shard_bytes: about how large a Parquet file gets.

    Raises:
        RunFolderError: the folder can't be written or the disk is full.
        SeedsError: a picture is gone or has changed.
        RunError: a row does not read back as it was meant; nothing is published.
    """
    run, new = reader.run, reader.run / ".dfj-meta.new"
    recover(run)
    if os.path.lexists(run / "dfj-meta") and not (run / "dfj-meta").is_dir():
        raise RunFolderError(f"{run}: cannot write the dataset: dfj-meta there is no folder; move it away")
    try:
        shutil.rmtree(new, ignore_errors=True)
        keep_edited_cards(run)
        with ChecksumWriter(run, new) as checksums:
            builder = _Builder(new, config, prompts or judge_prompts(), shard_bytes, checksums)
            summary = builder.build(graded_seeds(reader, config.dataset.rng_seed), backend_note, on_progress)
        sync_tree(new)
        _swap(run, new)
        checksums.publish()
    except OSError as error:
        raise RunFolderError(f"{run}: cannot write the dataset: {error.strerror or error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)  # where it failed: a full disk wants the room back
    return summary


def recover(run: Path) -> None:
    """Mend what a kill in the middle of a swap left: put the old dataset back, or finish removing it."""
    current, old = run / "dfj-meta", run / ".dfj-meta.old"
    if os.path.lexists(old) and not os.path.lexists(current):
        old.rename(current)
    retire(old, current, OURS)


def _swap(run: Path, new: Path) -> None:
    current, old = run / "dfj-meta", run / ".dfj-meta.old"
    if os.path.lexists(current):
        current.rename(old)
    new.rename(current)
    sync(run)
    retire(old, current, OURS)


@dataclass(slots=True)
class _Builder:
    """The new dataset, while seeds are added to it in order."""

    root: Path
    config: Config
    prompts: JudgePrompts
    shard_bytes: int
    checksums: ChecksumWriter
    facts: CardFacts = field(default_factory=CardFacts)
    books: dict[Split, PairCounts] = field(default_factory=lambda: dict.fromkeys(Split, PairCounts()))
    left_out: Counter[str] = field(default_factory=Counter)
    writers: dict[tuple[str, Split], SplitWriter] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)
    reader: RowReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = RowReader(self.prompts.pointwise, self.prompts.pairwise)

    def __enter__(self) -> _Builder:
        for dataset in DATASETS:
            self._folder(dataset).mkdir(parents=True)
            for split in Split:
                writer = SplitWriter(
                    self._folder(dataset),
                    dataset,
                    split,
                    self.checksums,
                    twin=None if dataset == DATASETS[0] else self._images(split),
                    shard_bytes=self.shard_bytes,
                )
                self.writers[dataset, split] = self.stack.enter_context(writer)
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.__exit__(*error)

    def build(
        self, seeds: Iterable[GradedSeed], backend_note: str, on_progress: Callable[[int], None] | None
    ) -> AssemblySummary:
        """Write the dataset of these seeds."""
        with self:
            for done, seed in enumerate(seeds, start=1):
                self.add(seed)
                if on_progress:
                    on_progress(done)
        self.compare_files()
        return self.finish(backend_note)

    def add(self, seed: GradedSeed) -> None:
        """Add a seed's rows, or count why it has none."""
        options = self.config.dataset
        split = split_of(
            seed.group, seed.split, test_fraction=options.test_fraction, rng_seed=options.rng_seed
        )
        reason = self._why_not(seed, split)
        if reason:
            self.left_out[reason] += 1
            return
        records = seed_records(seed, split, self.books[split], self.prompts, options)
        pointwise, pairwise, self.books[split] = records
        picture = dataset_bytes(seed.image)
        meant = Meant(wordings(seed, split, options), {level.level: level.critique for level in seed.levels})
        made = [[*map(as_row, pointwise)], [*map(as_row, pairwise)]]
        for dataset, rows in zip(DATASETS, made, strict=True):
            for row in rows:
                self.reader.check(row, meant)
            self.writers[dataset, split].add(picture, rows)
        self.facts.count(split, seed.label, seed.source, seed.licence)
        for level in seed.levels:
            self.facts.count_makers(seed.label, level.makers)

    def _why_not(self, seed: GradedSeed, split: Split) -> str:
        """Why a seed has no rows; empty where it has."""
        complete = seed.outcome == SeedOutcome.COMPLETE
        if seed.outcome == SeedOutcome.FAILED:  # not settled yet: the next run goes on with it
            return SeedOutcome.FAILED
        if self.config.dataset.require_complete_ladder and not complete:
            return SeedOutcome.INCOMPLETE
        if not seed.levels:
            return NOTHING_ACCEPTED
        other = Split.TRAIN if split is Split.TEST else Split.TEST
        name = picture_name(seed.image, self.config.dataset.rng_seed)
        # On disk rather than in memory, which must not grow with the corpus.
        return IMAGE_IN_OTHER_SPLIT if (self._images(other) / name).exists() else ""

    def compare_files(self) -> None:
        """See that both forms of each split, once closed, hold the same rows."""
        for dataset, split in self.writers:
            compare_files(self._folder(dataset), split)

    def finish(self, backend_note: str) -> AssemblySummary:
        """Write the cards, once all writers are closed."""
        counts = {d: {split: self.writers[d, split].rows for split in Split} for d in DATASETS}
        for dataset in DATASETS:
            text = card(dataset, counts[dataset], self.facts, self.books, self.config, backend_note)
            with HashedFile(self._folder(dataset) / "README.md") as file:
                file.write(text.encode())
            self.checksums.add(self._folder(dataset) / "README.md", file.size, file.hexdigest())
        return AssemblySummary(
            counts=counts,
            seeds={split: self.facts.seeds[split] for split in Split},
            pairs={split: self.books[split].total for split in Split},
            images=sum(self.writers["pointwise", split].pictures for split in Split),
            shards=sum(writer.shards for writer in self.writers.values()),
            left_out=dict(sorted(self.left_out.items())),
        )

    def _folder(self, dataset: str) -> Path:
        return self.root / f"dfj-meta-{dataset}"

    def _images(self, split: Split) -> Path:
        return self._folder("pointwise") / split / "images"
