"""The build backend of pip: scikit-build-core, against the torch of the environment that pip installs into.

Where that environment has no torch, its build gets torch==2.13.0, which the installed package then needs too.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scikit_build_core.build import build_sdist, prepare_metadata_for_build_wheel  # noqa: F401: hooks of pip

_TORCH = "torch==2.13.0"


def _torch_prefix() -> str | None:
    """Return where CMake finds the torch of the environment, outside pip's isolated one."""
    code = "import torch; assert tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 11); print(torch.utils.cmake_prefix_path)"
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def get_requires_for_build_wheel(config_settings=None):
    return [] if _torch_prefix() else [_TORCH]


get_requires_for_build_editable = get_requires_for_build_wheel


@contextmanager
def _places(config_settings) -> Iterator[dict]:
    """Tell CMake where nanobind and torch are. Without PYTHONPATH, by which pip hides the environment's packages."""
    import nanobind

    settings = dict(config_settings or {})
    settings["cmake.define.nanobind_ROOT"] = nanobind.cmake_dir()
    settings["cmake.define.INN_PYTHON"] = sys.executable
    hidden = os.environ.pop("PYTHONPATH", None) if _torch_prefix() else None
    try:
        yield settings
    finally:
        if hidden is not None:
            os.environ["PYTHONPATH"] = hidden


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    from scikit_build_core.build import build_wheel as build

    with _places(config_settings) as settings:
        return build(wheel_directory, settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    from scikit_build_core.build import build_editable as build

    with _places(config_settings) as settings:
        return build(wheel_directory, settings, metadata_directory)

