"""What is read out of a guide is what a reader would type."""

import pytest

from tests.laws import markdown

GUIDE = """\
# A guide

```console
$ echo one \\
    two
one two
$ true
```

<!-- not run: it needs a hospital -->

```sh
rm -rf hospital
```

  ```json
  {"a": [1]}
  ```

```
nothing said
```
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "GUIDE.md").write_text(GUIDE)
    return tmp_path


def found(root):
    return list(markdown.blocks(root, markdown.guides(root)[0]))


def test_blocks_are_found_with_language_and_place(root):
    assert [(b.language, b.line, b.waived) for b in found(root)] == [
        ("console", 3, False),
        ("sh", 12, True),
        ("json", 16, False),
        ("", 20, False),
    ]


def test_an_indented_block_is_read_without_its_indent(root):
    assert found(root)[2].text == '{"a": [1]}\n'


def test_commands_go_on_over_lines_and_show_their_output(root):
    one, two = markdown.commands(found(root)[0])
    assert one.typed == "echo one \\\n    two"
    assert one.shown == ("one two",)
    assert (two.typed, two.shown) == ("true", ())


def test_what_nothing_runs_is_complained_of(root):
    (complaint,) = markdown.unrunnable(root)
    assert "GUIDE.md:20" in complaint


@pytest.mark.parametrize(
    ("shown", "told", "same"),
    [
        (("one two",), "one two\n", True),
        (("one …",), "one two\n", True),
        (("one", "…", "four"), "one\ntwo\nthree\nfour\n", True),
        (("one",), "one\ntwo\n", False),
        (("o.e",), "one\n", False),
    ],
)
def test_an_ellipsis_stands_for_anything(shown, told, same):
    assert markdown.matches(shown, told) is same


def test_links_are_those_to_files_of_the_project():
    text = "[a](GLOSSARY.md) [b](https://example.org) [c](#part) ![d](docs/x.svg#y)"
    assert markdown.links(text) == ["GLOSSARY.md", "docs/x.svg"]
