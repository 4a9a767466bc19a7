"""The page: whole, self-contained, the same bytes each time."""

import re
from html.parser import HTMLParser

import pytest

from finescale.errors import FinescaleError
from finescale.report.page import write_page


class Page(HTMLParser):
    """Collects what a browser would want to load, and what a screen reader would say."""

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found[k] for k in ("src", "href", "data", "action") if k in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag == "img":
            self.images.append(found)


def test_the_same_inputs_give_the_same_bytes(written):
    files = [sorted(p.parent.rglob("*.*")) for p in written]
    assert [f.name for f in files[0]] == [f.name for f in files[1]] and len(files[0]) > 8
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_nothing_is_loaded_from_elsewhere(written):
    page = Page(written[0].read_text(encoding="utf-8"))
    assert page.links
    for link in page.links:
        beside = link.startswith("figures/") and (written[0].parent / link).is_file()
        assert beside or link.startswith(("data:", "#")), link[:60]
        if link.startswith("#"):
            assert link[1:] in page.ids, link
    text = written[0].read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_every_image_says_what_it_shows(written):
    page = Page(written[0].read_text(encoding="utf-8"))
    assert len(page.images) == len(list(written[0].parent.glob("figures/*.png")))
    for image in page.images:
        assert len(image["alt"]) > 30 and int(image["width"]) > 100 and int(image["height"]) > 100


def test_the_page_says_the_verdict_first_and_holds_every_section(written):
    text = written[0].read_text(encoding="utf-8")
    order = [
        "Yes: ours has a lower CRPS than bilinear",
        'id="skill"',
        'id="explorer"',
        'id="maps"',
        'id="provenance"',
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "1 pass, 1 waived" in text and "known since 2001 &amp; harmless &lt;b&gt;" in text
    assert "<script>alert(1)" not in text and "<dd>7</dd>" in text


def test_files_are_png_of_the_stated_size(written):
    for path in written[0].parent.glob("figures/*.png"):
        data = path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert b"tIME" not in data and b"Software" not in data


def test_an_empty_scorecard_is_refused_and_leaves_nothing(tmp_path, card, case, static):
    with pytest.raises(FinescaleError, match="the scorecard is empty"):
        write_page(tmp_path / "r", card.iloc[:0], cases=[case], static=static, default="ours")
    assert not (tmp_path / "r").exists()


def test_a_page_of_scores_alone_is_possible(tmp_path, card):
    page = write_page(tmp_path, card, cases=[], static=None, default="ours")
    assert 'id="explorer"' not in page.read_text(encoding="utf-8")
