"""Templates of self-contained HTML pages, in which text is escaped."""

import jinja2


def load_template(name: str) -> jinja2.Template:
    """Load a template of a page. Values are escaped, and a missing value raises an error.

    Args:
        name: file name in ``weft/report/templates``.

    Returns:
        The template.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("weft.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
