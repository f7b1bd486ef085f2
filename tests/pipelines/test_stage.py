"""What a result depends on, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import stage
from pipelines.classify import Method


def test_sources_follow_imports_and_stop_there() -> None:
    found = stage.sources(stage.ROOT / "domain/classifiers/smooth_matching.py")
    assert {"domain/classifiers/base/estimator.py", "domain/network_estimator.py", "domain/nets/plane.py", "domain/topology.py", "domain/training.py"} <= set(found)
    strangers = ("surrogates", "simulators", "ladder.py", "catgan.py", "ranks.py", "__init__.py")
    assert not [file for file in found if file.split("/")[1] in strangers or file.split("/")[-1] in strangers]


def test_sources_of_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "ROOT", tmp_path.resolve())
    contents = {
        "a.py": "import numpy\nfrom deep.b import thing\n",
        "deep/__init__.py": "from deep import c\n",
        "deep/b.py": "def later():\n    from deep import table\n    import a\n",
        "deep/c.py": "",
    }
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert stage.sources(tmp_path / "deep/c.py") == ["deep/c.py"]
    assert stage.sources(tmp_path / "a.py") == ["a.py", "deep/__init__.py", "deep/b.py", "deep/c.py"]


def test_a_teacher_is_a_source_too() -> None:
    method = Method("smooth_matching", {"teacher": {"classifier": "ladder", "options": {}}})
    assert [file.name for file in method.files()] == ["smooth_matching.py", "ladder.py"]
