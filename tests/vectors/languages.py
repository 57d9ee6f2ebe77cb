"""Which translation of class names a reader of a language is shown.

languages.json: `tags`: of the translations that a manifest has, in any order; `language`: the first
that the user prefers; `expected`: one of the tags, or null for the names of the model itself.
"""

from deimv2.tests.vectors.text import to_bytes

MADE_BY = "python -m deimv2.tests.vectors: by hand, in tests/vectors/languages.py"
CASES: list[tuple[list[str], str, str | None]] = [
    ([], "de", None),
    (["de"], "", None),
    (["de"], "en", None),
    (["de"], "d", None),
    (["de"], "deu", None),
    (["fr", "de"], "de", "de"),
    (["DE"], "de", "DE"),
    (["pt-br"], "pt-BR", "pt-br"),
    # less exact
    (["fr", "de"], "de-CH", "de"),
    (["fr", "de"], "DE-ch", "de"),
    (["zh", "zh-Hant"], "zh-Hant-TW", "zh-Hant"),
    (["zh", "zh-TW"], "zh-Hant-TW", "zh"),
    (["de"], "de-DE-u-co-phonebk", "de"),
    # the same tag comes before a shorter one, whatever their order
    (["de", "de-CH"], "de-CH", "de-CH"),
    (["de-CH", "de"], "de-CH", "de-CH"),
    (["de-CH", "de"], "de", "de"),
    # the same language elsewhere, the first by alphabet
    (["pt-BR"], "pt", "pt-BR"),
    (["pt-PT", "pt-BR"], "pt", "pt-BR"),
    (["pt-BR"], "pt-PT", "pt-BR"),
    (["de", "pt-PT", "pt-BR"], "pt-AO", "pt-BR"),
    (["es-419", "en"], "es-MX", "es-419"),
    # another language that begins alike
    (["fil"], "fi", None),
    (["fi"], "fil-PH", None),
]


def make() -> dict[str, bytes]:
    cases = [
        {"tags": tags, "language": language, "expected": expected}
        for tags, language, expected in CASES
    ]
    return {"languages.json": to_bytes({"made_by": MADE_BY, "cases": cases})}
