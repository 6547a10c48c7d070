"""What a track plays, by its name: a melody, a singer, an accompaniment, a bass. It knows words of many languages.

    text(payload)      the text of a meta event
    role_of(name)      the role that the name tells
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache

from .encodings import decoded


class Role(Enum):
    """What a track plays."""

    MELODY = "melody"
    SUNG = "sung"
    LEAD = "lead"
    UPPER = "upper"  # the right hand, the first violins
    UNKNOWN = "unknown"
    LOWER = "lower"  # the left hand
    BACKING = "backing"  # chords, pads, choirs, second voices
    BASS = "bass"
    PERCUSSION = "percussion"


# The first role with a word in the name counts: "backing vocals" are backing. Accents are removed before.
_WORDS: tuple[tuple[Role, str], ...] = (
    (
        Role.BACKING,
        r"\bback|\bb\.?g\.?\b|\bbv|harmon(?!ica)|\bchoirs?\b|choira|\bchorus|\bcoros?\b|\bcoral|accomp|acomp|akkomp|begleit"
        r"|\bpads?\b|pad$|\bchords?\b|akkord|acorde|\baccordi\b|\baccords\b|\barp|rhythm|rythm|rhytm|\britm|\bfill|\bcomp\b"
        r"|counter|\bocta|\boktav|\b8v[ab]|\bdoubl|\bstabs?\b|\becho|\bdelay|ambien|atmos|\boohs?\b|\ba+hs?\b"
        r"|hgesang|2nd voice"
        r"|伴奏|和音|和声|和聲|コーラス|バッキング|和弦|合唱|аккомп|аккорд|\bхор\b|подпев|бэк|반주|화음|코러스",
    ),
    (
        Role.MELODY,
        r"melod|\bmelo?\b|\btune\b|\btheme\b|\btema\b|\bthema\b|cantus|giai dieu"
        r"|メロテ|めろて|旋律|主题|主題|мелод|\bтема\b|멜로디|선율|μελωδ",
    ),
    (
        Role.SUNG,
        r"vocal|vokal|\bvoca?\b|\bvox\b|\bvoice\b|\bsing|\bsung\b|gesang|\bchant|\bcant[oe]\b|\bcantor|\bvoz\b|\bvoce\b"
        r"|\bvoix\b|stimme|spiew|\bzpev|\bsang\b|\blaulu|\bwords\b"
        r"|ホーカル|ウォーカル|歌|人声|人聲|主唱|вокал|голос|\bпесн|보컬|노래|φων",
    ),
    (Role.LEAD, r"sopran|\blead|\bsolo|discant|descant|ソロ|リート|独奏|獨奏|主奏|соло|솔로|리드"),
    (
        Role.PERCUSSION,
        r"drum|percus|schlagz|bateria|batteri|\bkick\b|snare|\bhi-?hats?\b|cymbal|timpan"
        r"|トラム|ハーカッション|鼓|ударн|барабан|드럼",
    ),
    (
        Role.BASS,
        r"\bbass(es?|o|i)?\b|bass$|bass(git|guit|dr)|\bbaixo|\bbajo|kontrab|contr[ae]b|\bbasy?\b"
        r"|ヘース|低音|贝斯|貝斯|\bбас|베이스",
    ),
    (
        Role.LOWER,
        r"\bviol(in|ins|ini|ine|inen|ino|on|ons)\.? ?(2|ii)\b|\b2nd\b"
        r"|\bleft|\bl\.?h\b|\blink[se]|gauche|izquierd|esquerd|\bsinistra|左手|лев(ая|ой)|왼손",
    ),
    (Role.BACKING, r"string|streicher|\bcordes\b|\barchi\b|cuerda|\bcordas\b|ストリンク|弦|струнн|현악"),
    (
        Role.UPPER,
        r"\bviol(in|ins|ini|ine|inen|ino|on|ons)\.? ?(1|i)\b|\b(1st|first|1\.) violin"
        r"|\bright|\br\.?h\b|\brecht[se]|droite|derech|direit|\bdestra|右手|прав(ая|ой)|오른손",
    ),
)
_PATTERNS = tuple((role, re.compile(_words)) for role, _words in _WORDS)


def text(payload: bytes) -> str:
    """The text of a meta event: decoded, and without characters that are not printed."""
    return decoded(payload.strip(b"\0"), lambda name: not name.isascii() and role_of(name) is not Role.UNKNOWN)


@lru_cache(maxsize=1024)
def role_of(name: str) -> Role:
    """What a track of this name plays; UNKNOWN if the name does not tell."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in apart if not unicodedata.combining(c)).replace("_", " ")
    plain = unicodedata.normalize("NFC", bare)  # joins the letters of Hangul again
    return next((role for role, pattern in _PATTERNS if pattern.search(plain)), Role.UNKNOWN)
