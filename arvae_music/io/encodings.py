"""Decode the texts of MIDI files, which do not tell their encoding.

`decoded` tries UTF-8 first, because a text in another encoding is hardly ever valid UTF-8. Of the other encodings it
takes the one in which the text looks most like words: kana, common Chinese characters and Hangul rather than rare ones,
Cyrillic and Greek words without capitals inside, and Western words with single accents. Control characters become
spaces, so that no text can command a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Of several encodings that fit equally well, the first is taken.
ENCODINGS = ("cp1252", "cp932", "gbk", "cp1251", "cp1253", "big5", "cp949", "koi8-r", "cp866")

_ASCII, _KANA, _HALF_KANA, _CYRILLIC, _GREEK, _LATIN = 0.0, 0.1, 0.33, 0.35, 0.35, 0.2  # costs of a byte
_COMMON, _RARE, _SYMBOL = 0.3, 0.9, 1.5  # of East Asian characters, and of characters that are no letters
_RUN = 0.8  # an accented letter beside another one, a capital inside a word, or a change of alphabet in a word
_COMMON_LEADS = {  # the first bytes of common characters
    "gbk": range(0xB0, 0xD8), "big5": range(0xA4, 0xC7), "cp932": range(0x88, 0x98), "cp949": range(0xB0, 0xC9),
}  # fmt: skip
_COMMANDS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?")  # of terminals
_HIGH_TRAILS = ("gbk", "cp949")  # here the second byte of a common character lies above 0xA0


def decoded(payload: bytes, familiar: Callable[[str], bool] = lambda text: False) -> str:
    """The text of a meta event, safe to print. `familiar` recognises words that tracks are often named by."""
    return readable(_decoded(payload, familiar))


def readable(text: str) -> str:
    """The text without characters that are not printed, and without spaces at its ends."""
    safe = "".join(c if c.isprintable() else " " for c in _COMMANDS.sub("", text))
    return re.sub(r"\s+", " ", safe).strip()


def _decoded(payload: bytes, familiar: Callable[[str], bool]) -> str:
    for encoding in ("utf-16",) if payload[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return payload.decode(encoding)
        except UnicodeDecodeError:
            pass
    possible = []
    for encoding in ENCODINGS:
        try:
            text = payload.decode(encoding)
        except UnicodeDecodeError:
            continue
        possible.append((_oddness(text, encoding) - familiar(text), text))
    return min(possible, key=lambda one: one[0])[1] if possible else payload.decode("latin-1")


def _oddness(text: str, encoding: str) -> float:
    """How little a text looks like words: the sum of its characters' costs."""
    cost = 0.0
    before, script_before = " ", ""
    for character in text:
        script, own = _kind(character, encoding)
        cost += own
        inside = before.isalpha() and character.isalpha()
        if inside and {script, script_before} <= {"latin", "ascii", "cyrillic", "greek"}:
            mixed = script != script_before and not {script, script_before} <= {"latin", "ascii"}
            accents = script == script_before == "latin"
            cost += _RUN * (mixed + accents + (before.islower() and character.isupper() and script != "ascii"))
        before, script_before = character, script
    return cost


def _kind(character: str, encoding: str) -> tuple[str, float]:
    """The script of a character, and what it costs."""
    code = ord(character)
    if code < 0x80:
        return "ascii", _ASCII
    if 0x3040 <= code <= 0x30FF:
        return "kana", 2 * _KANA
    if 0xFF61 <= code <= 0xFF9F:
        return "kana", _HALF_KANA
    if 0x401 <= code <= 0x491 and encoding not in _COMMON_LEADS:
        return "cyrillic", _CYRILLIC
    if 0x386 <= code <= 0x3CE and encoding not in _COMMON_LEADS:
        return "greek", _GREEK
    if (0xC0 <= code <= 0xFF or character in "ŒœŠšŽžŸ") and character.isalpha():
        return "latin", _LATIN
    if 0x3000 <= code <= 0x303F or 0xFF01 <= code <= 0xFF5E:
        return "mark", 2 * _COMMON  # full-width punctuation and letters
    if unicodedata.category(character) == "Lo" and code > 0x2E80:
        return "han", 2 * (_COMMON if _is_common(character, encoding) else _RARE)
    return "symbol", _SYMBOL


def _is_common(character: str, encoding: str) -> bool:
    raw = character.encode(encoding)
    if len(raw) != 2 or raw[0] not in _COMMON_LEADS.get(encoding, ()):
        return False
    return raw[1] > 0xA0 or encoding not in _HIGH_TRAILS
