"""Fixtures of the tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "resampling"))


@pytest.fixture(scope="session")
def torchvision_models():
    """torchvision's models, with the operators declared that its wheel has for another torch only."""
    try:
        import torchvision

        return torchvision.models
    except ImportError as error:
        pytest.skip(f"no torchvision here: {error}")
    except RuntimeError:  # its operators are missing
        from export_torchvision import torchvision_models as models

        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        return models()
