"""Prompt files: plain text with named placeholders, e.g. ``{label}``.

A placeholder is an identifier in single braces. All are replaced in one pass, so that braces in a value
are never read again, and every other brace, in the file or in a value, stays as it is (``str.format`` would
fail on the JSON examples that such files hold). A line ``=== name ===`` begins a section: text with its own
placeholders, for a role to use or leave out. Prompts are found as shipped names (``generator/v1``) or as
paths of the user's own files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from dfj_bootstrap.calls.call import IMAGE
from dfj_bootstrap.errors import ConfigError
from dfj_bootstrap.resources import shipped

IMAGE_TAG = "<image>"
"""Stands for the picture in the prompts of others, as in the rows that judges are trained on."""

_PLACEHOLDER = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")
_IMAGE = re.compile(r"(?<!\{)\{image\}(?!\})")
_SECTION = re.compile(r"^=== *([a-z_]+) *===[ \t]*\n?", re.MULTILINE)
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, read.

    Attributes:
        name: as the configuration names it.
        text: what comes before the first section.
        digest: hex BLAKE2b-128 of the whole text with ``\\n`` line ends: part of each call's key.
        sections: section name → its text.
    """

    name: str
    text: str
    digest: str
    sections: Mapping[str, str]

    def parts(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The text with ``values`` filled in, split around the image where ``{image}`` stands."""
        image = _IMAGE.search(self.text)
        if not image:
            return (fill(self.text, values),)
        before, after = self.text[: image.start()], self.text[image.end() :]
        parts = (fill(before, values), IMAGE, fill(after, values))
        return tuple(part for part in parts if part.strip())

    def section(self, name: str, values: Mapping[str, str]) -> str:
        """A section with ``values`` filled in."""
        return fill(self.sections[name], values)


@dataclass(frozen=True, slots=True)
class Form:
    """Which placeholders a prompt of some purpose may and must have.

    Attributes:
        known: placeholders of the main text, without ``image``.
        required: those that it cannot do without.
        image: whether ``{image}`` may stand in it.
        sections: name → its placeholders; every section is needed.
        braces: whether any other name in braces is text: prompts of others show forms such as ``{A_or_B}``,
            and place the picture by its tag.
    """

    known: frozenset[str]
    required: frozenset[str]
    image: bool
    sections: Mapping[str, frozenset[str]]
    braces: bool = False


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder that has a value, in one pass; leave everything else as it is."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]).replace("\0", ""), text)


def placeholders(text: str) -> list[str]:
    """The names of all placeholders, in order, with repetitions."""
    return [match[1] for match in _PLACEHOLDER.finditer(text)]


def parse_prompt(name: str, text: str) -> Prompt:
    """Split a prompt file's text into main text and sections."""
    text = text.replace("\r\n", "\n").strip() + "\n"
    main, *rest = _SECTION.split(text)
    sections = {key: body.strip() for key, body in zip(rest[::2], rest[1::2], strict=True)}
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return Prompt(name, main.strip(), digest, sections)


def load_prompt(name: str, base: Path | None = None) -> Prompt:
    """Read a shipped prompt or the user's own file.

    Args:
        name: ``role/version`` of a shipped prompt, else a path.
        base: the folder that a relative path starts from; default: the working folder.

    Raises:
        ConfigError: there is no such prompt, or it can't be read; names the nearest shipped ones.
    """
    if name in shipped_prompts():
        path = shipped("prompts") / f"{name}.txt"
    else:
        path = (base or Path()) / Path(name).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"prompt {name!r}: no file {path} and no shipped prompt of that name{_near(name)}"
            )
    return parse_prompt(name, _read(path))


def shipped_prompts() -> list[str]:
    """The names of the prompts that come with the package, sorted."""
    folder = shipped("prompts")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.txt"))


def check_placeholders(prompt: Prompt, form: Form) -> None:
    """Refuse a prompt with an unknown placeholder, or without one that it needs.

    Raises:
        ConfigError: naming the prompt, the placeholder and the nearest right name.
    """
    known = form.known | ({"image"} if form.image else frozenset())
    found = [name for name in placeholders(prompt.text) if name in known or not form.braces]
    _check_names(prompt.name, "", found, known, form.required)
    tags = prompt.text.count(IMAGE_TAG) if form.braces else 0
    if tags + placeholders(prompt.text).count("image") > 1:
        tag = f" or {IMAGE_TAG}" if tags else ""
        raise ConfigError(
            f"prompt {prompt.name!r}: {{image}}{tag} stands more than once; the picture is sent once"
        )
    for name in prompt.sections:
        if name not in form.sections:
            raise ConfigError(
                f"prompt {prompt.name!r}: unknown section `=== {name} ===`{_hint(name, form.sections)}"
            )
    for name, allowed in form.sections.items():
        if name not in prompt.sections:
            raise ConfigError(
                f"prompt {prompt.name!r}: needs a section that begins with the line `=== {name} ===`"
            )
        _check_names(prompt.name, f" in section {name}", placeholders(prompt.sections[name]), allowed, ())


def _check_names(
    prompt: str, where: str, found: list[str], known: frozenset[str], required: Collection[str]
) -> None:
    for name in found:
        if name not in known:
            raise ConfigError(f"prompt {prompt!r}{where}: unknown placeholder {{{name}}}{_hint(name, known)}")
    for name in sorted(required):
        if name not in found:
            raise ConfigError(f"prompt {prompt!r}{where}: the placeholder {{{name}}} is missing")


def _hint(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if match:
        return f"; did you mean `{match[0]}`?"
    return f"; known: {', '.join(names)}" if names else "; none is known here"


def _near(name: str) -> str:
    names = shipped_prompts()
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean `{match[0]}`?" if match else f"; shipped: {', '.join(names)}"


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"prompt {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"prompt {path}: is not UTF-8 text") from None
    if len(data) > _MAX_BYTES or "\0" in text or not text.strip():
        raise ConfigError(f"prompt {path}: is empty, too long or not plain text")
    return text
