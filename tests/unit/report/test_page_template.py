import jinja2
import pytest

from weft.report.page_template import load_template


def test_a_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        load_template("trace.html.j2").render()


@pytest.mark.parametrize("name", ["index.html.j2", "trace.html.j2"])
def test_pages_load_nothing_and_share_their_style(name):
    source = load_template(name).environment.loader.get_source(None, name)[0]
    policy = 'http-equiv="Content-Security-Policy" content="default-src \'none\';'
    assert policy in source
    assert "<script" not in source
    allowed = "{% if browser %}; script-src '{{ browser.script_hash }}'{% endif %}"
    assert source.replace(allowed, "").count("script-src") == 0
    assert '{% include "style.css" %}' in source


def test_text_is_escaped():
    environment = load_template("index.html.j2").environment
    assert environment.from_string("{{ text }}").render(text="<b>&") == "&lt;b&gt;&amp;"
