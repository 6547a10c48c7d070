"""Damage ABC and MusicXML texts, for tests of what reading does with damaged scores. The seed decides everything."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

ABC = r"""X:1
T:A tune
C:Trad.
M:6/8
L:1/8
Q:3/8=90
K:Dmix clef=treble-8
V:1 name="Melody"
%%MIDI program 40
|:"D"d2e (3fga|[1,2 ~g>a !trill!b2 z|1 d6:|2 [dfa]3 {ag}f3||
w:one two_ three - four
[K:G][M:3/4] G4-G2|Z2|[L:1/16] A8&c8|x4 X|!D.C.! [P:B] "^slow"d_e=f^g|]
V:2 octave=-1 transpose=-2
D6|D6|D6|z6|z6|D6|D6|

X:2
M:C|
K:none
CDEF|$(5cdefg a/b//c3/2|:D::E:||
"""
XML = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0"><work><work-title>A tune</work-title></work>
<part-list><score-part id="P1"><part-name>Voice</part-name><midi-instrument id="I1"><midi-program>41</midi-program>
</midi-instrument></score-part></part-list><part id="P1">
<measure number="0" implicit="yes"><attributes><divisions>6</divisions><key><fifths>-2</fifths><mode>minor</mode></key>
<time><beats>3+2</beats><beat-type>8</beat-type></time><transpose><chromatic>-2</chromatic></transpose></attributes>
<sound tempo="96"/><note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>3</duration>
<voice>1</voice><lyric><syllabic>begin</syllabic><text>La</text></lyric><tie type="start"/></note></measure>
<measure number="1"><barline location="left"><repeat direction="forward"/><ending number="1,2" type="start"/></barline>
<harmony><root><root-step>C</root-step></root><kind>minor-seventh</kind></harmony>
<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>120</per-minute></metronome>
</direction-type></direction><direction><direction-type><dynamics><ff/></dynamics></direction-type></direction>
<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>
<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>9</duration><tie type="stop"/></note>
<note><chord/><pitch><step>D</step><octave>5</octave></pitch><duration>9</duration></note>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration><time-modification><actual-notes>3
</actual-notes><normal-notes>2</normal-notes></time-modification></note><note><rest/><duration>2</duration></note>
<backup><duration>15</duration></backup><note><pitch><step>C</step><octave>3</octave></pitch><duration>15</duration>
<voice>2</voice></note><barline location="right"><ending number="1,2" type="stop"/>
<repeat direction="backward" times="3"/></barline></measure>
<measure number="2"><attributes><measure-style><multiple-rest>2</multiple-rest></measure-style></attributes>
<forward><duration>15</duration></forward><direction><sound dalsegno="s" fine="yes"/></direction></measure>
</part></score-partwise>
"""
NUMBERS = ("0", "-1", "1", "99999999999", "1e308", "nan", "inf", "3/0", "", "½", "0.0000001", "999999999/7")
PIECES = (
    "[1,2 ", "|:", ":|", "::", "&", "(3", "(99:98:97", "!D.S.!", "K:", "M:7/0\n", "M:1/1000\n", "L:0\n", "L:9/0\n",
    "Q:0\n", "Z99999", "C99999999", "A////////////////", "P:(A5B99)99\n", "[V:9]", "{", "}", '"', "-", "\\\n", "\0",
    "</note>", "<note>", "<!DOCTYPE x [<!ENTITY y 'z'>]>", "&y;", "<", "&amp;", "\u00e9",
)  # fmt: skip
ELEMENTS = (
    "<backup><duration>99</duration></backup>", "<forward><duration>1</duration></forward>", "<note/>", "<grace/>",
    "<attributes><divisions>0</divisions></attributes>", "<repeat direction='backward' times='999999'/>", "<chord/>",
    "<alter>1e9</alter>", "<time><beats>7</beats><beat-type>0</beat-type></time>", "<sound tempo='0' dacapo='yes'/>",
)  # fmt: skip


def flip(text: str, draw: random.Random) -> str:
    """Change up to eight characters."""
    changed = list(text)
    for _ in range(draw.randint(1, 8)):
        if changed:
            changed[draw.randrange(len(changed))] = chr(draw.choice((draw.randrange(32, 127), draw.randrange(0x250))))
    return "".join(changed)


def cut(text: str, draw: random.Random) -> str:
    """Leave out the end, the beginning, or a part in the middle."""
    first, second = sorted(draw.randrange(len(text) + 1) for _ in range(2))
    return draw.choice((text[:second], text[first:], text[:first] + text[second:]))


def repeat(text: str, draw: random.Random) -> str:
    """Insert a part again somewhere."""
    first, second = sorted(draw.randrange(len(text) + 1) for _ in range(2))
    at = draw.randrange(len(text) + 1)
    return text[:at] + text[first : min(second, first + 400)] * draw.choice((1, 1, 2, 9)) + text[at:]


def insert(text: str, draw: random.Random) -> str:
    """Insert an element of the language somewhere."""
    at = draw.randrange(len(text) + 1)
    return text[:at] + draw.choice(PIECES) + text[at:]


def renumber(text: str, draw: random.Random) -> str:
    """Replace a number by another one."""
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return insert(text, draw)
    chosen = draw.choice(numbers)
    return text[: chosen.start()] + draw.choice(NUMBERS) + text[chosen.end() :]


def restructure(text: str, draw: random.Random) -> str:
    """Leave out a whole element, repeat one, or insert one before another, so that the text is still XML."""
    names = re.findall(r"<([a-z-]+)[ />]", text)
    if not names:
        return text
    name = draw.choice(names)
    elements = list(re.finditer(rf"<{name}(?: [^>]*)?(?:/>|(?<!/)>.*?</{name}>)", text, re.DOTALL))
    if not elements:
        return text
    chosen = draw.choice(elements)
    new = draw.choice(("", chosen[0] * 2, chosen[0] * 9, draw.choice(ELEMENTS) + chosen[0]))
    return text[: chosen.start()] + new + text[chosen.end() :]


Kinds = tuple[Callable[[str, random.Random], str], ...]
OF_ABC: Kinds = (flip, cut, repeat, insert, renumber)
OF_XML: Kinds = (*[renumber] * 5, *[restructure] * 8, flip, cut, repeat, insert)


def mutated(seed: int) -> tuple[bytes, str]:
    """A damaged score and the suffix of its file: ABC for even seeds, MusicXML for odd ones."""
    draw = random.Random(seed)
    text, suffix, kinds = ((ABC, ".abc", OF_ABC), (XML, ".musicxml", OF_XML))[seed % 2]
    for _ in range(draw.choice((1, 1, 2, 3, 5))):
        text = draw.choice(kinds)(text, draw)
    return text.encode(), suffix
