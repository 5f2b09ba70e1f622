"""The training configuration: every key, its type, its default and what it means."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ocrtune.config.presets import LINES, PAGES, Preset, with_preset

Auto = Literal["auto"]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _renamed(values: Any, aliases: dict[str, str]) -> Any:
    """Accept other systems' names for our keys; both at once is refused by the duplicate check below."""
    if not isinstance(values, dict):
        return values
    renamed = dict(values)
    for alias, name in aliases.items():
        if alias in renamed:
            if name in renamed:
                raise ValueError(f"'{alias}' and '{name}' mean the same; give one of them")
            renamed[name] = renamed.pop(alias)
    return renamed


def _as_store(value: Any) -> Any:
    """A path, or several, as a data set in an LMDB store."""
    if isinstance(value, list):
        return [_as_store(entry) for entry in value]
    return f"lmdb:{value.removeprefix('lmdb:')}" if isinstance(value, str) else value


class ModelConfig(Section):
    """Which network, and from which weights it starts."""

    arch: str = Field("auto", description="network, or auto: the one that the pretrained weights belong to")
    pretrained: str | None = Field(
        "auto",
        description="registered name, bundle, run, or weight file; auto: the task's default; null: fresh weights",
    )
    form: Literal["auto", "deployed", "training"] = Field(
        "auto",
        description="train the folded network, or the one with branches and normalisation; auto: as the weights are",
    )
    partial: bool = Field(
        False,
        description="load what fits of a weight file and leave the rest fresh: backbone-only files, changed heads",
    )


class DataConfig(Section):
    """Which pages, and in which portions."""

    train: str | list[str] = Field(description="data set(s), PATH or FORMAT:PATH")
    val: str | None = Field(None, description="data set for choosing the best state; null: held out of train")
    holdout: float = Field(0.15, gt=0, lt=0.9, description="share of train that is held out where val is null")
    batch_size: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="samples in one step of one process; auto: 8 page views, 32 lines, 64 for their direction"
    )
    num_workers: int = Field(1, ge=0, description="processes that prepare samples; never changes results")
    max_damaged: float = Field(
        0.05, ge=0, lt=1, description="share of the training samples whose images may turn out damaged; 0: none"
    )

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, values: Any) -> Any:
        if isinstance(values, dict):
            stores = {key: _as_store(values[key]) for key in ("train_lmdb", "val_lmdb") if key in values}
            values = {**values, **stores}
        return _renamed(values, {"train_lmdb": "train", "val_lmdb": "val"})


class InputConfig(Section):
    """At which size pages are seen, and how many of them stay decoded."""

    page_size: int | Auto = Field(
        "auto", description="longer side of a page in pixels when it is read; auto: from the base"
    )
    view_size: int = Field(640, ge=64, multiple_of=32, description="side of the square views that are trained on")
    cache_mb: int = Field(
        512, ge=0, description="memory for pages that stay decoded between epochs, shared out over data.num_workers"
    )


class TargetSpec(Section):
    """How the targets of DB are drawn."""

    shrink_ratio: float | Auto = Field("auto", description="r of the paper; auto: the base model's own, estimated")
    total_epoch: int | None = Field(None, ge=1, description="let r grow by 0.2 over so many epochs (PP-OCRv4)")
    min_text_size: float = Field(3.0, ge=0, description="texts less high or wide, in pixels, are not learnt")
    threshold_min: float = Field(0.3, ge=0, le=1, description="lowest value of the threshold map")
    threshold_max: float = Field(0.7, ge=0, le=1, description="highest value of the threshold map")
    gap_weight: float = Field(4.0, ge=0, description="extra weight of the gaps between neighbouring texts")
    drawing: Literal["subpixel", "whole"] = Field(
        "subpixel", description="whole: whole pixels, as PaddleOCR draws them"
    )

    @field_validator("shrink_ratio")
    @classmethod
    def _in_range(cls, value: float | Auto) -> float | Auto:
        if value != "auto" and not 0 < value < 1:
            raise ValueError("must lie between 0 and 1")
        return value

    def ratio(self, epoch: int) -> float:
        """The shrink ratio in an epoch (from 0): r + 0.2 * epoch / total_epoch."""
        assert self.shrink_ratio != "auto", "resolve 'auto' before drawing targets"
        return self.shrink_ratio + (0.2 * epoch / self.total_epoch if self.total_epoch else 0.0)


class LossSpec(Section):
    """Which losses of DB are added with which weight."""

    main: Literal["dice", "dice-focal", "bce", "bce-dice"] = Field("bce-dice", description="loss of the shrink map")
    alpha: float = Field(1.0, ge=0, description="weight of the shrink map's loss")
    beta: float = Field(
        0.0, ge=0, description="weight of the threshold map's loss; 0 with gamma 0: no threshold branch"
    )
    gamma: float = Field(0.0, ge=0, description="weight of the binary map's loss")
    ohem_ratio: float = Field(3.0, gt=0, description="bce: hardest negatives that count, per positive pixel")
    focal_alpha: float = Field(0.25, description="dice-focal: weight of positives")
    focal_gamma: float = Field(2.5, description="dice-focal: exponent")
    auxiliary: dict[int, float] = Field(
        default_factory=lambda: {4: 0.2, 3: 0.3, 2: 0.4}, description="weights of auxiliary heads by pyramid level"
    )


class AugmentConfig(Section):
    """What happens to a page before it is trained on."""

    preset: Preset = Field("none", description="scenario that sets keys of this section which are not given")
    scale: tuple[float, float] = Field((0.85, 1.18), description="range of a random factor on the page's size")
    stretch: float = Field(1.0, ge=1, description="largest factor on the width alone, either way")
    rotate: float = Field(3.0, ge=0, le=180, description="largest angle in degrees, either way")
    rotate_prob: float = Field(0.3, ge=0, le=1, description="share of views that are rotated")
    flip_prob: float = Field(0.0, ge=0, le=1, description="share of mirrored views; mirrored text is no text")
    perspective: float = Field(
        0.0, ge=0, le=0.3, description="how far a page's corner moves inwards at most, as a share of its sides"
    )
    perspective_prob: float = Field(0.5, ge=0, le=1, description="share of views that are seen in perspective")
    crop: Literal["window", "between"] = Field(
        "window",
        description="window: of the view's size, where it cuts the fewest texts; between: a piece whose borders touch "
        "no text, scaled into the view (PaddleOCR)",
    )
    copy_paste: float = Field(0.0, ge=0, le=1, description="share of views that get texts of another page")
    paste_rotate: float = Field(10.0, ge=0, le=180, description="largest angle of such a text, either way")
    colour: bool = Field(True, description="contrast, brightness, gamma, channel balance")
    blur: bool = Field(True, description="Gaussian blur on some views")
    noise: bool = Field(True, description="Gaussian noise on some views")
    occlusion: bool = Field(True, description="patches over some views")
    motion_blur: float = Field(0.0, ge=0, le=1, description="share of views blurred by motion")
    jpeg: float = Field(0.0, ge=0, le=1, description="share of views compressed anew")
    shadow: float = Field(0.0, ge=0, le=1, description="share of views with a shadow")

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        return with_preset(values, PAGES)

    @field_validator("scale")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError("must be two positive numbers, the smaller one first")
        return value


class OptimizerConfig(Section):
    """How weights move."""

    type: Literal["AdamW", "Adam", "SGD"] = Field(
        "AdamW", description="AdamW decouples weight decay; SGD has momentum 0.9"
    )
    lr: float | Auto = Field("auto", description="peak learning rate; auto: from the effective batch")
    weight_decay: float = Field(1e-4, ge=0, description="not on biases, scales and normalisation")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the whole gradient; null: unlimited")
    lr_factors: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="part of the network -> factor on its learning rate, as in {backbone: 0.1}"
    )


class ScheduleConfig(Section):
    """How long, and how the learning rate changes."""

    epochs: int = Field(20, ge=1, description="passes over the training pages")
    steps: int | None = Field(None, ge=1, description="number of steps; wins over epochs")
    name: Literal["cosine", "step", "constant"] = Field("cosine", description="course after the warm-up")
    warmup_epochs: float = Field(1.0, ge=0, description="linear warm-up, in epochs; at most a tenth of the run")
    warmup_factor: float = Field(0.01, ge=0, le=1, description="share of the learning rate at the start")
    lr_decay_epochs: list[float] = Field(default_factory=list, description="step: where the rate falls")
    lr_decay_rate: float = Field(0.1, gt=0, le=1, description="step: factor at each fall")
    final_factor: float = Field(0.01, ge=0, le=1, description="cosine: share of the learning rate at the end")


class FreezeConfig(Section):
    """What stays as it is at first, or for the whole run; of several entries that fit a parameter, the last counts."""

    backbone_epochs: float = Field(0.0, ge=0, description="train neck and head only for so many epochs")
    layers: dict[str, Annotated[float, Field(ge=0)] | None] = Field(
        default_factory=dict,
        description="part of the network, or a pattern of parameter names with * -> epochs; null: the whole run",
    )


class TrainerConfig(Section):
    """How the loop runs."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="auto: bf16 where the device has it")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are summed before a step")
    num_gpus: int = Field(1, ge=0, description="processes with a GPU each; 0 forces the CPU")
    num_processes: int = Field(1, ge=1, description="processes where there is no GPU, or num_gpus is 0")
    ema: bool = Field(True, description="evaluate and keep a moving average of the weights")
    ema_decay: float = Field(0.99, ge=0, lt=1, description="of the moving average, per step")
    seed: int = Field(0, ge=0, description="of everything random")
    evals: int | None = Field(None, ge=1, description="evaluations during the run; null: one an epoch, at most 10")
    checkpoint_minutes: float = Field(2.0, ge=0, description="how often the exact state is written in between")
    nonfinite: Literal["raise", "skip", "rollback"] = Field(
        "skip",
        description="a loss or gradient that is infinite or NaN ends the run, leaves the step out, or takes the weights "
        "back to the last evaluation",
    )
    loggers: list[Literal["mlflow", "wandb"]] = Field(
        default_factory=list, description="where figures go beside metrics.csv and TensorBoard"
    )

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, values: Any) -> Any:
        values = _renamed(values, {"gradient_accumulate_steps": "accumulate"})
        if isinstance(values, dict) and "amp_enabled" in values:
            enabled = values["amp_enabled"]
            values = {k: v for k, v in values.items() if k != "amp_enabled"}
            values.setdefault("precision", "auto" if enabled else "fp32")
        return values

    @property
    def processes(self) -> int:
        """Processes that are started where one does not train alone."""
        return self.num_gpus if self.num_gpus > 1 else self.num_processes


class EarlyStoppingConfig(Section):
    """When it is enough."""

    patience: int | None = Field(10, ge=1, description="evaluations without a new best; null: never")
    monitor: Literal["auto", "hmean", "accuracy"] = Field(
        "auto", description="figure on the validation data; auto: hmean for detection, accuracy for lines"
    )


class ForgettingConfig(Section):
    """What keeps a model from losing what its base could do."""

    anchor: str | list[str] | None = Field(
        None,
        description="data of another kind that the base does well: data set(s), synth (generated pages), or base:FOLDER "
        "(images without labels, labelled by the base)",
    )
    tolerance: float = Field(0.01, ge=0, lt=1, description="how much of the anchor's figure may be lost")
    stop: bool = Field(False, description="end the run when more is lost, and keep an earlier state; otherwise say so")
    alphas: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default_factory=lambda: [0.2, 0.4, 0.6, 0.8],
        description="shares of the fine-tuned weights that are tried when they are mixed with the base's afterwards; []: "
        "no mixing",
    )
    replay: float = Field(0.0, ge=0, le=0.9, description="share of each batch that comes from the anchor")
    l2_sp: float = Field(
        0.0, ge=0, description="weight of the mean squared relative distance from the start's weights, in the loss"
    )
    distill: float = Field(0.0, ge=0, description="weight of the outputs' distance from the base's, in the loss")

    @model_validator(mode="after")
    def _anchored(self) -> ForgettingConfig:
        if self.anchor is None and (self.replay or self.stop):
            raise ValueError("replay and stop need an anchor (forgetting.anchor)")
        return self

    @property
    def active(self) -> bool:
        """Whether anything is to be done."""
        return self.anchor is not None or self.l2_sp > 0 or self.distill > 0


class TrainConfig(Section):
    """What `ocrtune train` reads for every task."""

    PRETRAINED: ClassVar[str] = ""
    BATCH_SIZE: ClassVar[int] = 8

    task: str = Field(description="what is trained: detection, recognition or orientation")
    model: ModelConfig = Field(default_factory=lambda: ModelConfig())
    data: DataConfig
    optimizer: OptimizerConfig = Field(default_factory=lambda: OptimizerConfig())
    schedule: ScheduleConfig = Field(default_factory=lambda: ScheduleConfig())
    freeze: FreezeConfig = Field(default_factory=lambda: FreezeConfig())
    trainer: TrainerConfig = Field(default_factory=lambda: TrainerConfig())
    early_stopping: EarlyStoppingConfig = Field(default_factory=lambda: EarlyStoppingConfig())
    forgetting: ForgettingConfig = Field(default_factory=lambda: ForgettingConfig())
    output_dir: Annotated[str, Field(description="runs are written to OUTPUT_DIR/exp_<timestamp>")] = "workdirs"

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_task(cls, values: Any) -> Any:
        """Resolve what is ``auto`` and only depends on the task."""
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        for section, key, value in (("model", "pretrained", cls.PRETRAINED), ("data", "batch_size", cls.BATCH_SIZE)):
            part = filled.get(section, {})
            if isinstance(part, dict) and part.get(key, "auto") == "auto" and (section == "model" or part):
                filled[section] = {**part, key: value}
        return filled

    @property
    def batch_size(self) -> int:
        """``data.batch_size``, which is a number once the task is known."""
        assert self.data.batch_size != "auto"
        return self.data.batch_size

    @property
    def train_data(self) -> str:
        """The first of the training data sets, as the user named it."""
        return self.data.train if isinstance(self.data.train, str) else self.data.train[0]


class DetectionConfig(TrainConfig):
    """Everything that a detector's training reads."""

    PRETRAINED = "ppocrv4-mobile-det"

    task: Literal["detection"] = Field("detection", description="what is trained")
    input: InputConfig = Field(default_factory=lambda: InputConfig())
    targets: TargetSpec = Field(default_factory=lambda: TargetSpec())
    loss: LossSpec = Field(default_factory=lambda: LossSpec())
    augment: AugmentConfig = Field(default_factory=lambda: AugmentConfig())


class LineInputConfig(Section):
    """At which size lines are seen."""

    multiple: int = Field(32, ge=8, description="lines are padded to a multiple of so many pixels of width")
    min_width: int = Field(32, ge=8, description="and to at least so many")
    max_width: int = Field(1600, ge=64, description="longer lines are squeezed")


class TextConfig(Section):
    """What is taught to be read."""

    dictionary: str | None = Field(None, description="characters of the classes, for weights that do not say them")
    unknown: Literal["error", "drop", "map", "extend"] = Field(
        "extend",
        description="characters that the model does not know: refuse, leave out, replace by the nearest, learn",
    )
    policy: Literal["auto", "exact", "ignore-case", "ignore-space", "ignore-case-space"] = Field(
        "auto", description="what is no difference when lines are compared; auto: as the labels allow"
    )


class LineAugmentConfig(Section):
    """What happens to a line before it is trained on."""

    preset: Preset = Field("none", description="scenario that sets keys of this section which are not given")
    jitter: float = Field(0.04, ge=0, le=0.5, description="shift of a label's corners, as a share of the line's height")
    grow: tuple[float, float] = Field((-0.02, 0.14), description="range of growth of a label, as a share of the height")
    stretch: float = Field(1.15, ge=1, description="largest factor on the width alone, either way")
    tia: float = Field(0.3, ge=0, le=1, description="share of lines that are bent (TIA)")
    rotate: float = Field(2.0, ge=0, le=20, description="largest angle in degrees, either way")
    perspective: float = Field(0.0, ge=0, le=1, description="share of lines seen in perspective")
    colour: bool = Field(True, description="contrast, brightness, gamma, channel balance")
    shadow: float = Field(0.0, ge=0, le=1, description="share of lines with a shadow")
    blur: float = Field(0.15, ge=0, le=1, description="share of lines that are blurred, by defocus or motion")
    motion_blur: float = Field(0.0, ge=0, le=1, description="share of lines further blurred by motion")
    noise: float = Field(0.15, ge=0, le=1, description="share of lines with noise")
    small: float = Field(0.15, ge=0, le=1, description="share of lines seen through a coarser grid")
    jpeg: float = Field(0.1, ge=0, le=1, description="share of lines compressed anew")
    invert: float = Field(0.05, ge=0, le=1, description="share of lines with light and dark exchanged")
    rand_augment: int = Field(
        0, ge=0, le=9, description="RandAugment: magnitude of two further random changes; 0: none"
    )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        return with_preset(values, LINES)


class RecognitionAugmentConfig(LineAugmentConfig):
    """What happens to a line before it is read."""

    join: float = Field(0.0, ge=0, le=1, description="share of lines that another is set behind")
    overturn: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of lines turned over and taught to say nothing; for images that may stand on their head",
    )


class RecognitionModelConfig(ModelConfig):
    """Which recogniser, from which weights, and whether a second decoder guides its training."""

    guide: bool = Field(
        False,
        description="train with PaddleOCR's attention decoder beside CTC (NRTR, or SAR for v3); it is not exported",
    )


class RecognitionConfig(TrainConfig):
    """Everything that a recogniser's training reads."""

    PRETRAINED = "ppocrv6-small-rec"
    BATCH_SIZE = 32

    task: Literal["recognition"] = Field("recognition", description="what is trained")
    model: RecognitionModelConfig = Field(default_factory=lambda: RecognitionModelConfig())
    text: TextConfig = Field(default_factory=lambda: TextConfig())
    input: LineInputConfig = Field(default_factory=lambda: LineInputConfig())
    augment: RecognitionAugmentConfig = Field(default_factory=lambda: RecognitionAugmentConfig())


class OrientationAugmentConfig(LineAugmentConfig):
    """What happens to a line before it is trained on; nothing here turns it over."""

    erase: Literal["none", "cutout", "random_erasing", "hide_and_seek", "grid_mask"] = Field(
        "random_erasing", description="what hides parts of a line"
    )
    erase_prob: float = Field(0.2, ge=0, le=1, description="share of lines with hidden parts")
    auto_augment: bool = Field(False, description="AutoAugment: random pairs of changes from a fixed list")
    mix: Literal["none", "mixup", "cutmix"] = Field("none", description="mix the lines of a batch and their labels")
    mix_alpha: float = Field(0.2, gt=0, description="of the beta distribution that draws the share of each line")


class OrientationConfig(TrainConfig):
    """Everything that a direction classifier's training reads."""

    PRETRAINED = "ppocr-mobile-ori"
    BATCH_SIZE = 64

    task: Literal["orientation"] = Field("orientation", description="what is trained")
    augment: OrientationAugmentConfig = Field(default_factory=lambda: OrientationAugmentConfig())


CONFIGS: dict[str, type[TrainConfig]] = {
    "detection": DetectionConfig,
    "recognition": RecognitionConfig,
    "orientation": OrientationConfig,
}
"""The configuration of each task."""
