"""Pictures from untrusted rows: opened with limits, and turned into what goes into the dataset.

The path must stay inside the image root, also behind symbolic links. Size is checked before anything is
decoded; then the whole picture is decoded once, so that a file that is cut off is found out now and not
in the middle of a run. What a file is, its content says, never its name. Nothing here opens a connection.
"""

from __future__ import annotations

import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dfj_bootstrap.domain.resizing import PixelLimits, shown_size
from dfj_bootstrap.domain.seed import ImageRef
from dfj_bootstrap.errors import SeedsError
from dfj_bootstrap.intake.image_paths import FORMATS, BadImage, locate, read

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "BadImage",
    "ImageLimits",
    "dataset_bytes",
    "open_image",
    "shown_bytes",
    "upright_png",
]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may cost.

    Attributes:
        file_bytes: the most bytes of the file.
        pixels: the most pixels, width × height.
        side: the least pixels of the shorter side.
    """

    file_bytes: int = 50_000_000
    pixels: int = 64_000_000
    side: int = 8


DEFAULT_LIMITS = ImageLimits()

# Many threads may open pictures, but only one at a time a picture of more than this many pixels:
# decoded, the largest take 256 MB each.
_LARGE = 8_000_000
_one_large = threading.Lock()

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)

# What Pillow's parsers raise on broken bytes.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    struct.error,
    zlib.error,
)
_SUFFIX: dict[type[ImageFile], str] = {PngImageFile: ".png", JpegImageFile: ".jpg", WebPImageFile: ".webp"}
_PILLOW = r"PIL\."


def open_image(root: Path, name: str, limits: ImageLimits = DEFAULT_LIMITS) -> ImageRef:
    """Open and fully decode the picture at ``name`` inside ``root``.

    Raises:
        BadImage: the path leaves the root, or the picture is missing, damaged, too large, too small,
            animated, or of another format.
    """
    path, plain = locate(root, name)
    data = read(path, limits.file_bytes)
    with _decoded(_open(data, limits)) as picture:
        turn = _orientation(picture)
        width, height = reversed(picture.size) if turn in _LYING else picture.size
        verbatim = _is_upright_rgb(picture, data, turn)
        suffix = _SUFFIX[type(picture)] if verbatim else ".png"
    return ImageRef(str(path), plain, _digest(data), width, height, suffix, verbatim)


def dataset_bytes(ref: ImageRef) -> bytes:
    """The picture as it goes into the dataset: the file's own bytes, or an upright lossless PNG of it.

    Raises:
        SeedsError: the file is gone or another one since the seeds were read.
    """
    data = _checked(ref)
    return data if ref.verbatim else _upright_png(data)


def shown_bytes(ref: ImageRef, limits: PixelLimits) -> tuple[bytes, str]:
    """The picture as a model is shown it, and the suffix of what it is.

    Within the limits it is what goes into the dataset. Else it is scaled (Lanczos), and encoded without loss
    where the file is a PNG, as a JPEG of quality 95 with full colour where it was lossy before.

    Raises:
        SeedsError: the file is gone or another one since the seeds were read.
    """
    size = shown_size(ref.width, ref.height, limits)
    if size == (ref.width, ref.height):
        return dataset_bytes(ref), ref.suffix
    data = _checked(ref)
    if _kind(data) is PngImageFile:
        return _upright(data, "PNG", size, compress_level=3), ".png"  # a third of the time, a tenth larger
    return _upright(data, "JPEG", size, quality=95, subsampling=0), ".jpg"


def is_shown_as_it_is(ref: ImageRef, limits: PixelLimits) -> bool:
    """Whether a model is shown the file's own bytes, so that nothing has to be decoded for it."""
    return ref.verbatim and shown_size(ref.width, ref.height, limits) == (ref.width, ref.height)


def _checked(ref: ImageRef) -> bytes:
    """The file's bytes, which must be those that the seeds were read with."""
    try:
        data = Path(ref.path).read_bytes()
    except FileNotFoundError:
        raise SeedsError(f"{ref.path}: this picture is gone since the seeds were read; put it back") from None
    if _digest(data) != ref.digest:
        raise SeedsError(
            f"{ref.path}: this picture has changed since the seeds were read;"
            " put the old one back, or use a new output folder"
        )
    return data


def upright_png(path: Path) -> bytes:
    """A lossless, upright, 8-bit RGB PNG of any picture that ``open_image`` accepts; always the same bytes.

    Transparency is laid on white, 16-bit grey is scaled, CMYK is converted without a colour profile.

    Raises:
        BadImage: the picture cannot be decoded.
    """
    return _upright_png(path.read_bytes())


def _open(data: bytes, limits: ImageLimits | None) -> ImageFile:
    """Read the header and hold it against the limits; no pixel is decoded yet."""
    _hush_pillow()
    kind = _kind(data)
    try:
        if kind is WebPImageFile and limits:  # its parser makes room for all pixels at once
            _check_size(_webp_size(data), limits)
        picture = kind(BytesIO(data))
    except _DAMAGE as error:
        raise _damaged(error) from None
    if limits:
        _check_size(picture.size, limits)
    if getattr(picture, "is_animated", False):
        raise BadImage(f"the picture is animated; use a still {FORMATS}")
    return picture


def _kind(data: bytes) -> type[ImageFile]:
    """Which parser the content asks for. One is named, so that no other parser of Pillow meets the bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    for magic, found in ((b"GIF8", "a GIF"), (b"BM", "a BMP"), (b"II*\0", "a TIFF"), (b"MM\0*", "a TIFF")):
        if data.startswith(magic):
            raise BadImage(f"this is {found}; use {FORMATS}")
    if b"<svg" in data[:1000]:
        raise BadImage(f"this is an SVG; use {FORMATS}")
    raise BadImage(f"this is not a picture of a known format; use {FORMATS}")


def _check_size(size: tuple[int, int], limits: ImageLimits) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise BadImage(
            f"the picture has {width} × {height} = {width * height:,} pixels; the most is {limits.pixels:,}"
        )
    if min(width, height) < limits.side:
        raise BadImage(f"the picture is {width} × {height} pixels; each side needs {limits.side}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header, see https://developers.google.com/speed/webp/docs/riff_container."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        wide, high = data[24:27], data[27:30]
        return int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


@contextmanager
def _decoded(picture: ImageFile) -> Iterator[ImageFile]:
    """All pixels of a picture, one large picture at a time."""
    with _one_large if picture.width * picture.height > _LARGE else nullcontext():
        try:
            picture.load()
        except _DAMAGE as error:
            raise _damaged(error) from None
        yield picture


def _damaged(error: BaseException) -> BadImage:
    return BadImage(f"the picture is damaged or cut off ({' '.join(str(error).split())[:120]})")


def _orientation(picture: ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none or it is nonsense."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if value in _TURNS else 1


def _is_upright_rgb(picture: ImageFile, data: bytes, turn: int) -> bool:
    deep = data.startswith(b"\x89PNG") and data[24] != 8  # Pillow calls 16-bit RGB "RGB" too
    return picture.mode == "RGB" and turn == 1 and "transparency" not in picture.info and not deep


def _upright_png(data: bytes) -> bytes:
    return _upright(data, "PNG")


def _upright(data: bytes, form: str, size: tuple[int, int] | None = None, **options: int) -> bytes:
    out = BytesIO()
    with _decoded(_open(data, None)) as picture:
        turn = _TURNS.get(_orientation(picture))
        # A profile describes the colours of the mode it came with; without one, sRGB is meant.
        profile = picture.info.get("icc_profile") if picture.mode == "RGB" else None
        rgb = _rgb(picture)
        upright = rgb if turn is None else rgb.transpose(turn)
        shown = upright if size is None else upright.resize(size, Image.Resampling.LANCZOS)
        shown.info = {}
        shown.save(out, form, icc_profile=profile, **options)
    return out.getvalue()


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit grey; convert() alone would clip it to white
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if picture.has_transparency_data:
        on_top = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, on_top).convert("RGB")
    return picture.convert("RGB")


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _hush_pillow() -> None:
    """Pillow warns of broken metadata and large sizes on stderr; what matters of it is checked here.

    Not ``warnings.catch_warnings``: it swaps a global that other threads are using.
    """
    if ("ignore", None, Warning, re.compile(_PILLOW), 0) not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PILLOW)
