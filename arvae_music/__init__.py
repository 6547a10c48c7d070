"""arvae: sliders for a melody. See README.md; the library's front door is `arvae_music.load`."""

__version__ = "0.1.0"
