"""Names of tracks in the encodings and languages of real files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arvae_music.io.names import Role, role_of, text


@pytest.mark.parametrize(
    ("name", "encoding", "role"),
    [
        ("Melodie", "ascii", Role.MELODY),
        ("Mélodie", "cp1252", Role.MELODY),
        ("Mélodie", "utf-8", Role.MELODY),
        ("メロディ", "cp932", Role.MELODY),
        ("ﾒﾛﾃﾞｨ", "cp932", Role.MELODY),
        ("メロディ", "euc_jp", Role.MELODY),
        ("主旋律", "cp932", Role.MELODY),
        ("主旋律", "gbk", Role.MELODY),
        ("主旋律", "big5", Role.MELODY),
        ("主旋律", "utf-8", Role.MELODY),
        ("мелодия", "cp1251", Role.MELODY),
        ("МЕЛОДИЯ", "cp1251", Role.MELODY),
        ("Мелодия", "koi8-r", Role.MELODY),
        ("Мелодия", "cp866", Role.MELODY),
        ("멜로디", "cp949", Role.MELODY),
        ("Μελωδία", "utf-8", Role.MELODY),
        ("Μελωδία", "cp1253", Role.MELODY),
        ("ΜΕΛΩΔΙΑ", "cp1253", Role.MELODY),
        ("Φωνή", "cp1253", Role.SUNG),
        ("Κιθάρα", "cp1253", Role.UNKNOWN),
        ("Вокал", "cp1251", Role.SUNG),
        ("人声", "gbk", Role.SUNG),
        ("ボーカル", "cp932", Role.SUNG),
        ("Voz", "ascii", Role.SUNG),
        ("canto", "ascii", Role.SUNG),
        ("Gesang", "ascii", Role.SUNG),
        ("Śpiew", "utf-8", Role.SUNG),
        ("ソロ", "cp932", Role.LEAD),
        ("右手", "cp932", Role.UPPER),
        ("Правая рука", "cp1251", Role.UPPER),
        ("左手", "gbk", Role.LOWER),
        ("ベース", "cp932", Role.BASS),
        ("贝斯", "gbk", Role.BASS),
        ("Бас", "cp1251", Role.BASS),
        ("Contrebasse", "ascii", Role.BASS),
        ("コーラス", "cp932", Role.BACKING),
        ("Begleitung", "ascii", Role.BACKING),
        ("Acompañamiento", "cp1252", Role.BACKING),
        ("Harmony Vocals", "ascii", Role.BACKING),
        ("弦乐", "gbk", Role.BACKING),
        ("Harmonica", "ascii", Role.UNKNOWN),
        ("Flöte", "cp1252", Role.UNKNOWN),
        ("Canção à noite", "cp1252", Role.UNKNOWN),
        ("钢琴", "gbk", Role.UNKNOWN),
        ("ピアノ", "cp932", Role.UNKNOWN),
    ],
)
def test_a_name_is_readable_and_tells_its_role(name: str, encoding: str, role: Role) -> None:
    assert text(name.encode(encoding)) == name
    assert role_of(name) is role


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Lead \x1b[31mred\x07\x1b]0;title\x07", "Lead red"),
        ("Lead [/synth] [bold]x", "Lead [/synth] [bold]x"),
        ("two\nlines\tand\0more\0", "two lines and more"),
        ("\ufeffMelody", "Melody"),
        ("safe\u202etxt", "safe txt"),
    ],
)
def test_a_name_cannot_command_a_terminal(name: str, shown: str) -> None:
    assert text(name.encode()) == shown


@given(st.binary(max_size=40))
def test_any_bytes_give_a_printable_name(payload: bytes) -> None:
    name = text(payload)
    assert name == "" or name.isprintable()
