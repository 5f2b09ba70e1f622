"""The page's languages; each text stands in the code in both, side by side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """Chooses between the languages that a text is given in: ``say("Image", "图片")``.

    Attributes:
        code: of ISO 639-1; also the page's path.
        name: in the language itself.
    """

    code: str
    name: str

    def __call__(self, english: str, chinese: str) -> str:
        return chinese if self.code == "zh" else english


ENGLISH, CHINESE = Language("en", "English"), Language("zh", "中文")
LANGUAGES = (ENGLISH, CHINESE)


def preferred(accept_language: str) -> Language:
    """The language that a browser asks for first with its header ``Accept-Language``; English where it is neither."""
    for part in accept_language.split(","):
        for language in LANGUAGES:
            if part.strip().lower().startswith(language.code):
                return language
    return ENGLISH
