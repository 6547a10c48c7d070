"""Judges of edited melodies, for naturalness.py: each module measures one side of how musical an edit is.

tunes       whole tunes of a corpus, and which of them train the judges
events      melodies as sequences of notes and rests
ngram       bits a note under an interpolated n-gram
recurrent   bits a note under a small GRU
matching    real measures with the same attribute values as edited ones
features    what a classifier sees of a measure and its neighbours
twosample   how well that classifier tells edited measures from real ones
phrases     pickups, final notes, leaps, rhythmic places and accidentals
chords      chord tones and clashes with the other tracks of a file
likeness    whether the request is met, and how much of the tune is left
engines     what is judged: name -> a function from a tune and a request to a melody
tables      sums over tunes, bootstrap intervals, Markdown
"""
