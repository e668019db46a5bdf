"""What the documentation says is true: examples run, links lead somewhere, lists are those of the code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from dfj_bootstrap.cli.app import app
from dfj_bootstrap.cli.main import MEANINGS
from dfj_bootstrap.config.file import kind_in, load_config
from dfj_bootstrap.config.jobs import CONFIGS
from dfj_bootstrap.config.roles import ROLES
from dfj_bootstrap.config.run import RunConfig
from dfj_bootstrap.config.tree import Config
from dfj_bootstrap.dataset.ladder_tables import TABLES
from dfj_bootstrap.intake.row_model import MarkRow, SeedRowModel, parse_row
from dfj_bootstrap.policy import acceptance, fidelity
from dfj_bootstrap.roles.rules.writer import NO_ANNOTATIONS
from docs import rooms as drawn
from docs.generate import TARGET, every_section, render
from tests.support.runs import ENVIRONMENT, dfj, write_config
from tests.support.seeds import write_seed_rows
from tests.support.stand_in_swift import FLAGS, V4

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DATA_FORMAT = (ROOT / "docs" / "data-format.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced examples of some languages."""
    return [body for language, body in _BLOCK.findall(text) if language in languages]


def first_column(text: str, heading: str) -> list[str]:
    """The names in the first column of the tables below a heading, up to the next heading."""
    return _names(text.split(heading, 1)[1].split("\n#", 1)[0])


def _names(section: str) -> list[str]:
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in _CODE.findall(cell)]


def test_the_configuration_reference_is_not_stale() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_key_of_the_configuration_is_documented_and_described() -> None:
    models: list[type[BaseModel]] = [*CONFIGS, *(kind for _, kind in every_section())]
    defined = {name for job in CONFIGS for name in job.model_json_schema()["$defs"]}
    assert {kind.__name__ for kind in models} == {*(job.__name__ for job in CONFIGS), *defined}
    documented = [set(_names(part)) for part in render().split("\n## ")]
    common = set(RunConfig.model_fields)
    for kind in models:
        own = set(kind.model_fields)
        assert own in documented or (issubclass(kind, RunConfig) and own - common in documented), kind
        assert all(field.description or field.annotation in models for field in kind.model_fields.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), link


def test_pictures_are_well_formed_and_say_what_they_show() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.svg"))
    assert pictures
    for picture in pictures:
        tags = {child.tag.rpartition("}")[2] for child in ElementTree.parse(picture).getroot()}
        assert {"title", "desc"} <= tags


def test_commands_in_the_docs_exist_with_their_options() -> None:
    runner, seen = CliRunner(), set()
    for command in _commands("dfj "):
        name, *arguments = shlex.split(command)[1:]
        if name.startswith("-"):
            continue
        seen.add(name)
        usage = runner.invoke(app, [name, "--help"])
        assert usage.exit_code == 0, command
        for option in (a for a in arguments if a.startswith("--")):
            assert option in usage.output, command
    assert {"init", "check", "preview", "generate", "status"} <= seen


def test_make_targets_in_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {word for c in _commands("make ") for word in c.split()[1:2] if re.fullmatch(r"[a-z-]+", word)}
    assert {"demo", "test"} <= wanted <= targets


def test_overrides_in_the_docs_name_keys_that_exist() -> None:
    known = {f"{name}.{field}" for name, kind in every_section() for field in kind.model_fields}
    found = (re.findall(r"--set ([a-z_.]+)=", page.read_text(encoding="utf-8")) for page in PAGES)
    used = {re.sub(r"^models\.\w+", "models.NAME", key) for keys in found for key in keys}
    assert used
    flags = json.loads(FLAGS.read_text(encoding="utf-8"))[V4]  # of `dfj train`
    own = {field for job in CONFIGS for field in job.model_fields}
    assert used - {"a.b"} <= known | own | set(flags)


def test_yaml_examples_are_good_configurations(tmp_path: Path) -> None:
    examples = [example for page in PAGES for example in blocks(page.read_text(encoding="utf-8"), "yaml")]
    assert examples
    for example in examples:
        path = tmp_path / "config.yaml"
        path.write_text(example, encoding="utf-8")
        load_config(kind_in(path), path)


def test_shipped_configs_are_good_and_their_seeds_are_there() -> None:
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        config = load_config(kind_in(path), path)
        assert not isinstance(config, Config) or all(file.is_file() for file in config.seed_files)


def test_the_seed_row_of_the_readme_is_a_good_one() -> None:
    (example,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "json")
    row, notes = parse_row(json.loads(example))
    assert row.annotations
    assert notes == []


def test_every_field_of_a_seed_row_is_documented() -> None:
    assert sorted(first_column(DATA_FORMAT, "## Seed rows")) == sorted(SeedRowModel.model_fields)
    assert all(f"`{name}`" in DATA_FORMAT for name in MarkRow.model_fields)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_a_table_is_documented(table: str) -> None:
    assert sorted(first_column(DATA_FORMAT, f"### `{table}`")) == sorted(TABLES[table].names)


def test_the_closed_list_of_reasons_is_that_of_the_code() -> None:
    documented = set()
    for name in first_column(DATA_FORMAT, "## Reasons of a rejection"):
        documented |= {name.replace("<role>", role) for role in ROLES}
    assert documented == {
        *_constants(acceptance, r"off_\w+"),
        *_constants(fidelity, r"[a-z]+(_[a-z]+)*"),
        *(f"{role}_{kind}" for role in ROLES for kind in ("unparsable", "cut_off", "incomplete", "refused")),
        NO_ANNOTATIONS,
    }


def test_the_fidelity_page_lists_the_signals_in_their_order() -> None:
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    docstring = re.findall(
        r"``(\w+)``", (fidelity.__doc__ or "").split("in this order:")[1].split("What each")[0]
    )
    assert first_column(page, "## The signals, in their order") == docstring


def test_exit_codes_of_the_readme_are_those_of_the_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \| ", readme, re.MULTILINE)][
        -len(MEANINGS) :
    ] == list(MEANINGS)


def test_the_picture_of_the_rooms_is_drawn_from_the_import_contract_and_not_stale() -> None:
    assert sorted(drawn.CAPTIONS) == sorted(
        p.parent.name for p in (ROOT / "dfj_bootstrap").glob("*/__init__.py")
    )
    assert sorted(room for floor in drawn.floors() for room in floor) == sorted(drawn.CAPTIONS)
    assert drawn.TARGET.read_text(encoding="utf-8") == drawn.render()


def test_every_room_and_no_other_stands_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [name.strip("/") for name in first_column(page, "## Rooms") if name.endswith("/")]
    package = ROOT / "dfj_bootstrap"
    assert sorted(rooms) == sorted(p.parent.name for p in package.glob("*/__init__.py"))


def test_tests_that_the_docs_name_exist() -> None:
    names = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = {name for page in PAGES for name in re.findall(r"test_\w+\.py", page.read_text(encoding="utf-8"))}
    assert named
    assert named <= names


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    wanted = {re.split(r"[\[<>=]", name)[0] for name in [*project["dependencies"], *extras]}
    explained = _CODE.findall((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"))
    assert wanted <= {name.split("[")[0] for name in explained}


@pytest.mark.slow
def test_python_examples_run_on_a_real_run(tmp_path: Path) -> None:
    write_seed_rows(tmp_path, 12)
    done = dfj("generate", write_config(tmp_path, dataset={"test_fraction": 0.5}))
    assert done.returncode == 0, done.stderr
    examples = [code for page in PAGES for code in blocks(page.read_text(encoding="utf-8"), "python")]
    assert len(examples) >= 3
    for code in examples:
        script = code.replace("RUN/", f"{tmp_path}/run/")
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env=ENVIRONMENT | {"HF_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, code + ran.stderr


def _commands(start: str) -> Iterator[str]:
    """Commands in the docs' shell examples and inline code that begin with ``start``."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [
            line.removeprefix("$ ") for body in blocks(text, "console", "") for line in body.splitlines()
        ]
        for command in [*lines, *_CODE.findall(_BLOCK.sub("", text))]:
            if command.startswith(start):
                yield command.split("#")[0].strip()


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _constants(module: object, pattern: str) -> set[str]:
    return {
        value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and re.fullmatch(pattern, value)
    }
