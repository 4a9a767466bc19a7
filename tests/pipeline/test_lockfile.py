"""What DVC recorded is read whole, also while another stage's record is written."""

import threading
import time
from pathlib import Path

import pytest
import yaml

from finescale.pipeline import store
from finescale.pipeline.lockfile import recorded

STAGES = "".join(
    f"  stage-{n}:\n    cmd: make {n}\n    outs:\n    - path: data/artefact-{n}.zarr\n      md5: '{n:032d}'\n"
    for n in range(40)
)
TEXT = f"schema: '2.0'\nstages:\n{STAGES}"


def test_before_the_first_run_there_is_nothing(tmp_path: Path) -> None:
    assert recorded(tmp_path) == {}
    assert store.digest(tmp_path, "reference") is None


def test_a_record_that_is_being_written_is_awaited(tmp_path: Path) -> None:
    lock, pieces = tmp_path / "dvc.lock", 12
    begun = threading.Event()

    def write() -> None:
        """As DVC does: in place, from the beginning, a buffer at a time."""
        size = len(TEXT) // pieces
        with lock.open("w") as file:
            for at in range(0, len(TEXT), size):
                file.write(TEXT[at : at + size])
                file.flush()
                begun.set()
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(10)
    found = recorded(tmp_path)
    assert not writer.is_alive()
    assert len(found) == 40
    assert found["stage-39"]["outs"][0]["md5"] == f"{39:032d}"
    writer.join()


def test_a_record_is_parsed_once_and_anew_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    own = yaml.safe_load

    def counted(text: str) -> object:
        parsed.append(text)
        return own(text)

    monkeypatch.setattr(yaml, "safe_load", counted)
    lock = tmp_path / "dvc.lock"
    lock.write_text(TEXT.replace("make 3", "make once"))
    assert [store.digest(tmp_path, f"artefact-{n}") for n in range(3)] == [f"{n:032d}" for n in range(3)]
    assert len(parsed) == 1
    lock.write_text(f"{TEXT}  one-more:\n    cmd: make more\n")
    assert "one-more" in recorded(tmp_path)
    assert len(parsed) == 2
