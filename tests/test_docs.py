"""The documentation agrees with the program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])


def test_cli_page_is_what_help_says():
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "docs" / "generate_cli.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_pages_find_their_heading(page):
    links = re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [(page.parent / link if link else page, anchor) for link, anchor in links if "://" not in link]
    assert [(to.name, anchor) for to, anchor in local if anchor not in headings(to)] == []


def headings(page):
    """What the headings of a page are called in links."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_pages_exist(page):
    """Every `lastmile VERB` that a page names in code is a verb."""
    from typer.main import get_command

    from lastmile.commands import app

    verbs = get_command(app).commands
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    named = set(re.findall(r"(?:^|[\s`])lastmile ([a-z]+)", code))
    assert named <= set(verbs), f"unknown verbs in {page.name}"


def test_the_reward_of_the_readme_works(tmp_path, monkeypatch):
    import yaml
    from pydantic import TypeAdapter

    from lastmile.config import Reward
    from lastmile.judge.python_reward import call_reward, load_python_reward
    from lastmile.records import Example

    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n# my_rewards.py\n(.*?)```", readme, flags=re.DOTALL)
    (recipe,) = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    (tmp_path / "my_rewards.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rewards", raising=False)
    rewards = TypeAdapter(tuple[Reward, ...]).validate_python(yaml.safe_load(recipe)["rewards"])
    own = rewards[1]
    values = call_reward(
        "brief", load_python_reward(own.path), [Example("a", "x"), Example("b", "x")], ["one two", "word " * 40]
    )
    assert values.tolist() == [1.0, 0.5]
    monkeypatch.delitem(sys.modules, "my_rewards")


def test_the_flags_page_has_the_thresholds_that_ship():
    from lastmile.judge.consistency import precision_targets, thresholds

    page = (CHECKOUT / "docs" / "flags.md").read_text(encoding="utf-8")
    for target, title in [
        (None, "balanced accuracy; of words F1"),
        *((p, f"precision {p:g}") for p in precision_targets()),
    ]:
        at = thresholds(target)
        assert f"| {title} | {at['one_sentence']:.2f} | {at['several_sentences']:.2f} | {at['word']:.2f} |" in page
