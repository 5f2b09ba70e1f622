"""Bundles that are loaded once and used by every visitor."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from ocrtune.bundle import MANIFEST, Bundle
from ocrtune.runtime.load import LineModel, PageFinder, load_model

_KEPT = 3


@dataclass
class Models:
    """The last few bundles that were used, loaded; safe to use from several threads.

    Attributes:
        busy: held by whoever runs a model: one at a time keeps the machine usable.
    """

    busy: threading.Lock = field(default_factory=threading.Lock)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _loaded: OrderedDict[tuple[Path, int], PageFinder | LineModel] = field(default_factory=OrderedDict)

    def get(self, bundle: Bundle) -> PageFinder | LineModel:
        """A bundle, ready to run; loaded again when its folder was written anew.

        Raises:
            BundleError: it has no ONNX file, or its settings do not fit.
        """
        key = (bundle.path, (bundle.path / MANIFEST).stat().st_mtime_ns)
        with self._loading:
            if key not in self._loaded:
                self._loaded[key] = load_model(bundle)
            self._loaded.move_to_end(key)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[key]
