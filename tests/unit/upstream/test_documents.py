"""Documents are read in a process that ends with what is wrong with them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable

import pytest

from landline.upstream.document_child import Options
from landline.upstream.documents import DocumentReader
from tests.fakes import pdf

LIMITS = Options(pages=3, characters=200, pictures=0, cpu_s=3)


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_words_are_read_page_by_page_and_remembered() -> None:
    reader, data = DocumentReader(), coded(pdf.pages("Hello there", "", "General"))
    first, second = await asyncio.gather(reader.read(data, pictures=False), reader.read(data, pictures=False))
    assert first.text == "[Page 1]\nHello there\n\n[Page 2]\n\n\n[Page 3]\nGeneral"
    assert second == first
    began = time.monotonic()
    assert await reader.read(data, pictures=False) is await reader.read(data, pictures=False)
    assert time.monotonic() - began < 0.05


async def test_a_scan_comes_as_pictures_for_models_that_see_only() -> None:
    reader, data = DocumentReader(), coded(pdf.pages(""))
    seen = await reader.read(data, pictures=True)
    assert base64.b64decode(seen.pictures[0]).startswith(b"\x89PNG")
    assert (seen.text, seen.problem, len(seen.pictures)) == ("", "", 1)
    assert (await reader.read(data, pictures=False)).problem == "it has no text in it (scanned pages?)"


async def test_of_a_heavy_scan_come_as_many_pages_as_fit() -> None:
    """Twenty pages of real paper grain: more than a process may answer, so that once none of them came."""
    output = await DocumentReader().read(coded(pdf.grain(20)), pictures=True)
    assert output.problem == ""
    assert 1 < len(output.pictures) < 20
    assert sum(map(len, output.pictures)) <= 16 * 2**20


async def test_long_documents_are_cut_and_say_so() -> None:
    reader = DocumentReader(options=LIMITS)
    many = await reader.read(coded(pdf.pages(*"abcde")), pictures=False)
    assert "[Page 3]\nc" in many.text
    assert many.text.endswith("[The document has 5 pages; what follows here was left out: it is too long.]")
    wide = await reader.read(coded(pdf.pages("word " * 200)), pictures=False)
    assert len(wide.text) < 300
    assert "left out" in wide.text


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no pdf": (lambda: b"hello", "it is no PDF"),
    "broken": (lambda: b"%PDF-1.4\ngarbage", "it is broken"),
    "cut": (lambda: pdf.pages("Hello")[:120], ""),
    "empty": (lambda: pdf.document(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] >>"), ""),
    "encrypted": (lambda: pdf.encrypted("Hello"), "it is encrypted"),
    "ring": (pdf.ring, ""),
    "bomb": (lambda: pdf.bomb(200), ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_documents_end_in_a_reason(kind: str) -> None:
    made, problem = HOSTILE[kind]
    began = time.monotonic()
    output = await DocumentReader(options=LIMITS, time_s=5).read(coded(made()), pictures=False)
    assert output.text == ""
    assert output.problem
    assert not problem or output.problem == problem
    assert time.monotonic() - began < 8


async def test_time_ends_what_its_own_limits_do_not() -> None:
    output = await DocumentReader(time_s=0.01).read(coded(pdf.pages("Hello")), pictures=False)
    assert output.problem == "it takes too long to read"


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landline.upstream.documents.REMEMBERED_BYTES", 500)
    reader = DocumentReader()
    for number in range(4):
        await reader.read(coded(b"no pdf %d" % number), pictures=False)
    assert len(reader._known) == 2
