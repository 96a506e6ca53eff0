"""Files of a split in a folder or repository, found by the rules of the library datasets.

The configurations in the YAML block of README.md count first, and otherwise the names of the files. The
rules are those of the library, which is given a folder of empty files with the same names; none of its
readers runs, and neither the network nor other folders are looked at.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from weft.data.row_files import choose_split
from weft.errors import DataError, describe_error
from weft.records.files import write_text

CARD = "README.md"
READABLE = (".parquet", ".jsonl", ".json", ".csv", ".tsv")
"""Endings of the files that are read; ``.gz`` may follow."""
INFOS = "dataset_infos.json"
"""File with descriptions that older data sets have beside their files or script. It holds no rows."""
CONFIG_KEYS = ("config_name", "data_files", "data_dir", "default")
"""Keys of a configuration that say which files belong to it."""
MAX_FILES = 100_000
MAX_NAMED = 8


def list_names(folder: Path) -> list[str]:
    """Return the paths of the files in a folder, relative to it and sorted; hidden ones are left out."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if not any(part.startswith(".") for part in path.parts))


def find_files(
    names: Iterable[str], card: str, *, config: str | None = None, split: str | None = None, place: str
) -> list[str]:
    """Return the names of the files of a split, in the order of the library datasets.

    Args:
        names: paths of all files, relative to the folder or repository.
        card: text of its README.md, or an empty text.
        config: configuration (subset); the default one if None.
        split: split; ``train`` or the only one if None.
        place: name of the folder or repository, for messages.

    Returns:
        The names.

    Raises:
        DataError: the configuration or the split does not exist, or no file of a format that is read does.
    """
    known = sorted(name for name in names if _is_inside(name))
    readable = [name for name in known if _is_readable(PurePosixPath(name.removesuffix(".gz")))]
    if not readable or len(readable) > MAX_FILES:
        raise DataError(
            f"{place}: expected from 1 to {MAX_FILES:,} files of the kinds {', '.join(READABLE)}, got "
            f"{len(readable)}{_describe_others(known)}; name the files to read"
        )
    configs = _read_configs(card, place)
    config = _choose_config(configs, config, place)
    splits = _resolve(readable, configs, config, place)
    return splits[choose_split(list(splits), split, place=place)]


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _is_readable(path: PurePosixPath) -> bool:
    return path.suffix.lower() in READABLE and path.name != INFOS


def _describe_others(names: list[str]) -> str:
    if any(re.fullmatch(r"\w+\.py", name) for name in names):
        return (
            " and a script, which is not run; if the hub shows this data set, write revision: "
            "refs/convert/parquet, which holds it as Parquet"
        )
    shown = ", ".join(names[:MAX_NAMED])
    return f" among {shown}{', ...' if len(names) > MAX_NAMED else ''}" if names else " in an empty folder"


def _read_configs(card: str, place: str) -> dict[str, dict[str, object]]:
    """Return name -> configuration from the YAML block of a README.md, with the keys about files only."""
    import yaml

    block = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", card, flags=re.DOTALL)
    try:
        content = yaml.safe_load(block[1]) if block else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{place}: expected YAML at the beginning of {CARD}, got {error!s:.200}") from error
    entries = content.get("configs") if isinstance(content, dict) else None
    configs = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("config_name"), str):
            configs[entry["config_name"]] = {key: entry[key] for key in CONFIG_KEYS if key in entry}
    for text in _texts(list(configs.values()), place):
        if "://" in text or not _is_inside(text):
            raise DataError(
                f"{place}: {CARD} must name files of the data set itself, got {text!r:.80}; "
                "name the files to read"
            )
    return configs


def _texts(value: object, place: str) -> Iterator[str]:
    """Yield all texts in nested lists and mappings."""
    pending, seen = [value], set()
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list):
            if id(item) in seen:  # a few such references may stand for billions of texts
                raise DataError(
                    f"{place}: {CARD} must not refer to the same YAML list twice; name the files to read"
                )
            seen.add(id(item))
            pending += item.values() if isinstance(item, dict) else item


def _choose_config(configs: dict[str, dict[str, object]], wanted: str | None, place: str) -> str | None:
    """Return the configuration of that name; without a name, the default or the only one."""
    defaults = [name for name, entry in configs.items() if entry.get("default") is True or name == "default"]
    if wanted is None and (len(configs) <= 1 or defaults):
        return next(iter([*defaults, *configs]), None)
    if wanted is None or wanted not in configs:
        choices = f"one of {sorted(configs)}" if configs else "left out, because there is none"
        raise DataError(f"{place}: config must be {choices}, got {wanted or 'none'}; correct config")
    return wanted


def _resolve(
    names: list[str], configs: dict[str, dict[str, object]], config: str | None, place: str
) -> dict[str, list[str]]:
    """Return split -> names of its files, as the library datasets finds them."""
    import datasets
    import yaml

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "data"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        if config is not None:
            block = yaml.safe_dump({"configs": [configs[config]]})
            write_text(root / CARD, f"---\n{block}---\n")
        try:
            builder = datasets.load_dataset_builder(str(root), name=config, cache_dir=f"{temporary}/cache")
        except Exception as error:  # the library raises errors of many types
            message = describe_error(error).replace(str(root), place).partition("\n")[0]
            raise DataError(
                f"{place}: expected files in a layout of the library datasets, got {message:.300}; name the "
                "files to read"
            ) from error
        files_by_split = builder.config.data_files or {}
        return {
            str(split): [Path(file).relative_to(root).as_posix() for file in files]
            for split, files in files_by_split.items()
        }
