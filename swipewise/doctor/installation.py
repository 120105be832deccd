"""The installation: Python, libraries, extras, a GPU."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

import swipewise
from swipewise.doctor.finding import Finding, fail, ok, warn
from swipewise.ingest.executor import available_cores

_NEEDED: Final = {
    "torch": "torch",
    "av": "av",
    "pylance": "lance",
    "deltalake": "deltalake",
    "polars": "polars",
    "faiss-cpu": "faiss",
    "sqlalchemy": "sqlalchemy",
    "fastapi": "fastapi",
}
"""The libraries that carry most, and the module of each."""

_BREAKERS: Final = ("torchvision", "torchaudio")
"""Where these do not go with torch, no model of transformers can be imported."""

_CODECS: Final = ("h264", "hevc", "vp9", "av1", "aac", "opus")


def check_installation() -> Iterator[Finding]:
    """Look at what is installed."""
    yield _python()
    yield ok("swipewise", f"{swipewise.__version__}, in {swipewise.__path__[0]}")
    yield from _libraries()
    yield _codecs()
    yield _extras()
    yield _gpu()
    yield _processor()


def _python() -> Finding:
    return ok("python", f"{platform.python_version()}, {sys.executable}")


def _libraries() -> Iterator[Finding]:
    for package, module in _NEEDED.items():
        try:
            import_module(module)
            yield ok(package, version(package))
        except PackageNotFoundError:
            yield fail(package, "not installed", "pip install swipewise")
        except Exception as error:
            # A broken installation may raise anything, from ImportError to OSError.
            yield fail(
                package, f"cannot be imported: {_first_line(error)}", f"pip install --force-reinstall {package}"
            )
    for package in _BREAKERS:
        try:
            version(package)
            import_module(package)
        except PackageNotFoundError:
            continue
        except Exception as error:
            told = f"does not go with torch, so that no model of transformers works: {_first_line(error)}"
            yield fail(package, told, f"pip uninstall {package}: nothing here needs it")


def _codecs() -> Finding:
    try:
        from av.codec import Codec

        missing = []
        for name in _CODECS:
            try:
                Codec(name, "r")
            except Exception:
                # PyAV raises an error of its own for a codec that it lacks.
                missing.append(name)
    except ImportError as error:
        return fail("codecs", f"cannot be asked for: {error}", "pip install --force-reinstall av")
    if "h264" in missing or "aac" in missing:
        return fail("codecs", f"PyAV lacks {', '.join(missing)}", "pip install --force-reinstall av")
    if missing:
        return warn(
            "codecs", f"PyAV lacks {', '.join(missing)}", "clips in these are rejected: pip install --upgrade av"
        )
    return ok("codecs", f"{', '.join(_CODECS)} can be decoded")


def _extras() -> Finding:
    there: list[str] = []
    missing: list[str] = []
    for extra, packages in sorted(extras().items()):
        (there if all(_installed(package) for package in packages) else missing).append(extra)
    told = f"installed: {', '.join(there) or 'none'}"
    if missing:
        told += f"; not installed: {', '.join(missing)} (pip install 'swipewise[{missing[0]}]')"
    return ok("extras", told)


def extras() -> dict[str, list[str]]:
    """The packages that each extra asks for; none where the package's metadata cannot be had."""
    found: dict[str, list[str]] = {}
    try:
        wanted = requires("swipewise") or []
    except PackageNotFoundError:
        return found
    for requirement in wanted:
        extra = re.search(r"""extra == ['"]([\w-]+)['"]""", requirement)
        package = re.match(r"[\w.-]+", requirement)
        if extra and package:
            found.setdefault(extra[1], []).append(package[0])
    return found


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _gpu() -> Finding:
    try:
        import torch

        if not torch.cuda.is_available():
            return ok("gpu", "none that torch can use: everything runs on the processor")
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
    except Exception as error:
        # Drivers that do not go with torch raise errors of many kinds.
        return warn(
            "gpu", f"cannot be used: {_first_line(error)}", 'install a torch for its driver, or set device = "cpu"'
        )
    return ok("gpu", f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")


def _processor() -> Finding:
    cores = available_cores()
    threads = os.environ.get("OMP_NUM_THREADS")
    told = f"{cores} cores" if cores > 1 else "1 core"
    return ok("processor", told + (f", OMP_NUM_THREADS={threads}" if threads else ""))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
