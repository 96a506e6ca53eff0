import io
import re

from weft.sampling.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(stream, **settings):
    with show_progress(total=40, done=30, name="run", stream=stream, **settings) as progress:
        for _ in range(10):
            progress.update()
    return stream.getvalue()


def test_a_log_gets_whole_lines_with_rate_and_remaining_time():
    text = show(io.StringIO(), seconds_between_lines=0.0)
    assert "\r" not in text
    lines = text.splitlines()
    assert len(lines) >= 10
    assert "30/40" in lines[0]
    assert re.search(r"run: +\d+%\|.*35/40 \[\d+:\d+<\d+:\d+, .*answer", "\n".join(lines))
    assert "40/40" in lines[-1]


def test_a_log_is_not_flooded():
    assert len(show(io.StringIO()).splitlines()) == 2, "the beginning and the end"


def test_a_terminal_gets_a_bar():
    assert "\r" in show(Terminal())
