"""What a row gives a judge or a detector to look at, in whichever of the forms met in the field it comes.

- The published schema: ``messages``, whose user turn is the whole question, and ``images``.
- Plain rows: ``image``, ``label``, and ``candidate``, or ``response_a`` and ``response_b``; beside a
  candidate perhaps ``gold_rationale`` or ``reference``, the text to match it with.
- What ``dfj detect`` has written of a picture: ``prediction.rationale`` and ``prediction.label``.
- The exams XAIGID-RewardBench (``caption_1``, ``caption_2``), Multimodal RewardBench (``Output1``,
  ``Output2``) and VL-RewardBench (``response``, a list of two).

Whatever is needed and isn't there, or is something else, refuses the row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.domain.texts import defuse, says_something
from dfj_bootstrap.intake.item_rows import RowRefused
from dfj_bootstrap.intake.json_rows import JsonObject
from dfj_bootstrap.intake.safe_text import shown

IMAGE_TAG = "<image>"
"""Stands for the picture in a user turn."""

_PICTURES = ("image", "Image", "image_path", "img_path")
_PAIRS = (("response_a", "response_b"), ("caption_1", "caption_2"), ("Output1", "Output2"))
_REFERENCES = ("gold_rationale", "reference")
_QUERIES = ("query", "Text", "question")
_TAGGED = re.compile(r"\s*<reasoning>(.*)</reasoning>\s*<answer>\s*(\w+)\s*</answer>\s*", re.DOTALL)
_CANDIDATE = re.compile(
    r"<reasoning>[^<]*(?:<(?!/?reasoning>)[^<]*)*</reasoning>\s*<answer>\s*(?:real|fake|edited)\s*</answer>"
)
_CHOSEN = re.compile(r"<answer>\s*[AB]\s*</answer>\s*")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a row shows.

    Attributes:
        turn: the whole question, where the row has it.
        texts: the candidate, or the two of a pair, as they are put into a prompt; of a turn, those that
            stand in it; empty where there are none.
        pair: whether two texts are compared.
        label: the picture's true class.
        query: what the texts answer, in exams.
    """

    turn: str | None
    texts: tuple[str, ...]
    pair: bool
    label: str | None
    query: str | None

    def swapped_turn(self) -> str:
        """The turn with its two texts in each other's place.

        Raises:
            RowRefused: they can't be told.
        """
        found = list(_CANDIDATE.finditer(self.turn or ""))
        if len(found) != 2:
            raise RowRefused(
                "messages",
                "both orders are wanted, but the user's turn doesn't hold exactly two texts of the form "
                "<reasoning>…</reasoning> <answer>…</answer>",
            )
        (a, b), turn = found, self.turn or ""
        return f"{turn[: a.start()]}{b[0]}{turn[a.end() : b.start()]}{a[0]}{turn[b.end() :]}"


def row_id(row: Mapping[str, Any]) -> object:
    """What a row is known by; the ids of VL-RewardBench repeat, so those rows are known by their content."""
    if "human_ranking" in row:
        responses = row.get("response")
        texts = sorted(map(str, responses)) if isinstance(responses, list) else []
        said = repr((row.get("id"), row.get("query"), texts)).encode("utf-8", "replace")
        return blake2b(said, digest_size=16).hexdigest()
    return next((row[key] for key in ("triplet_id", "id", "ID") if row.get(key) not in (None, "")), None)


def picture_of(row: Mapping[str, Any]) -> str:
    """The path of a row's picture.

    Raises:
        RowRefused: it names none, or several.
    """
    if "images" in row:
        pictures = row["images"]
        if not isinstance(pictures, list) or len(pictures) != 1:
            what = f"{len(pictures)} pictures" if isinstance(pictures, list) else shown(pictures)
            raise RowRefused("images", f"must be a list of one path, not {what}")
        return _path("images.0", pictures[0])
    name = next((name for name in _PICTURES if row.get(name) is not None), None)
    if name is None:
        raise RowRefused("image", "missing; name the picture's file here, or in `images`")
    return _path(name, row[name])


def shown_by(row: JsonObject) -> Shown:
    """What a row gives to look at.

    Raises:
        RowRefused: nothing that can be judged.
    """
    query = next((row[name] for name in _QUERIES if isinstance(row.get(name), str)), None)
    if "messages" in row:
        turn, target = _turns(row["messages"])
        found = tuple(_CANDIDATE.findall(turn))
        return Shown(turn, found, _is_pair(row, found, target), _label(row), query)
    texts = _texts(row)
    return Shown(None, texts, len(texts) == 2, _label(row), query)


def texts_of(row: JsonObject) -> Shown:
    """As ``shown_by``, of a row that has something to be judged in it.

    Raises:
        RowRefused: it has not.
    """
    found = shown_by(row)
    if found.turn is None and not found.texts:
        raise RowRefused(
            "", "the row has none of `messages`, `candidate`, and `response_a` with `response_b`"
        )
    return found


def reference_of(row: JsonObject) -> str:
    """The text that a row's one text is to be matched with, as it is put into a prompt.

    Raises:
        RowRefused: there is none.
    """
    name = next((name for name in _REFERENCES if row.get(name) is not None), None)
    if name is None:
        raise RowRefused("gold_rationale", "missing; it, or `reference`, is what the text is matched with")
    return _text(name, row[name])


def written_before(row: JsonObject) -> dict[str, str]:
    """The rationale of ``dfj detect`` that is judged, which the new prediction is to hold as well."""
    own = [row.get(name) for name in ("messages", "candidate", *sum(_PAIRS, ()))]
    prediction = row.get("prediction")
    if any(own) or not isinstance(prediction, dict) or not isinstance(prediction.get("rationale"), str):
        return {}
    return {"rationale": prediction["rationale"]}


def candidate(text: str) -> str:
    """A text as a judge is shown it: tagged where it is, and nothing in it breaks out of its place."""
    tagged = _TAGGED.fullmatch(text)
    if tagged and tagged[2].lower() in list(Label):
        return Rationale(tagged[1], Label(tagged[2].lower())).tagged()
    return defuse(text)


def _texts(row: JsonObject) -> tuple[str, ...]:
    for a, b in _PAIRS:
        if row.get(a) is not None or row.get(b) is not None:
            return _text(a, row.get(a)), _text(b, row.get(b))
    responses = row.get("response")
    if isinstance(responses, list):
        if len(responses) != 2:
            raise RowRefused("response", f"must be a list of two texts, not of {len(responses)}")
        return _text("response.0", responses[0]), _text("response.1", responses[1])
    if row.get("candidate") is not None:
        return (_text("candidate", row["candidate"]),)
    written = _written(row)
    return () if written is None else (written,)


def _written(row: JsonObject) -> str | None:
    """What ``dfj detect`` has written."""
    prediction = row.get("prediction")
    if not isinstance(prediction, dict) or not isinstance(prediction.get("rationale"), str):
        return None
    label = prediction.get("label")
    if label not in list(Label):
        return _text("prediction.rationale", prediction["rationale"])
    return Rationale(prediction["rationale"], Label(label)).tagged()


def _text(name: str, value: object) -> str:
    if value is None:
        raise RowRefused(name, "missing; of a pair both texts are needed")
    if not isinstance(value, str):
        raise RowRefused(name, f"must be a text, not {shown(value)}")
    if not says_something(value):
        raise RowRefused(name, f"{shown(value)} holds no letter or digit")
    return candidate(value)


def _label(row: JsonObject) -> str | None:
    value = row.get("label")
    if value is None:
        return None
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in list(Label):
        raise RowRefused("label", f"must be one of {', '.join(Label)}, not {shown(value)}")
    return word


def _turns(messages: object) -> tuple[str, str]:
    """The user's turn and the assistant's, empty where there is none.

    Raises:
        RowRefused: they are no single question, with an answer at the most.
    """
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        raise RowRefused("messages", "must be a list of turns, each with `role` and `content`")
    roles = [turn.get("role") for turn in messages]
    if roles not in (["user"], ["user", "assistant"]):
        raise RowRefused(
            "messages", f"must be one user's turn, and the assistant's after it at most, not {shown(roles)}"
        )
    said = [_said(number, turn.get("content")) for number, turn in enumerate(messages)]
    if said[0].count(IMAGE_TAG) > 1:
        raise RowRefused("messages.0.content", f"holds {IMAGE_TAG} more than once; a row has one picture")
    return said[0], said[1] if len(said) > 1 else ""


def _said(number: int, content: object) -> str:
    if not isinstance(content, str) or (number == 0 and not says_something(content.replace(IMAGE_TAG, ""))):
        raise RowRefused(f"messages.{number}.content", f"must be a text, not {shown(content)}")
    return content


def _is_pair(row: JsonObject, found: Sequence[str], target: str) -> bool:
    told = row.get("level_a") is not None or bool(_CHOSEN.fullmatch(target))
    return told or len(found) == 2


def _path(field: str, value: object) -> str:
    path = value.get("path") if isinstance(value, dict) else value
    if not isinstance(path, str):
        raise RowRefused(field, f"must be the path of a picture's file, not {shown(value)}")
    return path
