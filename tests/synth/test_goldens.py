from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


def test_each_stack_is_its_golden(stacks: Path, request: pytest.FixtureRequest) -> None:
    made = {folder.name: (folder / "cdk.tf.json").read_text() for folder in sorted(stacks.iterdir())}
    if request.config.getoption("--update-goldens"):
        for old in GOLDENS.glob("*.json"):
            old.unlink()
        GOLDENS.mkdir(exist_ok=True)
        for name, text in made.items():
            (GOLDENS / f"{name}.json").write_text(text)
    goldens = {path.stem: path.read_text() for path in GOLDENS.glob("*.json")}
    assert made.keys() == goldens.keys()
    for name, text in made.items():
        assert text == goldens[name], f"{name}: look at the difference, then: pytest tests/synth --update-goldens"
