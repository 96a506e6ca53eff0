"""The wheel, installed into environments of its own."""

import os
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.packages import with_required

REPOSITORY = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("weft_dllm-*.whl")
    return path


def light_distributions():
    """Return the names of the packages in envs/score.yaml and of all packages that they require."""
    return with_required(re.findall(r"- ([\w.-]+)==", (REPOSITORY / "envs/score.yaml").read_text()))


def link_packages(names, folder):
    """Link the files of installed packages into a folder."""
    for name in names:
        files = {Path(file.parts[0]) for file in metadata.files(name) if ".." not in file.parts}
        for file in files - {Path("__pycache__")}:
            source = Path(metadata.distribution(name).locate_file(file))
            if not (folder / file).exists():
                (folder / file).symlink_to(source)


class Installed:
    """The wheel in an environment of its own, used from a folder outside the repository."""

    def __init__(self, folder, wheel):
        self.environment, self.elsewhere = folder / "environment", folder / "elsewhere"
        self.elsewhere.mkdir()
        create = [sys.executable, "-m", "venv", "--without-pip", self.environment]
        subprocess.run(create, check=True, timeout=120)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site = self.environment / "lib" / version / "site-packages"
        self.python = self.environment / "bin/python"
        install = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps"]
        subprocess.run([*install, "--no-index", wheel], check=True, timeout=120)

    def run(self, *command, timeout=300):
        """Run a command of the environment, and return its result with the output as text."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        program, *arguments = map(str, command)
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.elsewhere,
            env=variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def print(self, code):
        """Run Python code in the environment, and return what it prints."""
        result = self.run("python", "-c", code)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture(scope="session")
def light(wheel, tmp_path_factory):
    """The wheel with the packages for scores and report only; there is no torch."""
    folder = tmp_path_factory.mktemp("light")
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet"], check=True)  # somebody's repository
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "a"], check=True)
    installed = Installed(folder, wheel)
    (folder / "packages").mkdir()
    link_packages(light_distributions(), folder / "packages")
    (installed.site / "packages.pth").write_text(f"{folder / 'packages'}\n")
    return installed


@pytest.fixture(scope="session")
def full(wheel, tmp_path_factory):
    """The wheel with all packages of the environment in which the tests run."""
    installed = Installed(tmp_path_factory.mktemp("full"), wheel)
    # Lines in .pth files of this folder, such as that of an editable installation, have no effect there.
    (installed.site / "packages.pth").write_text(f"{SITE}\n")
    return installed
