"""What pip must be told to install for the parts of koutu that need more than its core."""

import re


def pip_line(*extras: str) -> str:
    """The command that installs the packages of these extras of pyproject.toml, by their own names.

    koutu's own name is not used: it may come from a checkout or a wheel, and need not be on any index.
    """
    found = list(dict.fromkeys(package for extra in extras for package in _packages(extra)))
    if not found:  # a source tree that was never installed
        return f"pip install '.[{','.join(extras)}]' in koutu's checkout"
    return "pip install " + " ".join(f"'{package}'" for package in found)


def _packages(extra: str) -> list[str]:
    packages = []
    for line in _required():
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        if not re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", marker):
            continue
        if nested := re.match(r"koutu\[([\w,-]+)\]", requirement):
            packages += [package for name in nested[1].split(",") for package in _packages(name)]
        else:
            packages.append(requirement.replace(" ", ""))
    return packages


def _required() -> list[str]:
    from importlib import metadata

    try:
        return metadata.requires("koutu") or []
    except metadata.PackageNotFoundError:
        return []
