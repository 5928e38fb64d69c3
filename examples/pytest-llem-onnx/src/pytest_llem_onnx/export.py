"""From a model's folder to ONNX, by the builder that comes with ONNX Runtime GenAI."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from pytest_llem.errors import EngineError

BUILDER = "models/builder.py"
NEEDED = ("onnx", "onnx_ir", "torch", "transformers")


def exported(source: Path, sha256: str | None, precision: str, library_version: str) -> Path:
    """The model in *source* as ONNX, exported once and kept in the cache directory.

    Args:
        source: folder with ``config.json``, weights and tokenizer.
        sha256: digest of its content; ``None`` takes its files' names, sizes and times instead.
        precision: as the builder calls it, such as ``fp32``.
        library_version: of ONNX Runtime GenAI; each exports anew.

    Raises:
        EngineError: the export is not possible or fails.
    """
    content = sha256 or _stamp(source)
    key = hashlib.sha256(f"{content}/{precision}/{library_version}".encode()).hexdigest()[:16]
    cache = _cache()
    made = cache / f"{source.name}-{precision}-{key}"
    if made.is_dir():
        return made
    _require_builder()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="exporting-") as scratch:
        partial = Path(scratch) / "model"
        _build(source, partial, precision)
        try:
            partial.rename(made)
        except OSError:  # another process was first
            if not made.is_dir():
                raise
    return made


def _build(source: Path, to: Path, precision: str) -> None:
    (package,) = _package_folders()
    command = [sys.executable, str(Path(package) / BUILDER), "-m", source.name, "-i", str(source)]
    command += ["-o", str(to), "-p", precision, "-e", "cpu", "-c", str(to.parent / "cache")]
    # The builder brings folders called as common packages are, and needs no plugin's settings.
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(  # noqa: S603 - its own interpreter and its own arguments
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        cwd=to.parent,
    )
    if done.returncode or not (to / "genai_config.json").is_file():
        shutil.rmtree(to, ignore_errors=True)
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise EngineError(f"{source} cannot be exported to ONNX as {precision}: {said[-1]}")


def _package_folders() -> list[str]:
    found = find_spec("onnxruntime_genai")
    if found is None or found.submodule_search_locations is None:
        raise EngineError("onnxruntime-genai is not installed: pip install onnxruntime-genai")
    return list(found.submodule_search_locations)[:1]


def _require_builder() -> None:
    lacking = [module for module in NEEDED if find_spec(module) is None]
    if lacking:
        raise EngineError(
            f"exporting a model to ONNX needs {', '.join(lacking)}. Install it with: "
            "pip install 'pytest-llem-onnx[export]', or name a folder with genai_config.json."
        )


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pytest-llem-onnx"


def _stamp(source: Path) -> str:
    files = sorted(path for path in source.iterdir() if path.is_file())
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return repr((str(source), facts))
