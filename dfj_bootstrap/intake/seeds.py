"""Seeds as a job's items: read from seeds files with their pictures, looked at beside each other."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.item_rows import ItemRow, Refusal
from dfj_bootstrap.intake.json_lines import take_in
from dfj_bootstrap.intake.seed_index import SeedIndex, SplitOf
from dfj_bootstrap.intake.seed_json import differences, seed_from_row, seed_to_row
from dfj_bootstrap.intake.seed_rows import image_root_of, read_seed_rows


@dataclass(frozen=True, slots=True)
class SeedItems:
    """The seeds of some files.

    Attributes:
        image_root: the folder that image paths are relative to; default: each file's own.
        split_of: the split of a group that no row names one for: an added row may not say otherwise.
    """

    noun: ClassVar[str] = "seed"

    files: Sequence[Path]
    image_root: Path | None = None
    split_of: SplitOf | None = None

    def look_through(self) -> tuple[str, int]:
        digest, lines = blake2b(digest_size=16), 0
        for file in self.files:
            root = image_root_of(file, self.image_root)
            digest.update(f"\0{root.resolve()}\0".encode())
            try:
                lines += take_in(file, digest)
            except OSError as error:
                raise SeedsError(f"{file}: cannot read the seeds file: {error.strerror}") from None
        return digest.hexdigest(), lines

    def read(self) -> Generator[ItemRow[Seed] | Refusal, None, None]:
        return read_seed_rows(self.files, self.image_root)

    def index(self) -> SeedIndex:
        return SeedIndex(self.split_of)

    def nothing(self) -> str:
        files = ", ".join(str(file) for file in self.files)
        return f"{files}: there are no rows; a seeds file holds one JSON object per line"

    def to_row(self, item: Seed) -> dict[str, Any]:
        return seed_to_row(item)

    def from_row(self, row: Mapping[str, Any]) -> Seed:
        return seed_from_row(row)

    def differences(self, old: Seed, new: Seed) -> list[str]:
        return differences(old, new)
