"""The files themselves: what is in a PDF, an SVG and a PNG, the same bytes twice, whole or not at all."""

import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import pytest

from rnnscope.core import files
from rnnscope.figures import save_figure
from rnnscope.figures.layout import arrange
from rnnscope.figures.save import FORMATS
from rnnscope.views import VIEWS
from rnnscope.views.plot import Heatmap

SVG = "{http://www.w3.org/2000/svg}"


def page_text(pdf: bytes) -> bytes:
    """The drawing commands of a PDF, unpacked."""
    streams = re.findall(rb"/Filter /FlateDecode[^>]*>>\s*stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    unpacked = [zlib.decompress(stream) for stream in streams]
    return b"\n".join(text for text in unpacked if b" Tf" in text)


def images(pdf: bytes) -> list[tuple[int, int]]:
    """Width and height of each raster of a PDF, in pixels."""
    found = re.findall(rb"<<((?:(?!>>).)*/Subtype /Image(?:(?!>>).)*)", pdf, re.DOTALL)
    return [tuple(int(re.search(rb"/%b (\d+)" % side, one)[1]) for side in (b"Width", b"Height")) for one in found]


@pytest.mark.parametrize(("view", "runs"), [(view, runs) for view in VIEWS for runs in (1, 3)])
def test_a_pdf_has_the_size_asked_for_and_real_text_of_at_least_5_points(plots, tmp_path, view, runs):
    save_figure(plots[view, runs], tmp_path / "figure.pdf", width_mm=120, height_mm=110)
    pdf = (tmp_path / "figure.pdf").read_bytes()
    box = [float(n) for n in re.search(rb"/MediaBox \[ (.*?) \]", pdf)[1].split()]
    assert box[:2] == [0, 0]
    assert [side * 25.4 / 72 for side in box[2:]] == pytest.approx([120, 110], abs=0.5)
    assert pdf.count(b"/Subtype /Type3") == 0
    assert pdf.count(b"/FontFile2") >= 1
    sizes = [float(size) for size in re.findall(rb"/F\S+ (\S+) Tf", page_text(pdf))]
    assert len(sizes) > 1
    assert min(sizes) >= 5
    assert max(sizes) <= 7


@pytest.mark.parametrize("dpi", [100, 300])
def test_rasters_of_a_pdf_have_exactly_the_resolution_asked_for(plots, tmp_path, dpi):
    plot = plots["gates", 1]
    save_figure(plot, tmp_path / "figure.pdf", width_mm=100, dpi=dpi)
    pixels = images((tmp_path / "figure.pdf").read_bytes())
    page = arrange(plot, 100, None)
    panels = [size for size in pixels if size[0] > size[1]]
    assert len(panels) == sum(isinstance(mark, Heatmap) for panel in plot.panels for mark in panel.marks)
    for wide, high in panels:
        assert wide == pytest.approx(page.panel_width / 25.4 * dpi, abs=1.5)
        assert high == pytest.approx(page.places[0].height / 25.4 * dpi, abs=1.5)


def test_an_svg_keeps_its_text_and_has_the_size_asked_for(plots, tmp_path):
    save_figure(plots["gradient", 3], tmp_path / "figure.svg", width_mm=89, height_mm=60)
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert [float(root.get(side).removesuffix("pt")) * 25.4 / 72 for side in ("width", "height")] == pytest.approx(
        [89, 60], abs=0.5
    )
    words = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"lstm-adding", "time step", "|dL/ds|", "h alone"} <= set(words)
    sizes = re.findall(r"font(?:-size)?:[^;]*?([\d.]+)px", (tmp_path / "figure.svg").read_text(encoding="utf-8"))
    assert len(sizes) >= len(words)
    assert min(map(float, sizes)) >= 5


@pytest.mark.parametrize(("width", "height", "dpi"), [(89, 50, 300), (183, 60, 100), (30, 40, 600)])
def test_a_png_has_the_pixels_asked_for(plots, tmp_path, width, height, dpi):
    save_figure(plots["loss", 1], tmp_path / "figure.PNG", width_mm=width, height_mm=height, dpi=dpi)
    png = (tmp_path / "figure.PNG").read_bytes()
    assert png.startswith(b"\x89PNG")
    pixels = struct.unpack(">II", png[16:24])
    assert pixels == pytest.approx((width / 25.4 * dpi, height / 25.4 * dpi), abs=1)
    assert b"tEXt" not in png
    assert b"tIME" not in png


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_plot_gives_the_same_bytes_whatever_its_user_has_set(plots, tmp_path, suffix):
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    save_figure(plots["hidden", 3], one)
    mine = {"font.size": 20, "savefig.bbox": "tight", "axes.grid": True, "pdf.fonttype": 3, "lines.linewidth": 9}
    with matplotlib.rc_context(mine):
        save_figure(plots["hidden", 3], other)
        assert {name: matplotlib.rcParams[name] for name in mine} == mine
    assert one.read_bytes() == other.read_bytes()
    assert not re.search(rb"Date|ModDate|<dc:date>", one.read_bytes())


def test_two_threads_may_save_at_once(plots, tmp_path):
    before = dict(matplotlib.rcParams)
    paths = [tmp_path / f"{n}.pdf" for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: save_figure(plots["loss", 3], path), paths))
    assert len({path.read_bytes() for path in paths}) == 1
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("name", "page", "named"),
    [
        ("figure.jpg", {}, r"figure\.jpg.*\.pdf, \.svg, \.png.*got \.jpg"),
        ("figure", {}, "no ending"),
        ("figure.pdf", {"width_mm": 19.9}, "width: expected 20 to 500 mm, got 19.9"),
        ("figure.pdf", {"width_mm": float("nan")}, "width"),
        ("figure.pdf", {"height_mm": 501}, "height: expected 20 to 500 mm, got 501"),
        ("figure.png", {"dpi": 0}, "dpi: expected 50 to 1200, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_written(plots, tmp_path, name, page, named):
    with pytest.raises(ValueError, match=named):
        save_figure(plots["loss", 1], tmp_path / name, **page)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_failure_leaves_the_old_file_and_no_half_one(plots, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"figure{suffix}"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_figure(plots["loss", 1], path)
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [(path.name, b"old")]


def test_painting_needs_neither_pyplot_nor_qt_and_importing_figures_nothing_at_all(tmp_path):
    program = """
import sys, rnnscope.figures
assert not {"matplotlib", "torch", "numpy"} & set(sys.modules), "import rnnscope.figures is not light"
import numpy as np
from rnnscope.figures import save_figure
from rnnscope.figures.layout import arrange
from rnnscope.views.plot import Axis, Heatmap, Panel, Plot
marks = tuple(Heatmap(np.zeros((2, 3)), -1, 1, name, "h") for name in ("signed", "share", "positive"))
for suffix in ("pdf", "svg", "png"):
    save_figure(Plot("p", ((Panel("t", Axis("time"), Axis("unit"), marks),),)), f"{sys.argv[1]}.{suffix}")
found = {"matplotlib.pyplot", "PySide6", "pyqtgraph", "torch"} & set(sys.modules)
assert not found, found
"""
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "figure")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_figure_that_is_given_up_leaves_the_file_that_was_there(plots, tmp_path, suffix):
    plot, path, shares = plots["gates", 3], tmp_path / f"figure{suffix}", []
    path.write_bytes(b"from yesterday")

    def give_up(done):
        shares.append(done)
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_figure(plot, path, between=give_up)
    panels = len(list(plot.panels))
    assert shares == [n / panels for n in range(panels // 2 + 2)]
    assert path.read_bytes() == b"from yesterday"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    save_figure(plot, path, between=shares.append)
    assert shares[-1] == (panels - 1) / panels
    assert len(path.read_bytes()) > 1000
