"""What the library says of labels, in the page's languages: kinds of findings, remedies, losses."""

from __future__ import annotations

from ocrtune.data.check import Finding
from ocrtune.data.check.findings import Severity
from ocrtune.data.formats import Loss
from ocrtune.webui.language import Language

_SEVERITIES: dict[Severity, tuple[str, str]] = {
    "error": ("error", "错误"),
    "warning": ("warning", "警告"),
    "info": ("note", "提示"),
}
_RETAKE = ("copy the image again from its source", "从原始来源重新复制图片")
_SEE = ("look at it, and correct the label", "查看并修正标注")
_DRAW_AGAIN = ("draw the outline again", "重新画出轮廓")
_TYPE_AGAIN = ("type the text again", "重新输入文本")
_ADD = ("label more pages", "标注更多页面")
_PATH = ("correct the path in the label file, or put the image there", "改正标注文件中的路径，或把图片放到该处")
_ONE_OF_THEM = ("keep one of them", "只保留其中一个")
_ONLY_ONE_SIDE = ("keep it out of one of the two parts", "只放在训练集或验证集之一")
_NOTHING = ("nothing, if that is meant so", "若本来如此则无需处理")

_KINDS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "no-pages": (("no labelled page", "没有带标注的页面"), ("name another folder or file", "选择其他文件夹或文件")),
    "no-usable-page": (("no page with a usable image", "没有可用的图片"), _PATH),
    "nothing-to-learn": (("nothing to learn", "没有可学习的文本"), _ADD),
    "few-pages": (("few pages", "页面太少"), _ADD),
    "label-unreadable": (("label that cannot be read", "标注无法读取"), ("correct the line", "改正该行")),
    "label-without-image": (("label without an image", "标注缺少对应图片"), _PATH),
    "image-missing": (("image is missing", "图片不存在"), _PATH),
    "image-without-label": (("image without a label", "图片没有标注"), ("label it, or leave it out", "标注它或忽略它")),
    "image-not-labelled": (
        ("images nobody labelled", "文件夹中有未标注的图片"),
        ("label them: Label by a model", "可用“模型预标注”"),
    ),
    "image-unreadable": (("image is damaged", "图片损坏"), _RETAKE),
    "image-blank": (("image of one colour with labels", "纯色图片却有标注"), _RETAKE),
    "image-one-colour": (("image of one colour", "纯色图片"), _NOTHING),
    "image-tiny": (("image is tiny", "图片过小"), ("scan it larger", "使用更高分辨率")),
    "image-huge": (("image is huge", "图片过大"), ("cut it into parts", "把图片切成几部分")),
    "image-frames": (
        ("several images in one file", "一个文件含多帧图片"),
        ("save each as a file", "分别保存为单个文件"),
    ),
    "image-exif": (("image is turned by EXIF", "图片由 EXIF 旋转"), _NOTHING),
    "image-named-twice": (("image named twice", "同一图片出现两次"), _ONE_OF_THEM),
    "image-twice": (("same image twice", "图片内容重复"), _ONE_OF_THEM),
    "image-nearly-twice": (
        ("nearly the same image", "图片内容几乎相同"),
        ("split keeps only equal ones together: look", "查看：拆分时只有完全相同的会放在一起"),
    ),
    "leak": (("also in the training data", "训练集中已有"), _ONLY_ONE_SIDE),
    "near-leak": (("nearly in the training data", "训练集中有几乎相同的"), _ONLY_ONE_SIDE),
    "labels-not-turned": (("labels do not follow the EXIF turn", "标注未随 EXIF 旋转"), _DRAW_AGAIN),
    "labels-one-text": (("every text is the same", "所有文本相同"), ("type the real texts", "输入真实文本")),
    "labels-one-case": (
        ("only capitals, or none", "只有大写或只有小写"),
        ("compare with ignore-case", "评估时忽略大小写"),
    ),
    "labels-mixed-width": (
        ("full-width and plain letters mixed", "全角与半角混用"),
        ("write all in one way", "统一写法"),
    ),
    "charset-gap": (
        ("characters the model does not know", "模型字典缺少的字符"),
        ("train with text.unknown=extend", "训练时设置 text.unknown=extend"),
    ),
    "texts-small": (("texts are small", "文字过小"), ("train at a larger size", "用更大的训练尺寸")),
    "page-other-scale": (("texts of another size than elsewhere", "文字大小与其他页不同"), _NOTHING),
    "page-empty": (("page without a text", "页面没有文本"), _NOTHING),
    "page-ignored": (("every text is ignored", "页面文本全部被忽略"), _NOTHING),
    "polygon-not-pixels": (("coordinates are no pixels", "坐标不是像素值"), _DRAW_AGAIN),
    "polygon-outside": (("outline lies outside the image", "轮廓在图片之外"), _DRAW_AGAIN),
    "polygon-over-border": (("outline leaves the image", "轮廓超出图片边界"), _DRAW_AGAIN),
    "polygon-crossing": (("outline crosses itself", "轮廓自相交"), _DRAW_AGAIN),
    "polygon-no-area": (("outline without an area", "轮廓没有面积"), _DRAW_AGAIN),
    "polygon-counter-clockwise": (("outline runs counter-clockwise", "轮廓为逆时针"), _NOTHING),
    "region-twice": (("region labelled twice", "区域重复标注"), ("delete one of them", "删除其中一个")),
    "region-overlap": (("regions overlap", "区域重叠"), _SEE),
    "box-too-large": (("box far larger than its text", "框远大于文本"), _DRAW_AGAIN),
    "text-too-long": (("text too long for its box", "文本对框来说太长"), _SEE),
    "text-too-small": (("text is lower than it can be read", "文字过矮难以识别"), ("mark it as ignored", "标记为忽略")),
    "text-empty": (("region without a text", "区域没有文本"), ("type it, or mark as ignored", "输入文本或标记为忽略")),
    "text-damaged": (("text with lost characters", "文本含丢失的字符"), _TYPE_AGAIN),
    "text-mojibake": (("text in a wrong encoding", "文本编码错误（乱码）"), _TYPE_AGAIN),
    "text-entity": (("HTML entity in a text", "文本含 HTML 实体"), _TYPE_AGAIN),
    "text-control": (("control character in a text", "文本含控制字符"), _TYPE_AGAIN),
    "text-invisible": (("invisible character in a text", "文本含不可见字符"), _TYPE_AGAIN),
    "text-odd-space": (("unusual kind of space", "文本含特殊空格"), _TYPE_AGAIN),
    "text-spaces": (("needless spaces", "多余的空格"), _TYPE_AGAIN),
    "text-not-nfc": (("accents as characters of their own", "组合字符未规范化（非 NFC）"), _TYPE_AGAIN),
    "text-full-width": (("full-width letters or digits", "全角字母或数字"), _NOTHING),
    "text-half-width": (("half-width katakana", "半角片假名"), _NOTHING),
    "text-ligature": (("ligature as one character", "连字作为单个字符"), _TYPE_AGAIN),
    "text-lookalike": (("letter of another script in a word", "单词混入其他文字的相似字母"), _TYPE_AGAIN),
    "text-odd-case": (("one small letter among capitals", "大写单词中有一个小写字母"), _SEE),
    "suspicious-text": (("the model reads another text", "模型读出不同文本"), _SEE),
    "suspicious-box": (("the model's box is elsewhere", "模型的框位置不同"), _SEE),
    "suspicious-missing": (
        ("the model finds a text without a label", "模型发现未标注的文本"),
        ("add the box", "添加该框"),
    ),
    "suspicious-extra": (("the model finds no text here", "模型在此未发现文本"), _SEE),
    "granularity": (("how labels and model cut texts", "标注与模型的切分粒度"), _NOTHING),
}

_FIXES = {
    "leaves the page out": "去掉该页",
    "leaves the line or page out": "去掉该行或该页",
    "leaves the page out of the training data": "从训练集中去掉该页",
    "turns them with the image": "随图片旋转标注",
    "drops the region": "删除该区域",
    "drops the second one": "删除后一个",
    "puts the four points in order": "按顺序排列四个点",
    "turns it around": "改为顺时针",
    "moves the points to the border": "把点移到边界",
    "decodes it again": "重新解码",
    "writes the character": "改写为对应字符",
    "writes spaces for them": "替换为空格",
    "drops them": "删除这些字符",
    "writes plain spaces": "改为普通空格",
    "leaves single spaces between words": "单词之间只留一个空格",
    "composes them": "规范化为单个字符",
    "writes their letters": "改写为普通字母",
    "writes the Latin letters": "改写为拉丁字母",
    "writes the Cyrillic letters": "改写为西里尔字母",
}

_LOSSES = {
    Loss.CURVE: "多于四个点的轮廓变为矩形",
    Loss.QUAD: "非矩形的四边形变为矩形",
    Loss.ROTATION: "旋转的轮廓变为水平框",
    Loss.TEXT: "文本不会写入",
    Loss.IGNORED_TEXT: "忽略区域的文本不会写入",
    Loss.UNKNOWN_TEXT: "未填写文本的区域得到空文本",
    Loss.LINE_BREAKS: "文本中的换行变为空格",
    Loss.OUTER_BLANKS: "文本首尾空白被去掉",
    Loss.CONTROL: "控制字符变为 U+FFFD",
}


def severity_word(severity: Severity, say: Language) -> str:
    """How grave a finding is."""
    return say(*_SEVERITIES[severity])


def kind_word(code: str, say: Language) -> str:
    """What kind of finding a code stands for."""
    return say(*_KINDS[code][0]) if code in _KINDS else code


def remedy_word(finding: Finding, say: Language) -> str:
    """What mends a finding: the automatic mending, or what a person has to do."""
    if finding.fixed_by:
        mended = say(finding.fixed_by, _FIXES.get(finding.fixed_by, finding.fixed_by))
        return say(f"Mend all: {mended}", f"自动修正：{mended}")
    return say(*_KINDS[finding.code][1]) if finding.code in _KINDS else ""


def loss_word(loss: Loss, say: Language) -> str:
    """What a label format cannot say."""
    return say(loss.value, _LOSSES[loss])
