"""The colours of conditions can be told apart with normal and with colour-deficient vision."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from faultprint.reports.palette import DARK, FAULT_COLOURS, LIGHT, ink, relative_luminance, stylesheet

Array = npt.NDArray[np.float64]
MIN_DIFFERENCE = 11.0
"""Smallest CIEDE2000 difference. About 2 is the smallest that one sees in a direct comparison."""

#: Machado, Oliveira and Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
#: doi 10.1109/TVCG.2009.113, severity 1.0. They apply to linear RGB.
VISION = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
#: sRGB to CIE XYZ, D65 (IEC 61966-2-1).
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(colour: str, vision: str) -> Array:
    """CIE L*a*b* (D65) of a colour as it is seen with this vision."""
    srgb = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    relative = XYZ @ np.clip(np.array(VISION[vision]) @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(first: Array, second: Array) -> float:
    """The CIEDE2000 colour difference (Sharma, Wu and Dalal 2005, doi 10.1002/col.20070)."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    hue_step = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    mean_hue = h1 + h2 if c1 * c2 == 0 else (h1 + hue_step / 2) % 360
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_hue - 30))
        + 0.24 * np.cos(np.radians(2 * mean_hue))
        + 0.32 * np.cos(np.radians(3 * mean_hue + 6))
        - 0.20 * np.cos(np.radians(4 * mean_hue - 63))
    )
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rotation *= np.sin(np.radians(60 * np.exp(-(((mean_hue - 275) / 25) ** 2))))
    dl = (l2 - l1) / (1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(hue_step / 2)) / (1 + 0.015 * chroma * t)
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh))


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_agrees_with_published_values(
    first: tuple[float, ...], second: tuple[float, ...], difference: float
) -> None:
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
def test_sixteen_faults_have_distinct_colours(vision: str) -> None:
    assert len(FAULT_COLOURS) == 16
    seen = {colour: lab(colour, vision) for colour in FAULT_COLOURS}
    close = [pair for pair in combinations(seen, 2) if ciede2000(seen[pair[0]], seen[pair[1]]) < MIN_DIFFERENCE]
    assert not close


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_faults_differ_from_neutral_colours_and_the_background(scheme: dict[str, str], vision: str) -> None:
    for name, neutral in scheme.items():
        for colour in FAULT_COLOURS:
            assert ciede2000(lab(neutral, vision), lab(colour, vision)) >= MIN_DIFFERENCE, (name, colour)


@pytest.mark.parametrize("colour", FAULT_COLOURS)
def test_numbers_on_colours_can_be_read(colour: str) -> None:
    dark, light = sorted((relative_luminance(colour), relative_luminance(ink(colour))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def test_pages_take_their_colours_from_the_palette() -> None:
    sheet = stylesheet()
    assert all(f"--fault-{number}: {colour};" in sheet for number, colour in enumerate(FAULT_COLOURS, 1))
    for page in ("report", "animation", "tuning"):
        for suffix in ("js", "css"):
            path = files("faultprint.reports") / f"{page}.{suffix}"
            if not path.is_file():
                continue
            text = path.read_text("utf-8")
            assert not set(re.findall(r"#[0-9a-f]{6}\b", text)) & {*FAULT_COLOURS}
            if suffix == "js":
                assert not re.search(r"#[0-9a-f]{6}\b", text)
