"""One file a tab, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.webui.language import Language
from ocrtune.webui.tabs.batch import batch_tab
from ocrtune.webui.tabs.calibration import calibration_tab
from ocrtune.webui.tabs.data import data_tab
from ocrtune.webui.tabs.deploy import deploy_tab
from ocrtune.webui.tabs.export import export_tab
from ocrtune.webui.tabs.image import image_tab
from ocrtune.webui.tabs.results import results_tab
from ocrtune.webui.tabs.training import training_tab
from ocrtune.webui.workspace import Workspace

TABS: tuple[Callable[[Workspace, Language], None], ...] = (
    image_tab,
    batch_tab,
    data_tab,
    training_tab,
    results_tab,
    calibration_tab,
    export_tab,
    deploy_tab,
)
