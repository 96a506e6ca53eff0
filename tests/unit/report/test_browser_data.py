import base64
import json
import re
import zlib
from dataclasses import asdict

from weft.report.browser_data import (
    BrowserData,
    Sheet,
    SheetTexts,
    ShownComparison,
    ShownQuestion,
    pack_data,
    packed_size,
)

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \u2028 &amp; \ufffd"
DATA = BrowserData(
    columns=["base model"],
    pair=None,
    filters=[("", HOSTILE)],
    benchmarks=["GSM8K"],
    trace_length=8,
    questions=[ShownQuestion(0, "q1", HOSTILE, None, is_first=True)],
    sheets=[Sheet("base model", "c", None, SheetTexts([HOSTILE], [None], [""]))],
    comparisons=[ShownComparison(None, 8, None, [0], [{"correct": 1}])],
)


def test_data_can_be_read_back_and_contain_no_markup():
    packed = pack_data(DATA)
    assert re.fullmatch("[A-Za-z0-9+/]+=*", packed)
    read = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert read == json.loads(json.dumps(asdict(DATA)))
    assert read["questions"][0]["text"] == HOSTILE
    assert pack_data(DATA) == packed


def test_the_size_is_that_in_the_page():
    assert abs(packed_size(asdict(DATA)) - len(pack_data(DATA))) < 4
