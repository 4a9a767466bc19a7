"""params.yaml: what is wrong is named with its line and what would be right."""

from pathlib import Path

import pytest

from finescale.errors import FinescaleError
from finescale.pipeline.ledger import ledger
from finescale.pipeline.store import path_of
from finescale.settings import Settings, given, load_settings

ROOT = Path(__file__).resolve().parents[1]
GOOD = (ROOT / "params.yaml").read_text(encoding="utf-8")


def broken(tmp_path: Path, old: str, new: str) -> str:
    """The message for params.yaml with one text exchanged, and the line where it stands."""
    assert old in GOOD
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FinescaleError) as caught:
        load_settings(path)
    return str(caught.value)


def line_of(text: str) -> int:
    return 1 + GOOD[: GOOD.index(text)].count("\n")


def test_the_committed_file_is_good() -> None:
    settings = load_settings(ROOT / "params.yaml")
    assert settings.coarse.factor == 8
    assert given(settings, "coarse.factor")
    assert given(settings, "data.gcms.standard")
    assert not given(settings, "data.reference.period")


def test_a_misspelt_key_names_its_line_and_the_right_one(tmp_path: Path) -> None:
    message = broken(tmp_path, "  factor: 8", "  facter: 8")
    assert f"line {line_of('  factor: 8')}: unknown key coarse.facter" in message
    assert "did you mean factor?" in message
    assert "allowed: every, factor, how" in message


def test_a_misspelt_key_inside_a_map_of_sections(tmp_path: Path) -> None:
    message = broken(tmp_path, "      truth: {source_id: TWIN-STD", "      thruth: {source_id: TWIN-STD")
    assert "unknown key data.gcms.standard.thruth" in message
    assert "did you mean truth?" in message


def test_a_wrong_value_names_its_line_and_bound(tmp_path: Path) -> None:
    message = broken(tmp_path, "members: 16", "members: 0")
    assert f"line {line_of('  members: 16')}: downscale.members" in message
    assert "greater than or equal to 1, not 0" in message


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (b"seed: 0\nseed: 1\n", "line 2: a key stands once: seed"),
        (b"[a, b]: 1\n", "line 1: a key is a word"),
        (b"seed: !strange 1\n", "line 1: settings hold plain values: could not determine a constructor"),
        (b"seed: \x07\n", "must be YAML"),
        (b"# gr\xfc\xdfe\nseed: 1\n", "must be YAML"),
    ],
)
def test_what_no_settings_hold_is_one_line(tmp_path: Path, new: bytes, words: str) -> None:
    (tmp_path / "params.yaml").write_bytes(new)
    with pytest.raises(FinescaleError, match=r"params\.yaml") as caught:
        load_settings(tmp_path / "params.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_is_run_once(tmp_path: Path) -> None:
    assert "methods must name each once" in broken(tmp_path, "  methods: [", "  methods: [bcsd, bcsd, ")


def test_a_wrong_word_lists_the_allowed_ones(tmp_path: Path) -> None:
    assert "'instant' or 'mean'" in broken(tmp_path, "how: instant", "how: sum")


def test_blocks_that_touch_are_refused(tmp_path: Path) -> None:
    message = broken(tmp_path, 'validation: ["2002-11-15",', 'validation: ["2002-11-01",')
    assert "train and validation must lie 24 free hours apart" in message


def test_shares_stand_alone_and_sum_to_one(tmp_path: Path) -> None:
    beside = broken(tmp_path, "split:", "split:\n  shares: {train: 0.8, validation: 0.1, test: 0.1}")
    assert "a split has either days or shares: train, validation, test stand beside shares" in beside
    text = GOOD[: GOOD.index("split:")] + "split:\n  shares: {train: 0.8, test: 0.3}\n\n"
    path = tmp_path / "params.yaml"
    path.write_text(text + GOOD[GOOD.index("coarse:") :], encoding="utf-8")
    with pytest.raises(FinescaleError, match=r"split\.shares: shares must sum to one: 0\.8 \+ 0\.1 \+ 0\.3"):
        load_settings(path)
    path.write_text(path.read_text(encoding="utf-8").replace("test: 0.3", "test: 0.1"), encoding="utf-8")
    assert load_settings(path).split.words("train") == "80% of the reference"
    assert not given(load_settings(path), "split.train")


def test_a_missing_block_is_named(tmp_path: Path) -> None:
    assert "or shares: validation is missing" in broken(
        tmp_path, '  validation: ["2002-11-15", "2002-12-15"]', ""
    )


def test_a_window_longer_than_the_gap_is_refused(tmp_path: Path) -> None:
    message = broken(tmp_path, "priors:\n", "priors:\n  long: {window: 25}\n")
    assert "split.gap is 24 h: the windows of priors.long reach over 25 h" in message


def test_a_bare_date_must_be_quoted(tmp_path: Path) -> None:
    message = broken(tmp_path, 'train: ["2001-01-01",', "train: [2001-01-01,")
    assert (
        f'line {line_of("  train:")}: dates must stand in quotes: 2001-01-01; write "2001-01-01"' in message
    )


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    assert "missing key split" in broken(tmp_path, "split:", "splitt:")


def test_broken_yaml_is_one_line(tmp_path: Path) -> None:
    message = broken(tmp_path, "seed: 0", "seed: [0")
    assert message.startswith("params.yaml must be YAML")
    assert "\n" not in message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match=r"no file params\.yaml"):
        load_settings(tmp_path / "params.yaml")


def test_an_unregistrable_method(tmp_path: Path) -> None:
    assert "registry.method must be one of" in broken(tmp_path, "\n  method: finescale", "\n  method: sda")


METHOD = """  bcsd:
    harmonics: 2
  sda-tuned:
    prior: small
    sampler: {steps: 3}
"""


def with_method(tmp_path: Path, old: str = "", new: str = "") -> Path:
    """A params.yaml with a prior and a generative method by a name of its own, and one text exchanged in it."""
    text = GOOD.replace("  bcsd:\n    harmonics: 2\n", METHOD)
    text = text.replace("\npriors:\n", "\npriors:\n  small: {window: 3}\n")
    assert METHOD in text
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_generative_method_is_a_section_by_any_name(tmp_path: Path) -> None:
    settings = load_settings(
        with_method(tmp_path, "methods: [bilinear, bcsd", "methods: [sda-tuned, bilinear, bcsd")
    )
    assert settings.downscale.sections["sda-tuned"].sampler.steps == 3
    assert given(settings, "downscale.sda-tuned.sampler.steps")
    assert not given(settings, "downscale.sda-tuned.sampler.solver")
    stages = {stage.name: stage for stage in ledger(settings)}
    assert {"fit-climate", "train-small"} <= set(stages)
    assert "downscale.sda-tuned" in stages["downscale-sda-tuned"].settings
    assert "prior-small" in stages["downscale-sda-tuned"].reads
    assert path_of("model-sda-tuned") == "models/sda-tuned"


def test_a_section_that_is_not_chosen_makes_no_stage(tmp_path: Path) -> None:
    names = {stage.name for stage in ledger(load_settings(with_method(tmp_path)))}
    assert not names & {"downscale-sda-tuned", "train-small"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  members: 16", "  membrs: 16", "unknown key downscale.membrs; did you mean members?"),
        ("  bcsd:\n", "  bscd:\n", "unknown key downscale.bscd; did you mean bcsd?"),
        ("{steps: 3}", "{stepz: 3}", "unknown key downscale.sda-tuned.sampler.stepz; did you mean steps?"),
        ("    prior: small\n", "", "missing key downscale.sda-tuned.prior"),
        (
            "prior: small",
            "prior: smal",
            "downscale.sda-tuned.prior: no such prior: priors holds small, window-plus, not 'smal'",
        ),
    ],
)
def test_what_is_wrong_in_a_method_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = with_method(tmp_path, old, new)
    with pytest.raises(FinescaleError) as caught:
        load_settings(path)
    line = 1 + path.read_text(encoding="utf-8").split(new or "  sda-tuned")[0].count("\n")
    assert f"params.yaml, line {line}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[bilinear, bcsd", "[bilinaer, bcsd", "methods names bilinaer: did you mean bilinear?"),
        ("[bilinear, bcsd", "[sda, bcsd", "or add a section downscale.sda with its prior"),
    ],
)
def test_a_method_that_is_not_there_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(FinescaleError) as caught:
        load_settings(with_method(tmp_path, old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("prior", "method", "message"),
    [
        ("crop: 16", "", "priors.small.crop is 16: preconditioning wiener corrects a climate of the whole domain"),
        ("preconditioning: edm, crop: 20", "", "priors.small.crop is 20: coarse cells, network and latents divide it"),
        ("preconditioning: edm, crop: 0", "", "priors.small.crop"),
        ("preconditioning: edm", "overlap: 4", "downscale.sda-tuned.overlap is 4: priors.small is trained on"),
        ("kind: latent, crop: 24", "", "priors.small.crop is 24: coarse cells, network and latents divide it into 16"),
        ("kind: latent, crop: 16, physics: {rho: .1}", "", "priors.small.crop is 16: the flux balance needs a block"),
    ],
)  # fmt: skip
def test_crops_that_do_not_fit_are_refused(tmp_path: Path, prior: str, method: str, message: str) -> None:
    path = with_method(tmp_path, "small: {window: 3}", f"small: {{window: 3, {prior}}}")
    if method:
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("    prior: small\n", f"    prior: small\n    {method}\n"), encoding="utf-8"
        )
    with pytest.raises(FinescaleError) as caught:
        load_settings(path)
    assert message in str(caught.value)


def test_a_prior_of_crops_and_its_overlap(tmp_path: Path) -> None:
    path = with_method(tmp_path, "small: {window: 3}", "small: {window: 3, preconditioning: edm, crop: 32}")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    prior: small\n", "    prior: small\n    overlap: 24\n"), encoding="utf-8"
    )
    settings = load_settings(path)
    assert settings.priors["small"].crop == 32
    assert settings.downscale.sections["sda-tuned"].overlap == 24


def test_settings_cannot_be_changed() -> None:
    settings: Settings = load_settings(ROOT / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        settings.coarse.factor = 4  # type: ignore[misc]


MINE = """\
data:
  variables: [tas]
  reference:
    files: [mine.nc]
split:
  train: ["2001-01-01", "2002-10-31"]
  validation: ["2002-11-15", "2002-12-15"]
  test: ["2003-01-05", "2003-02-03"]
downscale:
  methods: [bilinear]
registry: {method: bilinear}
"""


def own(tmp_path: Path, *lines: str) -> Path:
    """Settings for one file of one's own, with more lines under `data`."""
    path = tmp_path / "params.yaml"
    path.write_text(MINE.replace("split:", "".join(f"  {line}\n" for line in lines) + "split:"), "utf-8")
    return path


def test_a_file_needs_no_catalogue_and_no_static_fields(tmp_path: Path) -> None:
    stages = ledger(load_settings(own(tmp_path)))
    assert "static" not in {name for stage in stages for name in (*stage.reads, *stage.writes)}


def test_facets_need_a_catalogue(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match=r"data\.catalogue is missing"):
        load_settings(own(tmp_path, "static: {facets: {source_id: A}}"))


def test_a_climate_model_needs_its_correction(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match=r"correct is missing: data\.gcms names climate models"):
        load_settings(own(tmp_path, "catalogue: c.json", "gcms: {a: {facets: {source_id: A}}}"))
