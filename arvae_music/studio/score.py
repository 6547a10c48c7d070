"""The engraved score of a song or an edit: all tracks, the melody in colour, the chords named above it.

    score = EngravedScore.of(song, rows)
    score.page(1)                           a page as an SVG document

A page holds some measures, and only that page is engraved, because verovio takes seconds for the whole of a long song.
The studio's page loads it as an image, in which no script runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..system.extras import command
from .problems import RequestError

if TYPE_CHECKING:
    from ..arrays import Row
    from ..io.midi import Song
    from ..io.notation import Score

MELODY = "#b33d17"
LAYOUT = {"pageWidth": 2200, "scale": 40, "breaks": "auto", "svgViewBox": True, "svgAdditionalAttribute": ["staff@n"]}
STYLE = "<style>g.staff[data-n='{staff}'] g.layer {{ fill: {colour}; color: {colour}; stroke: {colour}; }}</style>"
MOST_MEASURES, FEWEST_MEASURES = 32, 6  # of a page
STAVES = 64  # times measures on a page


@dataclass(frozen=True)
class EngravedScore:
    score: Score
    melody: int  # the index of its part
    name: str  # of the file, for messages

    @classmethod
    def of(cls, song: Song, rows: Sequence[Row | None]) -> EngravedScore:
        """The score with these token rows. Raises RequestError without verovio."""
        from ..io.whole_score import whole_score
        from ..reports.engraved import available

        if not available():
            remedy = f"run: {command('studio')}"
            raise RequestError(501, "a score needs verovio, which is not installed", remedy=remedy)
        score, melody = whole_score(song, rows)
        return cls(score, melody, song.name)

    @property
    def measures(self) -> int:
        """How many measures a page has: fewer, the more parts there are."""
        return min(max(STAVES // len(self.score.parts), FEWEST_MEASURES), MOST_MEASURES)

    @property
    def pages(self) -> int:
        return -(-max(len(part.measures) for part in self.score.parts) // self.measures)

    def page(self, number: int) -> str:
        """Raises RequestError for a page that the score does not have, and for one that verovio cannot engrave."""
        from ..io.score_output import score_file
        from ..io.whole_score import section
        from ..reports.engraved import engrave

        if not 1 <= number <= self.pages:
            raise RequestError(404, f"the score has no page {number}", remedy=f"its pages are 1 to {self.pages}")
        first = (number - 1) * self.measures
        part = section(self.score, first, first + self.measures)
        drawn = engrave(score_file(part, ".musicxml").decode(), **LAYOUT)
        if not drawn:
            remedy = "save it as MusicXML, and open it in a notation program"
            raise RequestError(422, f"page {number} cannot be engraved", where=self.name, remedy=remedy)
        # Parts that end before this page have no staff on it.
        above, own = self.score.parts[: self.melody], self.score.parts[self.melody]
        staff = sum(len(one.measures) > first for one in above) + 1 if len(own.measures) > first else 0
        style = STYLE.format(staff=staff, colour=MELODY)
        return drawn[0].rstrip().removesuffix("</svg>") + f"{style}</svg>"
