"""A wrong source file is refused by file, line and key, with what to do."""

import hashlib
from typing import Annotated, Literal

import pytest
from pydantic import Field

from adapters.errors import ConfigurationError
from adapters.source_file import Settings, fingerprint, kind_of, line_of, read, wrong


class Column(Settings):
    name: str
    width: int = 1


class Drop(Settings):
    kind: str
    folder: str
    retries: int = Field(default=1, ge=0)
    column: Column | None = None
    columns: tuple[Column, ...] = ()


class Near(Settings):
    how: Literal["near"]
    folder: str


class Far(Settings):
    how: Literal["far"]
    host: str
    port: int = 22


class Way(Settings):
    ways: tuple[Annotated[Near | Far, Field(discriminator="how")], ...] = ()
    way: Annotated[Near | Far, Field(discriminator="how")] | None = None


GOOD = """\
kind = "drop"
folder = "in"
retries = 2

[column]
name = "first"   # a comment
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "source.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path):
    with pytest.raises(ConfigurationError) as caught:
        read(path, Drop)
    return caught.value


def test_a_right_file_is_read(write):
    drop = read(write(GOOD), Drop)
    assert drop == Drop(
        kind="drop", folder="in", retries=2, column=Column(name="first")
    )


def test_what_was_read_does_not_change(write):
    with pytest.raises(ValueError, match="frozen"):
        read(write(GOOD), Drop).folder = "out"


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "remedy"),
    [
        ("folder =", "foldr =", 2, "foldr", "Did you mean folder?"),
        ("retries = 2", "zzz = 2", 3, "zzz", "Remove it; known here"),
        ("retries = 2", "retries = -1", 3, "retries", "Correct it."),
        ("retries = 2", 'retries = "x"', 3, "retries", "Correct it."),
        ('name = "first"', 'nme = "first"', 6, "column.nme", "Did you mean name?"),
        ('name = "first"', "width = 3", 5, "column.name", "Add it."),
        ('folder = "in"\n', "", None, "folder", "Add it."),
    ],
)
def test_the_first_wrong_key_is_named(write, old, new, line, key, remedy):
    path = write(GOOD.replace(old, new))
    error = refusal(path)
    assert (error.file, error.key, error.line) == (str(path), key, line)
    assert str(path) in str(error)
    assert remedy in str(error)


def test_a_wrong_value_is_not_repeated(write):
    assert "s3cret" not in str(refusal(write(GOOD.replace("2", '"s3cret"'))))


def test_a_key_of_a_repeated_table_is_found(write):
    text = GOOD + '\n[[columns]]\nname = "a"\n\n[[columns]]\nname = "b"\nwidth = "w"\n'
    error = refusal(write(text))
    assert (error.key, error.line) == ("columns.1.width", 13)


def test_a_misspelt_key_of_a_repeated_table_finds_its_neighbour(write):
    error = refusal(write(GOOD + '\n[[columns]]\nname = "a"\nwdth = 2\n'))
    assert (error.key, error.line) == ("columns.0.wdth", 10)
    assert "Did you mean width?" in str(error)


@pytest.mark.parametrize(
    ("text", "line"), [(b'kind = "drop"\nfolder = \n', 2), (b"kind = [\n", None)]
)
def test_what_is_not_toml_is_refused_at_its_line(write, text, line):
    error = refusal(write(text))
    assert "is not TOML" in str(error)
    if line:
        assert error.line == line


def test_what_is_not_utf8_is_refused(write):
    assert "UTF-8" in str(refusal(write(b'kind = "\xe9"\n')))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in str(refusal(tmp_path / "none.toml"))


def test_the_kind_is_read_alone(write):
    assert kind_of(write('kind = "drop"\nanything = 1\n')) == "drop"


@pytest.mark.parametrize("text", ["", "kind = 3\n"])
def test_a_file_without_a_kind_is_refused(write, text):
    with pytest.raises(ConfigurationError, match="kind: is missing"):
        kind_of(write(text))


def test_a_file_is_known_by_its_bytes(write):
    path = write(GOOD)
    assert fingerprint(path) == f"sha256:{hashlib.sha256(GOOD.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["kind"], 1),
        (["column"], 5),
        (["column", "name"], 6),
        (["column", "gone"], 5),
        (["gone"], None),
        ([], None),
    ],
)
def test_a_line_is_the_keys_or_its_nearest_tables(write, keys, line):
    assert line_of(write(GOOD), keys) == line


def test_quoted_and_dotted_keys_have_lines(write):
    path = write("a.\"b c\".d = 1\n['x y'.z]\nk = 2\n")
    assert line_of(path, ["a", "b c", "d"]) == 1
    assert line_of(path, ["x y", "z", "k"]) == 3


def test_an_error_of_the_whole_file_names_no_key(write):
    error = wrong(write(GOOD), [], "says nothing. Say something.")
    assert (error.key, error.line) == (None, None)


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ('[way]\nhow = "far"\nhots = "x"', 3, "way.hots", "Did you mean host?"),
        ('[way]\nhow = "near"\nhots = "x"', 3, "way.hots", "known here: folder, how."),
        ('[way]\nhow = "far"\nhost = 5', 3, "way.host", "string"),
        ('[way]\nhow = "far"', 1, "way.host", "is missing"),
        ('[way]\nhow = "by air"', 2, "way.how", "'near', 'far'"),
        ('[way]\nhost = "x"', 1, "way.how", "which table this is"),
        ('[[ways]]\nhow = "far"\nhost = "x"\nport = "y"', 4, "ways.0.port", "integer"),
    ],
)
def test_a_table_of_several_sorts_is_told_by_the_keys_it_has(
    write, text, line, key, says
):
    with pytest.raises(ConfigurationError) as caught:
        read(write(text), Way)
    assert (caught.value.line, caught.value.key) == (line, key)
    assert says in str(caught.value)
