import hashlib

import pytest

from weft.config.instructions import D1_COMMIT, D1_TEXTS, InstructionFile
from weft.data.instructions import (
    INSTRUCTIONS,
    describe_instruction,
    fetch_instruction,
    find_instruction,
    read_text_constant,
    with_instruction,
)
from weft.errors import DataError

TEXT = "Count the apples.\nWrite \\\\boxed{} and a 'quote'. \n"
SOURCE = """import nowhere_to_be_found

OTHER = open("/nonexistent")
APPLES = (
    "Count the " + "apples."
    '''
Write \\\\\\\\boxed{}'''
    + " and a 'quote'. "
    + "\\n"
)

def apples():
    APPLES = "inside a function"
"""


def file_of(url="http://127.0.0.1:9/nowhere", text=TEXT, constant="APPLES"):
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return InstructionFile(url=url, constant=constant, sha256=sha256, offline="d1_code/apples.py")


def put(tmp_path, source=SOURCE):
    (tmp_path / "d1_code").mkdir()
    (tmp_path / "d1_code" / "apples.py").write_text(source)
    return [str(tmp_path)]


def test_an_instruction_stands_in_front_of_the_question():
    text = with_instruction(find_instruction("sudoku", offline=[]), "Q")
    assert text.startswith("Complete the 4x4 Sudoku")
    assert text.endswith("</answer>\n\nQ")


def test_the_instruction_none_leaves_the_question_unchanged():
    assert with_instruction(find_instruction("none", offline=[]), "Q") == "Q"


def test_boxed_answers_are_asked_for_with_balanced_braces():
    assert all(r"\boxed{}" in INSTRUCTIONS[name] for name in ("countdown", "mathematics"))


def test_a_text_is_read_from_an_offline_source_without_running_it(tmp_path):
    assert fetch_instruction(file_of(), offline=["absent", *put(tmp_path)]) == TEXT


def test_a_text_is_read_over_the_web(server, served):
    (served / "apples.py").write_text(SOURCE)
    assert fetch_instruction(file_of(f"{server}/apples.py"), offline=[]) == TEXT


def test_names_of_d1_are_fetched(tmp_path, monkeypatch):
    monkeypatch.setitem(D1_TEXTS, "d1/sft", file_of())
    assert find_instruction("d1/sft", offline=put(tmp_path)) == TEXT


def test_a_mirror_serves_the_texts_in_place_of_their_address(server, served):
    (served / "d1_code").mkdir()
    (served / "d1_code" / "apples.py").write_text(SOURCE)
    assert find_instruction(file_of(), offline=["absent", f"{server}/"]) == TEXT


def test_an_instruction_of_the_user_is_described_by_its_address_and_hash():
    source = file_of()
    assert describe_instruction(source) == {"name": "APPLES", "sha256": source.sha256, "url": source.url}


def test_an_additional_space_changes_the_hash(tmp_path):
    offline = put(tmp_path, SOURCE.replace("the apples.", "the  apples.").replace("apples.", "apples. "))
    with pytest.raises(DataError, match=r"APPLES in .*apples.py .*sha256 .*127.0.0.1:9.*mathematics$"):
        fetch_instruction(file_of(), offline=offline)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/nowhere", "missing"])
def test_the_error_of_an_unreachable_source_names_address_path_and_alternative(server, url):
    address = f"{server}/absent.py" if url == "missing" else url
    with pytest.raises(DataError) as caught:
        fetch_instruction(file_of(address), offline=["my", "other"])
    message = str(caught.value)
    assert address in message
    assert "my/d1_code/apples.py or other/d1_code/apples.py" in message
    assert "instruction: mathematics" in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("PEARS = 'x'", "APPLES .* got 0", id="missing"),
        pytest.param("def f():\n APPLES = 'x'", "APPLES .* got 0", id="inside a function"),
        pytest.param("APPLES = 'x'\nAPPLES = 'y'", "APPLES .* got 2", id="twice"),
        pytest.param("APPLES = ' '.join('ab')", "got Call in line 1", id="a call"),
        pytest.param("APPLES = 'a' + str(1)", "got Call in line 1", id="a call in a sum"),
        pytest.param("X = 'a'\nAPPLES = X", "got Name in line 2", id="another name"),
        pytest.param("APPLES = f'a{1}'", "got JoinedStr", id="a formatted string"),
        pytest.param("APPLES = b'a'", "got Constant", id="bytes"),
        pytest.param("APPLES = 'a' * 10**9", "got BinOp", id="a product"),
        pytest.param("APPLES = (", "Python source, got SyntaxError", id="no Python"),
        pytest.param("APPLES = '\0'", "Python source, got (SyntaxError|ValueError)", id="a null byte"),
        pytest.param("APPLES = " + "+".join(["'a'"] * 100_000), "got RecursionError", id="a long sum"),
        pytest.param("APPLES = " + "-" * 100_000 + "1", "got MemoryError", id="a deep nest"),
    ],
)
def test_a_source_that_does_not_hold_the_text_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        read_text_constant(source.encode(), "APPLES", origin="apples.py")


def test_a_sum_of_hundreds_is_read_in_order():
    source = "APPLES = " + " + ".join(f"'{number},'" for number in range(500))
    text = read_text_constant(source.encode(), "APPLES", origin="x")
    assert text == "".join(f"{number}," for number in range(500))


def test_a_source_of_more_than_a_megabyte_is_refused(tmp_path):
    offline = put(tmp_path, SOURCE + "#" * 1_000_000)
    with pytest.raises(DataError, match="1000000 bytes"):
        fetch_instruction(file_of(), offline=offline)


def test_the_provenance_names_hash_and_commit():
    notes = describe_instruction("d1/gsm8k")
    assert notes["sha256"] == D1_TEXTS["d1/gsm8k"].sha256
    assert notes["commit"] == D1_COMMIT
    short = describe_instruction("mathematics")
    assert short == {
        "name": "mathematics",
        "sha256": hashlib.sha256(INSTRUCTIONS["mathematics"].encode()).hexdigest(),
    }
