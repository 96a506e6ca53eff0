"""Pages that need nothing from outside: text is escaped, and their own policy lets browsers load nothing."""

import jinja2


def load_template(name: str) -> jinja2.Template:
    """Load a page's template; what is put into it is escaped, and what is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("weft.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
