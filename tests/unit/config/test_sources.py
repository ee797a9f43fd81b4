"""Layers, their precedence, the nearest project file, every error text, and secrets that appear nowhere."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from msgspec import inspect

from landline.config.display import document
from landline.config.files import find_project_file
from landline.config.keys import closest, known_keys, type_in_words
from landline.config.settings import Settings
from landline.config.sources import LoadedSettings, Origin, load_settings
from landline.config.trust import trust
from landline.errors import SettingsError

CANARY = "sk-canary-0123456789-tail"


class Place:
    """A home with a user file, and a project in it."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        self.user_file = root / "user" / "landline.toml"
        self.user_file.parent.mkdir()
        self.store = root / "data" / "trusted.json"
        self.environ = {"HOME": str(self.home)}

    def user(self, text: str) -> Path:
        self.user_file.write_text(text, encoding="utf-8")
        return self.user_file

    def shared(self, text: str | bytes) -> Path:
        file = self.project / "landline.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def load(self, *, cwd: Path | None = None, variables: dict[str, str] | None = None, **more: Any) -> LoadedSettings:
        environ = self.environ | (variables or {})
        return load_settings(
            environ=environ, cwd=cwd or self.project, user_file=self.user_file, store=self.store, **more
        )

    def error(self, **more: Any) -> SettingsError:
        with pytest.raises(SettingsError) as caught:
            self.load(**more)
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path.resolve())


def test_without_any_source_everything_is_default(place: Place) -> None:
    loaded = place.load()
    assert loaded.settings == Settings()
    assert set(loaded.origins) == set(known_keys())
    assert set(loaded.origins.values()) == {Origin("default")}
    assert loaded.notices == ()


LAYERS = ("user file", "project file", "environment", "flag")


def load_with(place: Place, layers: tuple[str, ...]) -> LoadedSettings:
    ports = {name: 5001 + number for number, name in enumerate(LAYERS)}
    if "user file" in layers:
        place.user(f"[gateway]\nport = {ports['user file']}\n")
    if "project file" in layers:
        place.shared(f"[gateway]\nport = {ports['project file']}\n")
    variables = {"LANDLINE_GATEWAY_PORT": str(ports["environment"])} if "environment" in layers else {}
    flags = {"gateway.port": ports["flag"]} if "flag" in layers else {}
    return place.load(variables=variables, flags=flags)


@pytest.mark.parametrize("layers", [*combinations(LAYERS, 1), *combinations(LAYERS, 2), LAYERS])
def test_the_later_layer_wins(place: Place, layers: tuple[str, ...]) -> None:
    loaded = load_with(place, layers)
    assert loaded.settings.gateway.port == 5001 + LAYERS.index(layers[-1])
    details = {
        "user file": f"{place.user_file}:2",
        "project file": f"{place.project / 'landline.toml'}:2",
        "environment": "LANDLINE_GATEWAY_PORT",
        "flag": "--port",
    }
    assert loaded.origins["gateway.port"] == Origin(layers[-1], details[layers[-1]])  # type: ignore[arg-type]
    assert loaded.origins["gateway.workers"] == Origin("default")


def test_layers_set_different_keys_side_by_side(place: Place) -> None:
    place.user("[gateway]\nworkers = 2\n")
    place.shared('[models]\ndefault = "m"\n')
    loaded = place.load(variables={"LANDLINE_LOG_FORMAT": "json"}, flags={"gateway.port": "0"})
    assert (loaded.settings.gateway.workers, loaded.settings.models.default) == (2, "m")
    assert (loaded.settings.log.format, loaded.settings.gateway.port) == ("json", 0)


def test_a_table_of_names_is_replaced_whole(place: Place) -> None:
    place.user('[models.aliases]\na = "1"\nb = "2"\n')
    place.shared('[models]\naliases = { c = "3" }\n')
    assert place.load().settings.models.aliases == {"c": "3"}


@pytest.mark.parametrize("given", [None, ()])
def test_a_flag_that_was_not_given_changes_nothing(place: Place, given: object) -> None:
    loaded = place.load(flags={"gateway.hosts": given}, variables={"LANDLINE_GATEWAY_HOSTS": "a"})
    assert loaded.settings.gateway.hosts == ("a",)


@pytest.mark.parametrize(
    ("variable", "text", "dotted", "value"),
    [
        ("LANDLINE_GATEWAY_KEYS", "one, two,", "gateway.keys", ("one", "two")),
        ("LANDLINE_GATEWAY_HOSTS", "", "gateway.hosts", ()),
        ("LANDLINE_MODELS_TIERS", "opus=big=er, haiku = small", "models.tiers", {"opus": "big=er", "haiku": "small"}),
        ("LANDLINE_BACKEND_KEY", "12345", "backend.key", "12345"),
        ("LANDLINE_GATEWAY_DRAIN_S", "2.5", "gateway.drain_s", 2.5),
        ("LANDLINE_EMBEDDED_WINDOW", "1024", "embedded.window", 1024),
    ],
)
def test_environment_values_are_converted(place: Place, variable: str, text: str, dotted: str, value: object) -> None:
    loaded = place.load(variables={variable: text})
    table, _, name = dotted.partition(".")
    assert getattr(getattr(loaded.settings, table), name) == value
    assert loaded.origins[dotted] == Origin("environment", variable)


def test_other_landline_variables_are_not_settings(place: Place) -> None:
    assert place.load(variables={"LANDLINE_REQUIRE_CLIENTS": "1", "LANDLINE_X": "y"}).settings == Settings()


# --- which files


def test_an_explicit_file_replaces_the_user_file_and_is_trusted(place: Place) -> None:
    place.user("[gateway]\nport = 1\nworkers = 3\n")
    other = place.home / "other.toml"
    other.write_text(f'[backend]\nkey = "{CANARY}"\n[gateway]\nport = 2\n')
    for more in ({"explicit_file": other}, {"variables": {"LANDLINE_CONFIG": str(other)}}):
        loaded = place.load(**more)
        assert (loaded.settings.gateway.port, loaded.settings.gateway.workers) == (2, 1)
        assert loaded.settings.backend.key == CANARY
        assert loaded.origins["backend.key"] == Origin("config file", f"{other}:2")


def test_the_explicit_flag_wins_over_the_variable_and_may_be_relative(place: Place) -> None:
    (place.project / "a.toml").write_text("gateway.port = 11\n")
    loaded = place.load(explicit_file=Path("a.toml"), variables={"LANDLINE_CONFIG": "/does/not/exist.toml"})
    assert loaded.settings.gateway.port == 11
    assert loaded.origins["gateway.port"].detail == f"{place.project / 'a.toml'}:1"


def test_an_explicit_file_must_exist(place: Place) -> None:
    error = place.error(explicit_file=Path("gone.toml"))
    assert error.message == f"There is no settings file {place.project / 'gone.toml'}."


def test_the_project_file_given_explicitly_counts_once_and_is_trusted(place: Place) -> None:
    file = place.shared('[backend]\nurl = "http://model:1"\n')
    loaded = place.load(explicit_file=file)
    assert loaded.settings.backend.url == "http://model:1"
    assert (loaded.origins["backend.url"].source, loaded.notices) == ("config file", ())


def test_the_nearest_project_file_is_found(place: Place) -> None:
    deep = place.project / "a" / "b"
    deep.mkdir(parents=True)
    place.shared("[gateway]\nport = 1\n")
    assert place.load(cwd=deep).settings.gateway.port == 1
    (place.project / "a" / "landline.toml").write_text("[gateway]\nport = 2\n")
    assert place.load(cwd=deep).settings.gateway.port == 2


def test_the_search_ends_at_the_git_root(place: Place) -> None:
    (place.home / "landline.toml").write_text("[gateway]\nport = 1\n")
    assert find_project_file(place.project, home=place.home) == place.home / "landline.toml"
    (place.project / ".git").mkdir()
    assert find_project_file(place.project, home=place.home) is None


def test_the_search_ends_at_home(place: Place) -> None:
    (place.home.parent / "landline.toml").write_text("")
    assert find_project_file(place.project, home=place.home) is None


def test_outside_home_and_git_only_the_current_folder_counts(tmp_path: Path) -> None:
    inner = tmp_path.resolve() / "inner"
    inner.mkdir()
    (inner.parent / "landline.toml").write_text("")
    assert find_project_file(inner, home=Path("/nonexistent-home")) is None
    assert find_project_file(inner.parent, home=Path("/nonexistent-home")) == inner.parent / "landline.toml"


# --- lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("gateway.port = 7\n", 1),
        ("# c\n\ngateway = { port = 7 }\n", 3),
        ("[log]\nformat = 'text'\n[gateway] # here\nworkers = 1\n'port' = 7\n", 5),
        ('[models]\ndefault = """\nport = 1\n[gateway]\n"""\n[gateway]\nport=7\n', 7),
        ("\r\n[gateway]\r\nport = 7\r\n", 3),
        ("\ufeff[gateway]\nport = 7\n", 2),
    ],
)
def test_the_line_of_a_key_is_found(place: Place, text: str, line: int) -> None:
    file = place.shared(text)
    loaded = place.load()
    assert loaded.settings.gateway.port == 7
    assert loaded.origins["gateway.port"].detail == f"{file}:{line}"


def test_the_line_of_a_sub_table(place: Place) -> None:
    file = place.shared('[gateway]\nport = 1\n[models.aliases]\na = "b"\n')
    assert place.load().origins["models.aliases"].detail == f"{file}:3"


# --- errors: what is wrong in a file

FILE_ERRORS = [
    ("[gateway]\nprot = 1\n", ":2: unknown key gateway.prot.", "Did you mean gateway.port?"),
    ("port = 1\n", ":1: unknown key port.", "Did you mean gateway.port?"),
    ("[gatway]\nport = 1\n", ":1: unknown key gatway.", "Did you mean gateway?"),
    ("zzz = 1\n", ":1: unknown key zzz.", "`landline config show` lists every key."),
    ("'gateway.port' = 1\n", ':1: unknown key "gateway.port".', "Did you mean gateway.port?"),
    ("gateway = 1\n", ":1: gateway must be a table.", "Write [gateway] on a line of its own."),
    (
        "[gateway]\nport = '1'\n",
        ":2: gateway.port must be an integer from 0 to 65535, not text.",
        "Correct it, or remove it to get the default.",
    ),
    ("[gateway]\nport = true\n", ":2: gateway.port must be an integer from 0 to 65535, not true or false.", None),
    ("[gateway]\nport = 70000\n", ":2: gateway.port must be an integer from 0 to 65535.", None),
    ("[gateway]\nport = 1.5\n", ":2: gateway.port must be an integer from 0 to 65535, not a number.", None),
    (
        "[gateway]\nport = 2020-01-01\n",
        ":2: gateway.port must be an integer from 0 to 65535, not a date or time.",
        None,
    ),
    ("[gateway]\ndrain_s = 0\n", ":2: gateway.drain_s must be a number greater than 0 and at most 86400.", None),
    ("[gateway]\ndrain_s = nan\n", ":2: gateway.drain_s must be a number greater than 0 and at most 86400.", None),
    ("[log]\nformat = 'xml'\n", ':2: log.format must be one of "auto", "json", "text".', None),
    ("[log]\nformat = 1\n", ':2: log.format must be one of "auto", "json", "text", not an integer.', None),
    ("[embedded]\nwindow = 1\n", ":2: embedded.window must be an integer at least 512.", None),
    ("[models]\naliases = ['a']\n", ":2: models.aliases must be a table of texts, not a list.", None),
    ("[models]\naliases = { a = 1 }\n", ":2: models.aliases must be a table of texts.", None),
    ("[[gateway]]\nport = 1\n", ":1: gateway must be a table.", None),
    ("[models]\ndefault = {}\n", ":2: models.default must be text, not a table.", None),
]


@pytest.mark.parametrize(("text", "message", "hint"), FILE_ERRORS)
def test_errors_name_file_line_key_and_type(place: Place, text: str, message: str, hint: str | None) -> None:
    for write in (place.shared, place.user):
        file = write(text)
        error = place.error()
        assert error.message == f"{file}{message}"
        assert hint is None or error.hint == hint
        file.unlink()


def test_an_empty_gateway_key_is_refused(place: Place) -> None:
    file = place.user('[gateway]\nkeys = ["a", ""]\n')
    assert place.error().message == f"{file}:2: gateway.keys must be a list of texts that are not empty."


BROKEN: list[tuple[bytes, str]] = [
    (b"[gateway\n", " is not valid TOML: "),
    (b"a = 1\na = 2\n", " is not valid TOML: "),
    (b"\xff\xfe\x00binary\x80", " is not UTF-8 text."),
    (b"\x00\x01\x02", " is not valid TOML: "),
    (b"a = " + b"[" * 100_000, " is not valid TOML: "),
    (b"a = " + b"9" * 10_000, " is not valid TOML: an integer has too many digits."),
    (b"#" * (1024 * 1024 + 1), " is larger than 1 MiB."),
]


@pytest.mark.parametrize(("content", "message"), BROKEN, ids=range(len(BROKEN)))
def test_broken_files_are_named(place: Place, content: bytes, message: str) -> None:
    file = place.shared(content)
    error = place.error()
    assert error.message.startswith(f"{file}{message}")
    assert len(error.message) < 400


def test_broken_toml_names_the_line(place: Place) -> None:
    place.shared("[gateway]\nport = \n")
    assert "line 2" in place.error().message


def test_a_folder_a_pipe_and_a_dangling_link_are_named(place: Place) -> None:
    file = place.project / "landline.toml"
    file.mkdir()
    assert place.error().message == f"{file} is not a regular file."
    file.rmdir()
    os.mkfifo(file)
    assert place.error().message == f"{file} is not a regular file."
    file.unlink()
    file.symlink_to(place.project / "gone.toml")
    assert place.error().message == f"There is no settings file {file}."
    file.unlink()
    file.symlink_to(file)
    assert place.error().message.startswith(f"{file} cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(place: Place) -> None:
    file = place.shared("[gateway]\nport = 1\n")
    file.chmod(0)
    assert place.error().message == f"{file} cannot be read: Permission denied."


def test_a_link_to_a_private_file_shows_nothing_of_it(place: Place) -> None:
    private = place.home / "credentials"
    private.write_text(f"user:{CANARY}\n")
    (place.project / "landline.toml").symlink_to(private)
    error = place.error()
    assert "is not valid TOML" in error.message
    assert CANARY not in error.text


def test_names_from_a_file_cannot_steer_the_terminal(place: Place) -> None:
    place.shared('"\\u001b[2J\\u202e" = 1\n')
    assert '"\\u001b[2J\\u202e"' in place.error().message


# --- errors: variables and flags


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("LANDLINE_GATEWAY_PROT", "1", "LANDLINE_GATEWAY_PROT in the environment is not a known setting.", "_PORT?"),
        ("LANDLINE_LOG_ZZZZZZZZZZZZZZZZZZZZZZ", "1", " in the environment is not a known setting.", "Unset it"),
        (
            "LANDLINE_GATEWAY_PORT",
            CANARY,
            "LANDLINE_GATEWAY_PORT: gateway.port must be an integer from 0 to 65535.",
            "leave it out",
        ),
        ("LANDLINE_GATEWAY_PORT", "", "LANDLINE_GATEWAY_PORT: gateway.port must be an integer", ""),
        (
            "LANDLINE_MODELS_ALIASES",
            CANARY,
            "LANDLINE_MODELS_ALIASES: models.aliases must be name=value pairs",
            "opus=",
        ),
        ("LANDLINE_MODELS_ALIASES", "=x", "LANDLINE_MODELS_ALIASES: models.aliases must be name=value pairs", ""),
        ("LANDLINE_LOG_FORMAT", CANARY, 'LANDLINE_LOG_FORMAT: log.format must be one of "auto"', ""),
    ],
)
def test_variable_errors(place: Place, name: str, value: str, message: str, hint: str) -> None:
    error = place.error(variables={name: value})
    assert message in error.message
    assert hint in error.hint
    assert CANARY not in error.text


def test_flag_errors(place: Place) -> None:
    unknown = place.error(flags={"gateway.prot": 1})
    assert unknown.message == "the command line: unknown key gateway.prot."
    assert unknown.hint == "Did you mean gateway.port?"
    assert place.error(flags={"gateway.port": 70000}).message == (
        "--port: gateway.port must be an integer from 0 to 65535."
    )
    assert place.error(flags={"gateway.drain_s": "x"}).message.startswith("gateway.drain_s: gateway.drain_s must be")


# --- trust


UNTRUSTED = f"""
[gateway]
port = 9
host = "0.0.0.0"
keys = ["{CANARY}"]
[backend]
url = "http://evil:1"
key = "{CANARY}"
[commands.run]
argv = ["sh"]
"""


def test_an_untrusted_project_sets_the_harmless_keys_only(place: Place) -> None:
    file = place.shared(UNTRUSTED)
    loaded = place.load()
    assert loaded.settings.gateway.port == 9
    assert loaded.settings.gateway.host == "127.0.0.1"
    assert loaded.settings.backend == Settings().backend
    assert loaded.settings.gateway.keys == ()
    assert loaded.notices == (
        f"{file} is not trusted: ignored gateway.host, gateway.keys, backend.url, backend.key, commands.run. "
        f"Run `landline trust` in {place.project} to read them and allow them.",
    )


def test_a_trusted_project_sets_everything_until_it_changes(place: Place) -> None:
    file = place.shared('[backend]\nurl = "http://model:1"\n')
    trust(file, place.store)
    loaded = place.load()
    assert (loaded.settings.backend.url, loaded.notices) == ("http://model:1", ())
    assert loaded.origins["backend.url"] == Origin("project file", f"{file}:2")
    place.shared('[backend]\nurl = "http://model:2"\n')
    changed = place.load()
    assert changed.settings.backend.url == Settings().backend.url
    assert "was changed since it was trusted: ignored backend.url." in changed.notices[0]


def test_a_trusted_file_may_not_set_what_does_not_exist(place: Place) -> None:
    file = place.shared("[commands]\nrun = ['a']\n")
    trust(file, place.store)
    assert place.error().message == f"{file}:2: unknown key commands.run."


def test_a_restricted_name_that_is_no_table_is_ignored_too(place: Place) -> None:
    place.shared("backend = 'x'\n")
    loaded = place.load()
    assert loaded.settings == Settings()
    assert "ignored backend." in loaded.notices[0]


def test_a_notice_stays_short(place: Place) -> None:
    place.shared("[commands]\n" + "".join(f"{'k' * 200}{number} = 1\n" for number in range(1000)))
    (text,) = place.load().notices
    assert "and 988 more. Run `landline trust`" in text
    assert len(text) < 1500


def test_an_unknown_name_is_cut(place: Place) -> None:
    file = place.shared(f"{'k' * 100_000} = 1\n")
    assert place.error().message == f"{file}:1: unknown key {'k' * 79}…."


def test_a_linked_project_file_is_judged_by_what_it_points_at(place: Place) -> None:
    real = place.home / "real.toml"
    real.write_text('[backend]\nurl = "http://model:1"\n')
    link = place.project / "landline.toml"
    link.symlink_to(real)
    assert place.load().notices != ()
    trust(link, place.store)
    assert place.load().settings.backend.url == "http://model:1"
    other = place.home / "other.toml"
    other.write_bytes(real.read_bytes())
    link.unlink()
    link.symlink_to(other)
    assert place.load().settings.backend.url == Settings().backend.url


# --- secrets


@pytest.mark.parametrize(
    "text",
    [
        f"[backend]\nkey = ['{CANARY}']\n",
        f"[gateway]\nkeys = '{CANARY}'\n",
        f"[gateway]\nkeys = [1, '{CANARY}']\n",
        f"[backend]\nkey = '{CANARY}\n",
        f"[backend]\nkey = {CANARY}\n",
        f"[log]\nformat = '{CANARY}'\n",
        f"[gateway]\nport = '{CANARY}'\n",
    ],
)
def test_no_error_holds_a_value(place: Place, text: str) -> None:
    place.user(text)
    error = place.error()
    assert CANARY not in error.text
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_neither_repr_nor_origins_nor_notices_hold_a_secret(place: Place) -> None:
    place.user(f"[backend]\nkey = '{CANARY}'\n")
    place.shared(UNTRUSTED)
    loaded = place.load(variables={"LANDLINE_GATEWAY_KEYS": CANARY})
    assert loaded.settings.backend.key == CANARY
    assert loaded.settings.gateway.keys == (CANARY,)
    assert CANARY not in repr(loaded)


# --- the list of keys


def test_secrets_are_known() -> None:
    assert {name for name, key in known_keys().items() if key.secret} == {"backend.key", "gateway.keys"}


def test_every_key_says_what_it_is_for_and_what_it_must_be() -> None:
    for key in known_keys().values():
        assert key.description
        assert key.expected


def test_variables_are_unambiguous() -> None:
    keys = known_keys()
    assert len({key.variable for key in keys.values()}) == len(keys)


def test_types_without_words_are_refused() -> None:
    assert type_in_words(inspect.type_info(bool)) == "true or false"
    assert type_in_words(inspect.type_info(int)) == "an integer"
    with pytest.raises(TypeError, match="without words"):
        type_in_words(inspect.type_info(bytes))


def test_closest_prefers_nothing_over_anything() -> None:
    assert closest("qqqq", known_keys()) is None


# --- any settings, written and read


def values_of(shape: inspect.Type) -> st.SearchStrategy[Any]:
    builders: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
        inspect.Metadata: lambda s: values_of(s.type),
        inspect.IntType: lambda s: st.integers(s.ge, s.le if s.le is not None else 2**63 - 1),
        inspect.BoolType: lambda s: st.booleans(),
        inspect.FloatType: lambda s: st.floats(s.ge if s.gt is None else s.gt, s.le, exclude_min=s.gt is not None),
        inspect.StrType: lambda s: (
            st.from_regex(s.pattern) if s.pattern else st.text(min_size=s.min_length or 0, max_size=20)
        ),
        inspect.LiteralType: lambda s: st.sampled_from(s.values),
        inspect.VarTupleType: lambda s: st.lists(values_of(s.item_type), max_size=3),
        inspect.DictType: lambda s: st.dictionaries(values_of(s.key_type), values_of(s.value_type), max_size=3),
        inspect.StructType: lambda s: st.fixed_dictionaries({}, optional={f.name: values_of(f.type) for f in s.fields}),
    }
    return builders[type(shape)](shape)


SETTINGS = values_of(inspect.type_info(Settings)).map(lambda values: msgspec.convert(values, Settings))


# The first text that hypothesis draws on a fresh machine builds its table of characters, which takes seconds.
@how(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SETTINGS)
def test_settings_written_as_toml_read_back_the_same(settings: Settings) -> None:
    assert msgspec.convert(tomllib.loads(document(settings)), Settings) == settings


@how(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_settings_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = folder / "any.toml"
    file.write_bytes(content)
    try:
        loaded = load_settings(environ={"HOME": str(folder)}, cwd=folder, explicit_file=file)
    except SettingsError as error:
        assert str(file) in error.message
    else:
        assert isinstance(loaded.settings, Settings)


def test_replicas_belong_to_the_url_beside_which_they_are_named(place: Place) -> None:
    file = place.user('[backend]\nurl = "http://a"\nreplicas = ["http://b"]\n')
    assert place.load().settings.backend.replicas == ("http://b",)
    elsewhere = place.load(flags={"backend.url": "http://c"})
    assert elsewhere.settings.backend.replicas == ()
    assert elsewhere.notices == (f"backend.replicas of {file}:3 is not used: backend.url comes from --backend.",)
    more = place.load(variables={"LANDLINE_BACKEND_REPLICAS": "http://c,http://d"})
    assert more.settings.backend.replicas == ("http://c", "http://d")
    assert more.notices == ()


# ------------------------------------------------------------------------------------------------ paths


def test_a_path_is_meant_from_where_it_is_written(place: Place) -> None:
    place.user('[models]\nfamilies = "mine.toml"\n')
    assert place.load().settings.models.families == str(place.user_file.parent / "mine.toml")
    given = place.load(variables={"LANDLINE_MODELS_FAMILIES": "near.toml"})
    assert given.settings.models.families == str(place.project / "near.toml")
    place.user('[models]\nfamilies = "/etc/families.toml"\n')
    assert place.load().settings.models.families == "/etc/families.toml"
    place.user('[models]\nfamilies = ""\n')
    assert place.load().settings.models.families == ""


def test_a_project_names_a_file_of_families_only_when_it_is_trusted(place: Place) -> None:
    file = place.shared('[models]\nfamilies = "mine.toml"\n')
    loaded = place.load()
    assert loaded.settings.models.families == ""
    assert "models.families" in loaded.notices[0]
    trust(file, place.store)
    assert place.load().settings.models.families == str(place.project / "mine.toml")
