"""Results as pages to look at in a browser."""

from __future__ import annotations

import html
import json
import math
import os
from typing import Any

import torch

from . import _core, _version


def _finite(value: Any) -> Any:
    """JSON has no infinities."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Page:
    """A result that can be shown as a page; subclasses return their document."""

    _title = "torch_integral"

    def _document(self) -> dict[str, Any]:
        raise NotImplementedError

    def _drawing(self) -> str:
        return ""

    def to_html(self, path: str | os.PathLike | None = None) -> str:
        """Return the result as an HTML page: tables, plots, and all they need in one text that requests nothing.

        Parameters
        ----------
        path : path, optional
            The page is also written to this file, whole or not at all.
        """
        document = {**self._document(), "run": {"command": self._title, "version": _version.VERSION, "torch": torch.__version__}}
        page = _core.html_report(self._title, [(json.dumps(_finite(document), default=str), self._drawing())])
        if path is not None:
            _core.write_text(os.fspath(path), page)
        return page

    def _repr_html_(self) -> str:
        page = html.escape(self.to_html(), quote=True)
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width: 100%; height: 32rem; border: 0"></iframe>'
