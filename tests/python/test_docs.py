"""The code of the documentation, each page in its order."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.parametrize(("page", "least"), [("python.md", 5), ("zoo.md", 1), ("depth.md", 1)])
def test_the_documentation_runs(page, least, tmp_path, monkeypatch):
    if page == "zoo.md" and not FASHION.exists():
        pytest.skip("no Fashion-MNIST here")
    code = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(code) >= least
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in code:
        exec(compile(block, f"docs/{page}", "exec"), names)
