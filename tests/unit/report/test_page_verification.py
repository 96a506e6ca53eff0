from weft.records import Finding, KindSummary, Verification
from weft.report.page_verification import MAX_FINDINGS, show_verification


def outcome(*findings):
    kinds = {"scores": KindSummary(num_results=56, num_checks=1234)}
    return Verification(experiment="tiny", includes_page=False, kinds=kinds, findings=findings)


def test_a_verified_experiment_is_summarised_in_a_sentence():
    shown = show_verification(outcome(Finding(status="note", result="", text="made by two versions")))
    assert shown.holds
    assert shown.summary == "All 1,234 checks of 56 results hold: digests, inputs, counts and verdicts."
    assert shown.findings == ("note: made by two versions",)


def test_faults_and_missing_files_are_counted_and_listed_without_control_characters():
    finding = Finding(status="fails", result="scores/\x1bd1", text="changed")
    shown = show_verification(outcome(finding, Finding(status="missing", result="base", text="gone")))
    assert not shown.holds
    assert "1 do not hold, and 1 files are missing" in shown.summary
    assert shown.findings[1] == "missing: base: gone"
    assert "\x1b" not in shown.findings[0]


def test_a_long_list_is_cut():
    shown = show_verification(outcome(*[Finding(status="fails", result="a", text="b")] * (MAX_FINDINGS + 3)))
    assert len(shown.findings) == MAX_FINDINGS + 1
    assert shown.findings[-1] == "and 3 more, which weft verify lists"
