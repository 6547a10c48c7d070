"""ABC is read as the standard 2.1 says. The expected values were worked out by hand, and agree with abc2midi 4.84
except where a comment says that it differs."""

from __future__ import annotations

from fractions import Fraction

import pytest

from arvae_music.errors import InputError
from arvae_music.io.abc import decoded, parse_order, read_score, split_collection
from arvae_music.io.abc_fields import Key, parse_key, parse_meter, parse_tempo
from arvae_music.io.notation import LeftOut, Part, joined
from arvae_music.io.scores import read_any
from arvae_music.io.unfold import unfolded

C, D, E, F, G, A, B = 60, 62, 64, 65, 67, 69, 71
c, d, e, f, g, a, b = (pitch + 12 for pitch in (C, D, E, F, G, A, B))


def tune(body: str, *, meter: str = "4/4", unit: str = "1/4", key: str = "C", more: str = "") -> str:
    return f"X:1\nT:t\n{more}M:{meter}\nL:{unit}\nK:{key}\n{body}\n"


def part(text: str) -> Part:
    (only,) = read_score(text).parts
    return only


def pitches(text: str) -> list[int]:
    return [sound.pitch for sound in joined(part(text).sounds)]


def lengths(text: str) -> list[str]:
    return [str(sound.end - sound.start) for sound in joined(part(text).sounds)]


def starts(text: str) -> list[str]:
    return [str(sound.start) for sound in joined(part(text).sounds)]


def played(body: str, more: str = "") -> str:
    """The first note of each measure that is played, as letters."""
    letters = dict(zip((C, D, E, F, G, A, B, c, d, e), "CDEFGABcde", strict=True))
    own = unfolded(read_score(tune(body, meter="1/4", more=more))).parts[0]
    return "".join(letters[sound.pitch] for sound in own.sounds)


# ------------------------------------------------------------------------------------- repeats


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("|:C|D:|E|", "CDCDE"),
        ("C|D:|E|F:|", "CDCDEFEF"),
        ("|:C|[1 D:|[2 E|]F|", "CDCEF"),
        ("|:C|[1D:|[2E|]", "CDCE"),
        ("|:C|1D:|2E|]", "CDCE"),
        ("|:C|1,2 D:|3 E|F|]", "CDCDCEF"),
        ("|:C|[1-3 D:|[4 E|]", "CDCDCDCE"),
        ("|:C|[1,3 D:|[2 E:|[4 F|]", "CDCECDCF"),
        ("|:C|[1,2 D:|[3 E||F|]", "CDCDCEF"),
        ("|:C|[1,3 D:|[2 E:|F|]", "CDCECDF"),  # the last pass ends in the first bracket, and then the repeat is over
        ("|:C|[1,3 D:|[2,4 E|]F|", "CDCECDCEF"),
        ("|:C|[1 D|[2 E|]F|", "CDCEF"),
        ("|:C|[1D:|[2E:|\n|:F|[1G:|[2A|]", "CDCEFGFA"),
        ("C::D|", "CCD"),
        ("|:C::D:|E|", "CCDDE"),
        ("|:C:|:D:|", "CCDD"),
        ("|:C:||:D:|", "CCDD"),
        ("|:C|D:|2E|", "CDCDE"),  # a second ending without a first: no note is lost (abc2midi loses it)
        ("C||D|E:|F|", "CDEDEF"),  # back to the double bar (abc2midi returns to the beginning)
        ("|::C::|D|", "CCCD"),  # three times (abc2midi plays it twice)
        ("|:C|[1D:|E|", "CDCE"),
        ("C|D|!D.C.!E|", "CDECDE"),
        ("C|!fine!D|E!D.C.!|F|", "CDECD"),
        ("C|!segno!D|E|!D.S.!F|", "CDEFDEF"),
        ("C|!coda!D|E!D.C.!|!coda!F|", "CDECDF"),
        ("C|D!dacoda!|E!D.C.alcoda!|!coda!F|", "CDECDF"),
        ("|:C|1D:|2E!D.C.!|", "CDCECE"),  # after the jump, only the last ending
    ],
)
def test_repeats_are_played(body: str, order: str) -> None:
    assert played(body) == order


@pytest.mark.parametrize(
    ("order", "expected"), [("ABA", "CDC"), ("A2B", "CCD"), ("(AB)2C", "CDCDE"), ("A.B.A2", "CDCC"), ("ABX", "CD")]
)
def test_the_order_of_parts(order: str, expected: str) -> None:
    assert played("P:A\nC|\nP:B\nD|\nP:C\nE|", more=f"P:{order}\n") == expected


def test_repeats_inside_of_parts() -> None:
    assert played("P:A\n|:C:|\nP:B\nD|", more="P:ABA\n") == "CCDCC"


def test_orders_with_brackets() -> None:
    assert parse_order("((AB)3.(CD)2)2") == tuple("ABABABCDCDABABABCDCD")
    assert parse_order("(AB") == ("A", "B")
    assert len(parse_order("A999999999")) <= 999
    assert len(parse_order("(" * 9 + "A" + "99)" * 9)) <= 999


def test_pages_are_the_default_and_unfolding_is_told() -> None:
    text = tune("|:CDEF|[1 GABc:|[2 cBAG|]").encode()
    page, sound = read_any(text), read_any(text, unfold=True)
    assert page.score is not None
    assert sound.score is not None
    assert (page.score.printed, page.score.played, page.score.unfolded) == (3, 4, False)
    assert (len(page.melody.bars), len(sound.melody.bars), sound.score.unfolded) == (3, 4, True)


def test_tempo_and_voices_stay_together_when_repeats_are_played() -> None:
    text = tune("V:1\n[Q:1/4=60]|:CDEF:|[Q:1/4=90]GABc|\nV:2\n|:C,4:|G,4|")
    first, second = unfolded(read_score(text)).parts
    assert first.tempi == ((0, 60.0), (4, 60.0), (8, 90.0))
    assert [(str(sound.start), sound.pitch) for sound in second.sounds] == [("0", 48), ("4", 48), ("8", 55)]


def test_hostile_repeats_are_refused() -> None:
    letters = "".join(f"P:{letter}\n" + ":" * 30 + "|:C::" + "\n" for letter in "AB")
    body = "|:" + "C|" * 500 + "[1-99 D:|[100 E|]\n"
    with pytest.raises(InputError, match="repeats make more measures"):
        read_any(tune(body + letters, meter="1/4").encode())


# ------------------------------------------------------------------------------------- rests, overlays, chords


@pytest.mark.parametrize("rest", ["Z2", "X2", "z4|z4", "x4|Z", "Z|Z1"])
def test_rests_take_their_measures(rest: str) -> None:
    own = part(tune(f"CDEF|{rest}|GABc|"))
    assert [measure.length for measure in own.measures] == [4] * 4
    assert starts(tune(f"CDEF|{rest}|GABc|"))[4] == "12"


def test_rests_at_the_start_and_in_other_meters() -> None:
    assert starts(tune("Z4|CDEF|"))[0] == "16"
    assert starts(tune("Z3|CDE|", meter="6/8", unit="1/8"))[0] == "9"


def test_rests_without_end_are_refused() -> None:
    with pytest.raises(InputError, match="a rest of 99999999 measures is too long"):
        read_any(tune("C4|Z99999999|").encode())


def test_spacers_take_no_time() -> None:
    assert starts(tune("Cy2DyEF|")) == ["0", "1", "2", "3"]


def test_overlays_are_other_voices() -> None:
    own, overlay = read_score(tune("CDEF & E,F,G,A,|GABc|c4 & G,2G,2|")).parts
    assert [sound.pitch for sound in own.sounds] == [C, D, E, F, G, A, B, c, c]
    assert [(sound.start, sound.pitch) for sound in overlay.sounds] == [
        (0, 52), (1, 53), (2, 55), (3, 57), (8, 55), (10, 55)
    ]  # fmt: skip
    assert own.measures == overlay.measures


def test_chords_last_as_long_as_their_first_note() -> None:
    own = part(tune("[CEG]2 G A|[C2E]G A|[C/E/]D|"))
    assert [(str(s.start), str(s.end), s.pitch) for s in own.sounds if s.start < 4] == [
        ("0", "2", C), ("0", "2", E), ("0", "2", G), ("2", "3", G), ("3", "4", A)
    ]  # fmt: skip
    assert [(str(s.start), s.pitch) for s in own.sounds if s.start >= 4] == [
        ("4", C), ("4", E), ("6", G), ("7", A), ("8", C), ("8", E), ("17/2", D)
    ]  # fmt: skip
    assert pitches(tune("+CEG+ G|")) == [C, E, G, G]  # the chords of ABC 1.6


# ------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("key", "altered"),
    [
        ("", ""), ("none", ""), ("C", ""), ("D", "F# C#"), ("Bb", "Bb Eb"), ("F#m", "F# C# G#"), ("Cm", "Bb Eb Ab"),
        ("Amix", "F# C#"), ("Ddor", ""), ("E Phrygian", ""), ("Gdorian", "Bb"), ("Eminor", "F#"), ("Flyd", ""),
        ("B locrian", ""), ("D % comment", "F# C#"), ("D treble", "F# C#"), ("Dm clef=bass", "Bb"),
        ("D exp ^f ^g", "F# G#"), ("G exp _B ^f", "Bb F#"), ("D ^g", "F# C# G#"), ("Am^g", "G#"), ("D =c", "F#"),
        ("HP", "F# C#"), ("Hp", "F# C#"), ("bass", ""), ("clef=alto", ""), ("Cb", "Bb Eb Ab Db Gb Cb Fb"),
        ("C# major", "F# C# G# D# A# E# B#"), ("C octave=0 exp ^c", "C#"),
    ],
)  # fmt: skip
def test_keys_alter_their_notes(key: str, altered: str) -> None:
    semitones = {"": 0, "#": 1, "b": -1}
    sharp = {name[0]: semitones[name[1:]] for name in altered.split()}
    naturals = dict(zip("CDEFGAB", (C, D, E, F, G, A, B), strict=True))
    assert pitches(tune("CDEFGAB|", key=key)) == [naturals[n] + sharp.get(n, 0) for n in "CDEFGAB"]


@pytest.mark.parametrize(
    ("properties", "by"),
    [
        ("clef=treble-8", -12), ("treble-8", -12), ("treble+8", 12), ("clef=bass", 0), ("bass", 0), ("octave=-1", -12),
        ("octave=2", 24), ("transpose=-2", -2), ("transpose=3 octave=-1", -9), ("clef=treble-8 octave=1", 0),
        ("middle=d", 0), ("clef=\"treble-15\"", -24), ('name="octave=3 blind"', 0),
    ],
)  # fmt: skip
def test_where_a_voice_sounds(properties: str, by: int) -> None:
    if not properties.startswith("name"):
        assert pitches(tune("CG|", key=f"C {properties}")) == [C + by, G + by]
    assert [s.pitch for s in part(tune(f"V:1 {properties}\nCG|")).sounds][1] == G + by


def test_keys_change_inside_and_between_lines() -> None:
    assert pitches(tune("CF|[K:D]CF|[K:Eb]EA|\nK:C\nEF|")) == [C, F, 61, 66, 63, 68, E, F]
    own = part(tune("CDEF|[K:D]CDEF|"))
    assert [measure.fifths for measure in own.measures] == [0, 2]


def test_minor_keys_and_signatures() -> None:
    assert parse_key("Am", Key()) == Key({}, 0, minor=True)
    assert parse_key("Bbmin", Key()).fifths == -5
    assert parse_key("D exp ^f ^g", Key()).fifths is None
    assert parse_key("C exp _b _e", Key()).fifths == -2
    assert parse_key("bass", Key({"F": 1}, 1)) == Key({"F": 1}, 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("^FFFF|F", [66, 66, 66, 66, 65]),
        ("^fF|", [78, 66]),  # in all octaves
        ("_B=B_BB|", [70, 71, 70, 70]),
        ("^^C__D|", [62, 60]),
        ("^F-|F F|", [66, 65]),  # the tie keeps the accidental, for that note alone
        ("^F-F G|", [66, 67]),
        ("F-^F|", [65, 66]),  # not the same pitch: a slur
    ],
)
def test_accidentals(body: str, expected: list[int]) -> None:
    assert pitches(tune(body)) == expected


def test_accidentals_of_one_octave_where_the_file_says_so() -> None:
    assert pitches(tune("I:propagate-accidentals octave\n^fF|")) == [78, 65]


def test_pitches_outside_of_midi_are_left_out() -> None:
    score = read_score(tune("Cc''''''D|"))
    assert [sound.pitch for sound in score.parts[0].sounds] == [C, D]
    assert score.left_out == {LeftOut.OUT_OF_RANGE: 1}


# ------------------------------------------------------------------------------------- rhythm


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C3/2D/2E//F3/4G/|", "3/2 1/2 1/4 3/4 1/2"),
        ("C/D//E4|", "1/2 1/4 4"),
        ("C>D E<F|", "3/2 1/2 1/2 3/2"),
        ("C>>D E<<F|C>>>D", "7/4 1/4 1/4 7/4 15/8 1/8"),
        ("C > D|", "3/2 1/2"),
        ("C>{d}D E<F|", "3/2 1/2 1/2 3/2"),
        ("!trill!C>!accent!D ~E<F|", "3/2 1/2 1/2 3/2"),
        ("(C>)D|", "3/2 1/2"),
        ("[CE]>D|", "3/2 3/2 1/2"),
        ("(3C/D/E/F|", "1/3 1/3 1/3 1"),
        ("(3:2:2C D/ E|", "2/3 1/3 1"),
        ("(3:2:4C2D/E/F|", "4/3 1/3 1/3 2/3"),
        ("(5:4:5C/D/E/F/G/ A|", "2/5 2/5 2/5 2/5 2/5 1"),
        ("(3[CE]DE F|", "2/3 2/3 2/3 2/3 1"),
        ('"C"(3C"G7"DE F|', "2/3 2/3 2/3 1"),
        ("{G}(3CD{/g}E F|", "2/3 2/3 2/3 1"),
        ("(3(CDE) F|", "2/3 2/3 2/3 1"),
        ("(3CDE(3FGA|", "2/3 2/3 2/3 2/3 2/3 2/3"),
        ("(2CD (4CDEF|", "3/2 3/2 3/4 3/4 3/4 3/4"),
        ("(5CDEFG|", "2/5 2/5 2/5 2/5 2/5"),
        ("C0D|", "1"),
    ],
)
def test_lengths(body: str, expected: str) -> None:
    assert lengths(tune(body)) == expected.split()


def test_tuplets_without_a_time_depend_on_the_meter() -> None:
    assert lengths(tune("(5CDEFG|", meter="6/8", unit="1/8")) == ["3/10"] * 5
    assert lengths(tune("(5CDEFG|", meter="3/8", unit="1/8")) == ["1/5"] * 5
    assert lengths(tune("(2CD|", meter="6/8", unit="1/8")) == ["3/4"] * 2


def test_a_rest_counts_in_tuplets_and_broken_rhythms() -> None:
    assert starts(tune("(3zCD z>C|")) == ["2/3", "4/3", "7/2"]


@pytest.mark.parametrize(("meter", "quarters"), [("2/4", "1/4"), ("4/4", "1/2"), ("3/4", "1/2"), ("6/8", "1/2")])
def test_the_unit_length_without_a_field(meter: str, quarters: str) -> None:
    assert lengths(f"X:1\nM:{meter}\nK:C\nC|\n") == [quarters]


def test_unit_length_and_meter_change() -> None:
    assert lengths(tune("CD|\nL:1/8\nCD|[L:1/2]C|")) == ["1", "1", "1/2", "1/2", "2"]
    own = part(tune("CDEF|\nM:3/4\nCDE|[M:C|]CDEF|[M:none]C|"))
    assert [measure.signature for measure in own.measures] == ["4/4", "3/4", "2/2", ""]


@pytest.mark.parametrize(
    ("text", "signature"),
    [("C", "4/4"), ("C|", "2/2"), ("6/8", "6/8"), ("none", ""), ("", ""), ("3+2/8", "5/8"), ("(2+3)/8", "5/8"),
     ("2/4+3/8", "7/8"), ("0/4", ""), ("4/3", ""), ("999/4", "")],
)  # fmt: skip
def test_meters(text: str, signature: str) -> None:
    assert parse_meter(text) == signature


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        ("120", 60), ("1/4=120", 120), ('"Allegro" 1/4=132', 132), ("3/8=80", 120), ("C=100", 50), ("C3=40", 60),
        ('1/4=100 "Andante"', 100), ('"Lento"', 52), ("1/4 3/8 1/4 3/8=40", 200), ('"Piece no 3"', None),
        ("1/0=5", None), ("1/4=0", None), ("1/2=60", 120), ("Allegro ma non troppo", 132),
    ],
)  # fmt: skip
def test_tempi(text: str, speed: float | None) -> None:
    assert parse_tempo(text, Fraction(1, 2)) == speed


# ------------------------------------------------------------------------------------- fields, decorations, text


@pytest.mark.parametrize(
    "inside",
    [
        "[r: a remark]", "[N: a bag]", "[I:MIDI program 40]", "[P:B]", "[Q:1/4=90]", "[T:Trio face]", "[U:T=!trill!]",
        "[R:reel]", "[s:*]", "[w:la la]", "[m:~n2=no/4n/4]", "+fermata+", "+p+", "+trill+", "!fermata!", "!D.C.!",
        "!crescendo(!", "!<(!", "!segno!", '"^a bag"', '"_x|y"', '"Am"', "*", "!", "`", "y", "{gag}", "{/g}", "\\", "$",
        "[V:1]", "[K:C]", "[M:4/4]", "[L:1/4]", "~", ".", "H", "T", "u", "v", "(", ")", "!f!",
    ],
)  # fmt: skip
def test_what_sounds_nothing(inside: str) -> None:
    for body in (f"CDEF|{inside}GABc|cBAG|", f"CDEF|GA{inside}Bc|cBAG|"):
        score = read_score(tune(body))
        notes = [(sound.start, sound.pitch) for sound in joined(score.parts[0].sounds)]
        assert notes == list(enumerate((C, D, E, F, G, A, B, c, c, B, A, G)))
        assert score.parts[0].measures[-1].end == 12


def test_redefined_letters_and_lyrics_sound_nothing() -> None:
    assert pitches(tune("SCOD|\nw: a-bag face\nW: bead\n% CDEF\n%%text CDE\nEF|", more="U:S=!trill!\n")) == [C, D, E, F]


def test_continued_lines_and_comments() -> None:
    text = tune("CD\\\nEF| % a comment |: x\nGABc|")
    assert pitches(text) == [C, D, E, F, G, A, B, c]
    assert [measure.length for measure in part(text).measures] == [4, 4]


def test_lyrics_are_given_to_notes() -> None:
    own = part(tune("C D E F|G A B c|\nw: hal-le-lu- | jah_ * a~men\nc4|\nw: end"))
    assert [(int(lyric.start), lyric.text) for lyric in own.lyrics] == [
        (0, "hal-"), (1, "le-"), (2, "lu-"), (4, "jah"), (7, "a men"), (8, "end")
    ]  # fmt: skip


def test_dynamics_and_programs() -> None:
    own = part(tune("%%MIDI program 40\n!pp!CD!ff!EF|"))
    assert [sound.velocity for sound in own.sounds] == [33, 33, 112, 112]
    assert own.program == 40


def test_voices_and_their_names() -> None:
    text = tune("[V:S]CDEF|\n[V:B]C,4|\n[V:S]GABc|\n[V:B]G,4|", more='V:S name="Soprano"\nV:B nm="Bass" clef=bass\n')
    high, low = read_score(text).parts
    assert [high.name, low.name] == ["Soprano", "Bass"]
    assert [sound.pitch for sound in low.sounds] == [48, 55]
    assert high.measures[-1].end == low.measures[-1].end == 8


def test_music_before_the_first_voice_belongs_to_it() -> None:
    assert pitches(tune("CDEF|[V:1]GABc|")) == [C, D, E, F, G, A, B, c]


def test_a_tune_ends_at_an_empty_line() -> None:
    score = read_score(tune("CDEF|") + "\nSome words: a cab bag face\n")
    assert [sound.pitch for sound in score.parts[0].sounds] == [C, D, E, F]
    assert score.left_out == {LeftOut.OUTSIDE_TUNE: 1}


@pytest.mark.parametrize(
    "data",
    [
        b"X:1\r\nT:t\r\nM:4/4\r\nL:1/4\r\nK:C\r\nCDEF|\r\nGABc|\r\n",
        b"\xef\xbb\xbfX:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|",
        b"T:t\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n",
        b"%abc-2.1\n%%pagewidth 20cm\nX: 1\nT: t\nM: C\nL: 1/4\nK: C\nCDEF|GABc|\n",
        b"A cab of text: bag\n\nX:1\nT:G\xe4 ira\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n",
        b"X:1\nT:t\nM:4/4\nL:1/4\n\nK:C\n\nCDEF|GABc|\n",
        "X:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n".encode("utf-16"),
    ],
)
def test_files_as_they_are_found(data: bytes) -> None:
    score = read_score(split_collection(decoded(data))[-1])
    assert [sound.pitch for sound in score.parts[0].sounds] == [C, D, E, F, G, A, B, c]
    assert [measure.signature for measure in score.parts[0].measures] == ["4/4", "4/4"]


def test_one_tune_of_several() -> None:
    text = b"M:4/4\nL:1/4\n\nX:1\nT:One\nK:C\nCDEF|\n\nX:2\nT:Two\nM:3/4\nK:G\nGAB|c2d|\n"
    song = read_any(text, tune=2)
    assert [note.pitch for note in song.melody.notes] == [G, A, B, c, d]
    with pytest.raises(InputError, match="it has no tune 3; give a number from 1 to 2"):
        read_any(text, tune=3)


def test_very_long_notes_are_refused() -> None:
    with pytest.raises(InputError, match=r"tune\.abc: it lasts longer than a MIDI file can hold"):
        read_any(tune("C99999999|").encode(), name="tune.abc")
