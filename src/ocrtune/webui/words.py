"""What the tool says in codes, in the page's languages: tasks, figures, states, diagnoses."""

from __future__ import annotations

from ocrtune.webui.language import Language

_TASKS = {
    "auto": ("whatever the labels allow", "由标注决定"),
    "detection": ("detection: where text is", "检测：文字在哪里"),
    "recognition": ("recognition: what a line says", "识别：一行写了什么"),
    "orientation": ("orientation: which side is up", "方向：哪边朝上"),
    "ocr": ("whole pipeline: find and read", "完整流程：先找到，再读出"),
}
_SHORT_TASKS = {
    "detection": ("detection", "检测"),
    "recognition": ("recognition", "识别"),
    "orientation": ("orientation", "方向"),
    "ocr": ("whole pipeline", "完整流程"),
}
_FIGURES = {
    "precision": ("precision", "精确率"),
    "recall": ("recall", "召回率"),
    "hmean": ("hmean", "hmean"),
    "map50": ("mAP@0.5", "mAP@0.5"),
    "accuracy": ("accuracy", "准确率"),
    "one_minus_ned": ("1 − edit distance", "1 − 编辑距离"),
    "cer": ("character errors", "字符错误率"),
    "wer": ("word errors", "词错误率"),
    "end_to_end_hmean": ("end-to-end hmean", "端到端 hmean"),
    "end_to_end_precision": ("end-to-end precision", "端到端精确率"),
    "end_to_end_recall": ("end-to-end recall", "端到端召回率"),
}
_SEVERITIES = {"error": ("error", "错误"), "warning": ("warning", "警告"), "info": ("good to know", "提示")}
_DIAGNOSES = {
    "nothing-to-learn": ("There is nothing to learn", "没有可学习的内容：所有标注都被忽略，或缺少该任务需要的信息"),
    "nothing-trains": ("Everything is frozen", "所有层都被冻结，没有参数在训练"),
    "sanity-failed": ("Not even one batch can be learnt", "连一个批次都学不会：数据、标注或学习率有问题"),
    "sanity-passed": ("One batch can be learnt", "单批次学习正常"),
    "labels-ignored": ("Most labels are ignored", "一半以上的标注被标记为忽略（###）"),
    "lr-high": ("The learning rate is too high", "学习率过高：可能在最初几步就破坏预训练权重"),
    "lr-low": ("The learning rate is too low", "学习率过低：在给定步数内几乎学不到东西"),
    "stage-never-comes": ("A stage never comes", "有一部分要到训练结束后才解冻，永远不会训练"),
    "little-trains": ("Hardly anything trains", "可训练的参数不到 2 %"),
    "base-far": ("The base does not fit these data", "基础模型在验证数据上的分数低于 0.5：与数据不匹配，或标注有误"),
    "ratio-apart": ("Shrink ratios do not fit", "目标的收缩比例与基础模型不一致：框会变大或变小"),
    "ratio-moves": ("The shrink ratio moves", "total_epoch 会让收缩比例在训练中变化：框会漂移"),
    "texts-small": ("Texts are very small", "网络看到的文字太小"),
    "texts-large": ("Texts are very large", "网络看到的文字太大"),
    "charset-wrong": ("The base does not know the characters", "基础模型不认识标注中的大多数字符"),
    "charset-gap": ("Some characters are unknown", "基础模型不认识标注中的部分字符"),
    "charset-order": ("The dictionary does not fit", "字典顺序不符：模型很自信却读错"),
    "ctc-infeasible": ("Lines too long for their width", "有些行的字符数超过了网络输出的列数"),
    "loss-rose": ("The loss rises", "损失在上升"),
    "loss-jumped": ("The loss jumped", "损失曾突然升高"),
    "loss-flat": ("The loss does not fall", "损失不下降"),
    "figure-oscillates": ("The figure swings", "验证指标来回波动，没有进步"),
    "overfitting": ("Overfitting", "过拟合：训练损失下降，验证指标却变差"),
    "batches-without-text": ("Batches without text", "30 % 以上的批次里没有文字"),
    "boxes-drift": ("Boxes drift", "检测框漂移：框会偏大或偏小，请重新校准"),
    "blank-collapse": ("Lines are read as nothing", "一半的行被读成空白"),
    "direction-collapse": ("Every line gets one direction", "所有行都被判为同一方向"),
    "below-base": ("Not better than the base", "结果不如基础模型"),
    "not-finite": ("Numbers are not finite", "损失或梯度出现无穷大或 NaN"),
    "limit-labels": ("Limited by the labels", "限制因素：标注有误或不一致"),
    "limit-resolution": ("Limited by resolution", "限制因素：分辨率太低，小字出错多"),
    "limit-data": ("Limited by the amount of data", "限制因素：数据太少，应标注更多"),
    "limit-steps": ("Limited by the time", "限制因素：训练时间太短，损失仍在下降"),
    "limit-capacity": ("Limited by the size of the model", "限制因素：模型太小"),
    "stopped": ("The run has ended with an error", "训练因错误而结束"),
}


def task(name: str, say: Language) -> str:
    """A task as an entry to choose."""
    return say(*_TASKS[name])


def short_task(name: str, say: Language) -> str:
    """A task in a word."""
    return say(*_SHORT_TASKS[name])


def figure(name: str, say: Language) -> str:
    """A figure's name."""
    return say(*_FIGURES.get(name, (name, name)))


def severity(name: str, say: Language) -> str:
    return say(*_SEVERITIES[name])


def diagnosis(code: str, say: Language) -> str:
    """What a diagnosis is about."""
    return say(*_DIAGNOSES.get(code, (code, code)))
