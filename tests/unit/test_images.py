"""Pictures from untrusted rows: what is accepted, what is refused, and what goes into the dataset."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.images import BadImage, ImageLimits, dataset_bytes, open_image, upright_png
from tests.support.seeds import BAD, write_picture

IMAGES = BAD / "images"


def pixels(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data)).convert("RGB")


def saved(folder: Path, picture: Image.Image, name: str, **options: Any) -> ImageRef:
    picture.save(folder / name, **options)
    return open_image(folder, name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("truncated.jpg", "damaged or cut off"),
        ("empty.jpg", "empty"),
        ("not_an_image.png", "not a picture of a known format; use PNG, JPEG or WebP"),
        ("bomb_30000.png", "900,000,000 pixels; the most is 64,000,000"),
        ("animated.gif", "this is a GIF; use PNG, JPEG or WebP"),
        ("one_pixel.png", "each side needs 8"),
        ("script.svg", "this is an SVG"),
        ("does_not_exist.png", "no such file"),
        (".", "a folder"),
        ("ok_1.png/deeper.png", "no such file"),
        ("../images/ok_1.png", r"`\.\.`"),
        ("../../../../etc/passwd", r"`\.\.`"),
        ("/etc/passwd", "absolute"),
        ("C:/windows/win.ini", "absolute"),
        ("http://127.0.0.1:9/secret.png", "URL"),
        ("file:///etc/passwd", "URL"),
        ("data:image/png;base64,AAAA", "URL"),
        ("images\\ok_1.png", "backslashes"),
        ("ok_1.png\0.jpg", "control characters"),
        ("ok\u202e_1.png", "control characters"),
        ("ok\ud800.png", "halves of characters"),
        ("  ", "empty"),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_a_bad_picture_or_path_is_refused_with_its_reason(name: str, why: str) -> None:
    with pytest.raises(BadImage, match=why):
        open_image(IMAGES, name)


@pytest.mark.parametrize(
    ("name", "size", "suffix", "verbatim"),
    [
        ("ok_1.png", (160, 120), ".png", True),
        ("ok_2.jpg", (160, 120), ".jpg", True),
        ("plain.webp", (160, 120), ".webp", True),
        ("jpeg_content.png", (160, 120), ".jpg", True),
        ("name with spaces é 图 🙂.png", (160, 120), ".png", True),
        ("very_wide.png", (6000, 8), ".png", True),
        ("cmyk.jpg", (160, 120), ".png", False),
        ("palette_alpha.png", (160, 120), ".png", False),
        ("exif_rotated.jpg", (120, 160), ".png", False),
        ("sixteen_bit_grey.png", (64, 48), ".png", False),
    ],
)
def test_a_good_picture_is_described_as_its_upright_content(
    name: str, size: tuple[int, int], suffix: str, verbatim: bool
) -> None:
    ref = open_image(IMAGES, name)
    assert (ref.name, (ref.width, ref.height), ref.suffix, ref.verbatim) == (name, size, suffix, verbatim)
    assert Path(ref.path).is_absolute()
    data = dataset_bytes(ref)
    assert pixels(data).size == size
    assert (data == Path(ref.path).read_bytes()) is verbatim


_MEASURE = """
import resource, sys
from pathlib import Path
from dfj_bootstrap.intake.images import BadImage, open_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_image(Path(sys.argv[1]), "bomb_30000.png")
except BadImage:
    sys.exit(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 20_000)  # kB
sys.exit(2)
"""


def test_the_bomb_costs_no_memory() -> None:
    command = [sys.executable, "-W", "error", "-c", _MEASURE, str(IMAGES)]
    assert subprocess.run(command, check=False, cwd=BAD.parents[2]).returncode == 0


def test_a_webp_is_measured_before_its_parser_sees_it(tmp_path: Path) -> None:
    vp8x = struct.pack("<4sI4x", b"VP8X", 10) + (16382).to_bytes(3, "little") * 2
    body = b"WEBP" + vp8x
    (tmp_path / "bomb.webp").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(BadImage, match="16383 × 16383"):
        open_image(tmp_path, "bomb.webp")


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}, {"exif": Image.Exif()}])
def test_every_kind_of_webp_is_measured_right(tmp_path: Path, options: dict[str, object]) -> None:
    ref = saved(tmp_path, Image.new("RGB", (33, 17), "red"), "a.webp", **options)
    assert (ref.width, ref.height, ref.verbatim) == (33, 17, True)
    with pytest.raises(BadImage, match="33 × 17"):
        open_image(tmp_path, "a.webp", ImageLimits(pixels=500))


def test_an_exif_turn_is_applied_and_leaves_no_exif() -> None:
    data = upright_png(IMAGES / "exif_rotated.jpg")
    lying = Image.open(IMAGES / "exif_rotated.jpg").convert("RGB")
    assert pixels(data).tobytes() == lying.transpose(Image.Transpose.ROTATE_270).tobytes()
    assert not Image.open(BytesIO(data)).getexif()


CAFE = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
DECOMPOSED = "cafe\N{COMBINING ACUTE ACCENT}"


@pytest.mark.parametrize(
    "spelling",
    [
        "images/a.png",
        "./images/a.png",
        "images//a.png",
        "images/./a.png",
        "images/../images/a.png",
        "x/../images/a.png",
    ],
)
def test_one_file_has_one_name_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    write_picture(tmp_path / "images" / "a.png", 1)
    assert open_image(tmp_path, spelling).name == "images/a.png"


@pytest.mark.parametrize("spelling", ["images/../../a.png", "..", "./../a.png", "images/../../images/a.png"])
def test_a_way_out_of_the_root_is_refused_even_if_it_comes_back(tmp_path: Path, spelling: str) -> None:
    write_picture(tmp_path / "root" / "images" / "a.png", 1)
    with pytest.raises(BadImage, match=r"`\.\.`"):
        open_image(tmp_path / "root", spelling)


def test_a_way_back_from_behind_a_link_is_not_taken_for_another_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    write_picture(tmp_path / "far" / "a.png", 2)
    (tmp_path / "far" / "away").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    with pytest.raises(BadImage, match=r"`\.\.` behind a link"):
        open_image(tmp_path, "link/../a.png")


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (f"{CAFE}/{CAFE}.png", f"{DECOMPOSED}/{DECOMPOSED}.png"),
        (f"{DECOMPOSED}/{DECOMPOSED}.png", f"{CAFE}/{CAFE}.png"),
        (f"{DECOMPOSED}/{CAFE}.png", f"./{CAFE}//{DECOMPOSED}.png"),
    ],
)
def test_an_accent_is_found_in_either_of_its_forms(tmp_path: Path, there: str, asked: str) -> None:
    write_picture(tmp_path / there, 1)
    assert open_image(tmp_path, asked).name == there


def test_where_both_forms_are_there_each_is_itself(tmp_path: Path) -> None:
    digests = []
    for number, name in enumerate((f"{CAFE}.png", f"{DECOMPOSED}.png")):
        write_picture(tmp_path / name, number)
        digests.append(open_image(tmp_path, name).digest)
        assert open_image(tmp_path, name).name == name
    assert len({*digests, open_image(tmp_path, f"{CAFE}.png").digest}) == 2


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("images/cat.png", '"Images/Cat.PNG"'),
        ("IMAGES/Cat.PNG", '"Images/Cat.PNG"'),
        (" Images/Cat.PNG ", '"Images/Cat.PNG"'),
        (f"Images/{DECOMPOSED}{CAFE}.png", f'"Images/{CAFE}{DECOMPOSED}.png"'),
    ],
)
def test_a_name_that_differs_in_more_is_told_and_not_guessed(tmp_path: Path, asked: str, hint: str) -> None:
    write_picture(tmp_path / "Images" / "Cat.PNG".lower(), 1)
    (tmp_path / "Images" / "cat.png").rename(tmp_path / "Images" / "Cat.PNG")
    (tmp_path / "Images" / f"{CAFE}{DECOMPOSED}.png").touch()
    with pytest.raises(BadImage) as refused:
        open_image(tmp_path, asked)
    shown = hint.encode("ascii", "backslashreplace").decode().replace("\\xe9", "\\u00e9")
    assert f"no such file in the image root; there is {shown}, whose name differs in capitals" in str(
        refused.value
    )


def test_nothing_outside_the_root_is_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "secret" / "Plan.png", 1)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BadImage) as refused:
        open_image(tmp_path / "root", "link/plan.png")
    assert str(refused.value) == "there is no such file in the image root"


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_exif_turn_shows_the_same_upright_picture(tmp_path: Path, turn: int) -> None:
    upright = Image.new("RGB", (20, 12), "white")
    upright.paste((255, 0, 0), (0, 0, 6, 4))
    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][turn]  # Transpose members that undo what each turn does
    lying = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = turn
    ref = saved(tmp_path, lying, "a.png", exif=exif)
    assert (ref.width, ref.height) == (20, 12)
    assert pixels(dataset_bytes(ref)).tobytes() == upright.tobytes()


def test_sixteen_bit_grey_keeps_its_tone() -> None:
    grey = pixels(upright_png(IMAGES / "sixteen_bit_grey.png")).getpixel((5, 5))
    assert grey == (155, 155, 155)  # 40000 of 65535


def test_sixteen_bit_rgb_is_not_passed_on_verbatim(tmp_path: Path) -> None:
    data = bytearray((IMAGES / "ok_1.png").read_bytes())
    assert (data[24], data[25]) == (8, 2)
    rows = b"".join(b"\0" + struct.pack(">HHH", 40000, 20000, 10000) * 9 for _ in range(9))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "deep.png").write_bytes(png)
    ref = open_image(tmp_path, "deep.png")
    assert not ref.verbatim
    assert Image.open(BytesIO(dataset_bytes(ref))).getpixel((0, 0)) == (156, 78, 39)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    ref = saved(tmp_path, Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "clear.png")
    assert pixels(dataset_bytes(ref)).getpixel((3, 3)) == (255, 255, 255)
    keyed = saved(tmp_path, Image.new("RGB", (10, 10), (9, 9, 9)), "keyed.png", transparency=(9, 9, 9))
    assert pixels(dataset_bytes(keyed)).getpixel((3, 3)) == (255, 255, 255)


def test_a_converted_picture_has_the_same_bytes_each_time() -> None:
    assert upright_png(IMAGES / "palette_alpha.png") == upright_png(IMAGES / "palette_alpha.png")


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_an_animated_picture_is_refused(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    with pytest.raises(BadImage, match="animated; use a still PNG, JPEG or WebP"):
        saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])


def test_a_link_may_not_lead_out_of_the_root(tmp_path: Path) -> None:
    write_picture(tmp_path / "secret" / "a.png", 1)
    write_picture(tmp_path / "root" / "b.png", 2)
    (tmp_path / "root" / "out.png").symlink_to(tmp_path / "secret" / "a.png")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "root" / "inside.png").symlink_to(tmp_path / "root" / "b.png")
    (tmp_path / "root" / "loop.png").symlink_to(tmp_path / "root" / "loop.png")
    for name, why in (("out.png", "leaves"), ("folder/a.png", "leaves"), ("loop.png", "loop|cannot be read")):
        with pytest.raises(BadImage, match=why):
            open_image(tmp_path / "root", name)
    assert open_image(tmp_path / "root", "inside.png").width == 32


def test_a_root_that_is_itself_a_link_is_followed(tmp_path: Path) -> None:
    write_picture(tmp_path / "real" / "a.png", 1)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert open_image(tmp_path / "link", "a.png").width == 32


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadImage, match="not a regular file"):
        open_image(tmp_path, "pipe.png")


def test_a_file_over_the_byte_limit_is_refused_with_its_size() -> None:
    with pytest.raises(BadImage, match="949 bytes; the most is 900"):
        open_image(IMAGES, "ok_1.png", ImageLimits(file_bytes=900))


def test_a_picture_that_changed_since_it_was_read_stops_the_run(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)
    ref = open_image(tmp_path, "a.png")
    write_picture(tmp_path / "a.png", 2)
    with pytest.raises(SeedsError, match="has changed since"):
        dataset_bytes(ref)
    (tmp_path / "a.png").unlink()
    with pytest.raises(SeedsError, match="is gone"):
        dataset_bytes(ref)


_SAMPLES = (
    "ok_1.png",
    "ok_2.jpg",
    "plain.webp",
    "exif_rotated.jpg",
    "palette_alpha.png",
    "sixteen_bit_grey.png",
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(_SAMPLES),
    at=st.floats(0, 1, exclude_max=True),
    noise=st.binary(min_size=1, max_size=12),
)
def test_damaged_bytes_end_in_a_picture_or_a_reason(
    tmp_path: Path, name: str, at: float, noise: bytes
) -> None:
    data = bytearray((IMAGES / name).read_bytes())
    start = int(at * len(data))
    data[start : start + len(noise)] = noise
    (tmp_path / "a.bin").write_bytes(data)
    try:
        ref = open_image(tmp_path, "a.bin")
    except BadImage as bad:
        assert str(bad)
    else:
        assert pixels(dataset_bytes(ref)).size == (ref.width, ref.height)
