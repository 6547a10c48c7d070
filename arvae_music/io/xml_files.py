"""Read the bytes of an XML file, or of the main file in a compressed .mxl, without the dangers of either.

Entities may not be declared, because a few lines of them can stand for gigabytes, and others name files of the reader.
No external file is opened. A compressed score may be LARGEST bytes long when it is unpacked.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..errors import InputError

LARGEST = 256 * 2**20  # bytes of an unpacked score; the full scores of operas have a tenth of it
_CONTAINER = "META-INF/container.xml"
_SUFFIXES = (".musicxml", ".xml")
_EXPORT = "export it again from a notation program"


def read_xml(data: bytes, where: str) -> Element:
    """The root of an XML document, without namespaces. Raises InputError."""
    content = _unpacked(data, where) if data[:2] == b"PK" else data
    if b"<!ENTITY" in content.replace(b"\0", b""):  # also in UTF-16
        raise InputError("it declares XML entities, which are not safe to read", where=where, remedy=_EXPORT)
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"cannot be read as XML ({error})", where=where, remedy=_EXPORT) from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def _unpacked(data: bytes, where: str) -> bytes:
    """The score in a compressed MusicXML file: the first that its container names, or else the first XML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            listed = _listed(_member(archive, _CONTAINER, where), where) if _CONTAINER in names else None
            others = (name for name in names if name.lower().endswith(_SUFFIXES) and not name.startswith("META-INF/"))
            name = listed if listed in names else next(others, None)
            if name is None:
                raise InputError("it is a ZIP file without a score", where=where, remedy=_EXPORT)
            return _member(archive, name, where)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        what = f"cannot be read as a compressed score ({error})"
        raise InputError(what, where=where, remedy="export or download it again") from None


def _member(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    """A file of the archive. Its size is measured while it is unpacked, because its header may lie."""
    with archive.open(name) as member:
        content = member.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InputError(f"it unpacks to more than {LARGEST >> 20} MiB", where=where, remedy=_EXPORT)
    return content


def _listed(container: bytes, where: str) -> str | None:
    found = next((element for element in read_xml(container, where).iter() if element.tag == "rootfile"), None)
    return None if found is None else found.get("full-path")
