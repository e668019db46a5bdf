"""What a model is shown of a picture: scaled within limits, once, and only where it must be."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dfj_bootstrap.calls.pictures import Pictures
from dfj_bootstrap.config.models import OpenAIModel
from dfj_bootstrap.domain.resizing import FACTOR, MAX_PIXELS, MIN_PIXELS, PixelLimits, shown_size
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.intake.images import dataset_bytes, open_image, shown_bytes
from tests.support.seeds import write_picture

PUBLISHED = PixelLimits()


def picture(folder: Path, name: str, size: tuple[int, int]) -> ImageRef:
    gradient = Image.linear_gradient("L").resize(size).convert("RGB")
    gradient.save(folder / name)
    return open_image(folder, name)


def shown(ref: ImageRef, limits: PixelLimits = PUBLISHED) -> tuple[Image.Image, str]:
    data, suffix = shown_bytes(ref, limits)
    return Image.open(BytesIO(data)), suffix


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((640, 480), (640, 480)),
        ((1000, 1000), (980, 980)),  # as 1008 × 1008, to which it is rounded, is above the limit
        ((1024, 1024), (980, 980)),
        ((4000, 3000), (1148, 840)),
        ((32, 24), (84, 56)),
        ((56, 56), (56, 56)),
    ],
)
def test_the_size_is_as_published(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert shown_size(*size, PUBLISHED) == wanted


@given(
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    least=st.integers(1, 500_000),
    more=st.integers(0, 2_000_000),
)
def test_a_scaled_picture_has_sides_of_the_factor_and_stays_below_the_upper_limit(
    width: int, height: int, least: int, more: int
) -> None:
    limits = PixelLimits(least, max(FACTOR**2, least + more))
    wide, high = shown_size(width, height, limits)
    if (wide, high) == (width, height):
        rounded = [max(1, round(side / FACTOR)) * FACTOR for side in (width, height)]
        assert limits.least <= rounded[0] * rounded[1] <= limits.most
    else:
        assert wide % FACTOR == high % FACTOR == 0
        assert 0 < wide * high <= limits.most


@given(width=st.integers(8, 20_000), height=st.integers(8, 20_000))
def test_usual_proportions_are_kept_and_the_lower_limit_is_reached(width: int, height: int) -> None:
    if max(width, height) > 8 * min(width, height):
        return
    wide, high = shown_size(width, height, PUBLISHED)
    rounded = round(wide / FACTOR) * round(high / FACTOR) * FACTOR**2
    assert MIN_PIXELS <= rounded <= MAX_PIXELS
    assert abs(wide - high * width / height) <= 2 * FACTOR * max(1, width / height)


def test_a_picture_within_the_limits_is_shown_as_it_goes_into_the_dataset(tmp_path: Path) -> None:
    ref = picture(tmp_path, "a.jpg", (300, 200))
    assert shown_bytes(ref, PUBLISHED) == (dataset_bytes(ref), ".jpg")


def test_a_large_png_is_scaled_without_loss_and_a_large_jpeg_stays_one(tmp_path: Path) -> None:
    png, suffix = shown(picture(tmp_path, "a.png", (1400, 1000)))
    assert (png.format, png.size, suffix) == ("PNG", shown_size(1400, 1000, PUBLISHED), ".png")
    jpeg, suffix = shown(picture(tmp_path, "a.jpg", (1400, 1000)))
    assert (jpeg.format, jpeg.size, suffix) == ("JPEG", png.size, ".jpg")
    webp, suffix = shown(picture(tmp_path, "a.webp", (1400, 1000)))
    assert (webp.format, suffix) == ("JPEG", ".jpg")


def test_a_lying_photograph_is_scaled_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "a.jpg", exif=exif)
    upright, suffix = shown(open_image(tmp_path, "a.jpg"))
    assert suffix == ".jpg"
    assert upright.size == shown_size(1000, 2000, PUBLISHED)
    assert not upright.getexif()


def test_what_goes_into_the_dataset_is_not_scaled(tmp_path: Path) -> None:
    ref = picture(tmp_path, "a.png", (1400, 1000))
    shown_bytes(ref, PUBLISHED)
    assert dataset_bytes(ref) == (tmp_path / "a.png").read_bytes()


async def test_each_model_has_limits_of_its_own(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1, (300, 200))
    ref = open_image(tmp_path, "a.png")
    small = OpenAIModel(backend="openai", model="m", max_pixels=20_000)
    head, data = (await Pictures(small.pixels).data_url(ref)).split(",")
    assert head == "data:image/png;base64"
    scaled = Image.open(BytesIO(base64.b64decode(data)))
    assert scaled.size == shown_size(300, 200, PixelLimits(MIN_PIXELS, 20_000)) != (300, 200)


async def test_a_scaled_picture_is_made_before_its_turn_and_only_once(tmp_path: Path) -> None:
    refs = [picture(tmp_path, f"{name}.png", (1400, 1000 + 28 * n)) for n, name in enumerate("ab")]
    pictures = Pictures(PUBLISHED, most_characters=1)
    for ref in refs:
        await pictures.prepare(ref)
        (tmp_path / ref.name).unlink()
    for ref in (*refs, *refs):
        url = await pictures.data_url(ref)
        scaled = Image.open(BytesIO(base64.b64decode(url.split(",")[1])))
        assert scaled.size == shown_size(ref.width, ref.height, PUBLISHED)


async def test_the_file_of_scaled_pictures_does_not_grow_without_end(tmp_path: Path) -> None:
    refs = [picture(tmp_path, f"{n}.png", (1400, 1000 + 28 * n)) for n in range(3)]
    wanted = [shown_bytes(ref, PUBLISHED)[0] for ref in refs]
    pictures = Pictures(PUBLISHED, most_characters=1, most_bytes=max(map(len, wanted)))
    for ref, data in [*zip(refs, wanted, strict=True)] * 2:
        url = await pictures.data_url(ref)
        assert base64.b64decode(url.split(",")[1]) == data


@pytest.mark.parametrize("wrong", [{"max_pixels": 783}, {"max_pixels": 1000, "min_pixels": 2000}])
def test_limits_that_no_picture_can_meet_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        OpenAIModel.model_validate({"backend": "openai", "model": "m", **wrong})
