"""Licences of known data sets, read from ``licences.csv``.

The column ``place`` is the name of a repository of the Hugging Face hub, or the beginning of a URL.
"""

import csv
from importlib import resources

UNKNOWN = "unknown"
"""Text in place of a licence that is not in the file."""


def find_licence(place: str) -> str:
    """Return the licence of the data at a place, and who states it.

    Args:
        place: repository of the Hugging Face hub as owner/name, or a URL.

    Returns:
        For example "MIT (data set card on the Hugging Face hub)", or `UNKNOWN`.
    """
    with resources.files("weft.report").joinpath("licences.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            is_url = row["place"].startswith("https://")
            if place == row["place"] or (is_url and place.startswith(row["place"])):
                return f"{row['licence']} ({row['stated_by']})"
    return UNKNOWN
