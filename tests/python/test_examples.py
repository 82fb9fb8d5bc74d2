"""The examples, on few images."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"
DATA = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not DATA.exists(), reason="Fashion-MNIST is not installed")
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "common"))
def test_an_example(name, monkeypatch, capsys, torchvision_models):
    if name == "prune_timm":
        pytest.importorskip("timm")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(sys, "argv", [name, *(["--images", "40", "--steps", "60"] if name == "yolo" else ["--images", "320"])])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()
