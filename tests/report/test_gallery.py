"""The figures of several cases, each drawn in a process of its own."""

from dataclasses import replace

from finescale.report.canvas import Picture
from finescale.report.gallery import Gallery


def test_processes_draw_what_one_draws(written, card, case, static):
    found = Gallery.draw(
        [case, replace(case, name="again")],
        card,
        ["ours", *sorted(set(card["method"]) - {"ours"})],
        default="ours",
        baselines=("bilinear", "bcsd", "gaussian"),
        static=static,
        bias=None,
        seed=0,
        processes=2,
    )
    one, again = ([p for shown in found.drawn[name].values() for p in shown] for name in (case.name, "again"))
    assert len(one) == len(again) > 6
    for picture in one:
        if isinstance(picture, Picture):
            assert (written[0].parent / "figures" / f"{picture.name}.png").read_bytes() == picture.png
