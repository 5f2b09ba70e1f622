"""Keys that say nothing here, each with its reason; and those that only describe what is the same everywhere."""

from __future__ import annotations

from ocrtune.config.paddle.ledger import Ledger

_BY_TASK = "the task says it"
_IN_LOG = "log.txt, metrics.csv and the report have it"
_RUNTIME = "pages and lines are prepared by the code that is used later; the bundle says how"
_FITTED = "fitted to the validation pages and kept in the bundle (ocrtune calibrate)"
_SILENT = {
    "Global.debug": "ocrtune --debug shows tracebacks",
    "Global.model_name": "model.arch says it",
    "Global.distributed": "trainer.num_gpus says it",
    "Global.log_smooth_window": _IN_LOG,
    "Global.print_batch_step": _IN_LOG,
    "Global.print_mem_info": _IN_LOG,
    "Global.use_visualdl": "every run writes TensorBoard events and a report",
    "Global.use_wandb": "every run writes TensorBoard events and a report",
    "Global.vdl_log_dir": "every run writes TensorBoard events and a report",
    "wandb": "every run writes TensorBoard events and a report",
    "profiler_options": "a profiler is no part of training",
    "Global.cal_metric_during_train": "figures are measured on the validation data",
    "Global.calc_epoch_interval": "figures are measured on the validation data",
    "Global.save_epoch_step": "the exact state is kept every trainer.checkpoint_minutes, the best and the last one always",
    "Global.save_inference_dir": "a run ends with a bundle that is ready for use",
    "Global.uniform_output_enabled": "a run ends with a bundle that is ready for use",
    "Global.infer_img": "ocrtune predict BUNDLE IMAGE",
    "Global.save_res_path": "ocrtune predict --out FILE",
    "Global.infer_mode": "ocrtune predict BUNDLE IMAGE",
    "Global.d2s_train_image_shape": "exported sizes are free",
    "Global.to_static": "there is one way to run a network",
    "Global.use_sync_bn": "each process normalises its own batch",
    "Global.load_static_weights": "weight files say their own format",
    "Global.character_type": "the dictionary says it",
    "Global.model_type": _BY_TASK,
    **{
        f"Global.use_{device}": "a GPU is used where there is one; trainer.num_gpus=0 forces the CPU"
        for device in ("xpu", "npu", "mlu", "gcu", "metax_gpu", "iluvatar_gpu")
    },
    "PostProcess.name": _BY_TASK,
    "PostProcess.model_name": "one model is trained",
    "PostProcess.key": "one model is trained",
    "PostProcess.multi_head": "one model is trained",
    "PostProcess.thresh": _FITTED,
    "PostProcess.box_thresh": _FITTED,
    "PostProcess.unclip_ratio": _FITTED,
    "PostProcess.cpu_speedup": "one way to compute",
    "Metric.name": _BY_TASK,
    "Metric.base_metric_name": _BY_TASK,
    "Metric.key": "one model is trained",
    "Loss.main_indicator": "no loss has one",
}
_TRANSFORMS = (
    "DecodeImage",
    "DetLabelEncode",
    "CTCLabelEncode",
    "MultiLabelEncode",
    "ClsLabelEncode",
    "NormalizeImage",
    "ToCHWImage",
    "KeepKeys",
)
_NORMALISATION = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def transforms(ledger: Ledger, section: str) -> dict[str, str]:
    """{name: key} of the operations on a section's samples; the first one of a name."""
    found: dict[str, str] = {}
    root = f"{section}.dataset.transforms"
    for key in ledger.below(root):
        entry, closed, rest = key.removeprefix(root).partition("].")
        name = rest.partition(".")[0].partition("[")[0]
        if closed and name:
            found.setdefault(name, f"{root}{entry}].{name}")
    return found


def skip_fixed_transforms(ledger: Ledger) -> None:
    """Operations that only prepare what is prepared here in one way; what differs from it is refused."""
    for section in ("Train", "Eval"):
        found = transforms(ledger, section)
        image = f"{found.get('DecodeImage', section)}.img_mode"
        if ledger.text(image, "BGR") != "BGR":
            ledger.refuse(image, "PP-OCR's networks see BGR")
        normalise = found.get("NormalizeImage", section)
        for name, usual in _NORMALISATION.items():
            if name in ("mean", "std") and ledger.numbers(f"{normalise}.{name}") not in ([], usual):
                ledger.refuse(f"{normalise}.{name}", f"PP-OCR's networks are trained with {usual}")
        if abs(ledger.number(f"{normalise}.scale", 1 / 255) * 255 - 1) > 1e-3:
            ledger.refuse(f"{normalise}.scale", "values are divided by 255")
        for name in _TRANSFORMS:
            if name in found:
                ledger.skip(found[name], _RUNTIME)


def skip_silent(ledger: Ledger) -> None:
    """Everything else that has no meaning here."""
    for key, reason in _SILENT.items():
        ledger.skip(key, reason)
    for key, usual in (("box_type", "quad"), ("score_mode", "fast"), ("use_dilation", False), ("max_candidates", 1000)):
        if ledger.get(f"PostProcess.{key}", usual) == usual:
            ledger.skip(f"PostProcess.{key}", "the default here as well")
        else:
            ledger.refuse(f"PostProcess.{key}", "a new bundle has its default; set it under thresholds in bundle.yaml")
