"""How uv is called: with a runner that notes it instead of running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bundler.adapters.process import Completed
from bundler.adapters.resolver import Resolver, in_one_line
from bundler.errors import LockError, UnreachableError
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter
from bundler.model.target import Target

INDEX = "https://topuser:top%2Fsecret@index.test:8443/simple"
TARGET = Target("ubuntu", "26.04", "arm64", 43, None)
REQUEST = Request(
    component="litellm",
    target=TARGET,
    python=Interpreter("3.13.18", "linux-arm64", 43),
    portable=True,
    requirement="litellm[proxy]==1.89.0",
    extra_requirements=("prisma",),
    bootstrap=("pip>=25.1",),
)


@dataclass
class FakeUv:
    """A runner that notes what it is asked, and the files it is given."""

    answer: Callable[[Path], Completed] = lambda output: Completed(0, "", "")
    calls: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        self.calls.append((list(argv), dict(env)))
        assert timeout > 0
        if "compile" not in argv:
            return Completed(0, "uv 0.13.9 (abc 2026-01-01)\n", "")
        for name, path in {"wanted": argv[3], "limits": self.option("--constraints"), "old": self.output}.items():
            self.files[name] = Path(path).read_text() if Path(path).exists() else ""
        return self.answer(Path(self.output))

    def option(self, name: str) -> str:
        argv = self.calls[-1][0]
        return argv[argv.index(name) + 1]

    @property
    def output(self) -> str:
        return self.option("--output-file")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cause: Because a was not found in the package registry and b depends on a", "a is not on the index"),
        ("cause: Because there is no version of a==1 and you require a==1, we can", "a==1 is not on the index"),
        ("cause: Because a==1 has no usable wheels and you require", "a==1 has no wheel for the target"),
        (
            "cause: Because only a<=2 is available and b depends on a>9, we can conclude",
            "Because only a<=2 is available",
        ),
        ("cause: Because a==1 has no\n   usable wheels and there is no version of c", "a==1 has no wheel"),
        (f"cause: {'x' * 999}", "x" * 200 + "…"),
    ],
)
def test_why_nothing_was_found_is_told_in_one_line(said: str, told: str) -> None:
    reason = in_one_line(f"debian-12-amd64: cannot be resolved\n  error: No solution found\n  {said}")
    assert reason.startswith(told)
    assert "\n" not in reason
    assert "cause:" not in reason


def resolved(
    resolver: Resolver, limits: list[str], newest: str, preferences: str | None, request: Request = REQUEST
) -> str:
    name, python = request.target.name, request.python
    return resolver.resolve(name, request.requirements, python, limits, newest, preferences)


def locked(text: str) -> Callable[[Path], Completed]:
    def answer(output: Path) -> Completed:
        output.write_text(text)
        return Completed(0, "", "")

    return answer


def refused(errors: str) -> Callable[[Path], Completed]:
    return lambda output: Completed(1, "", errors.replace("FOLDER", str(output.parent)))


def test_uv_is_asked_for_the_targets_machine_and_nothing_of_this_one() -> None:
    uv = FakeUv(locked("the lock"))
    assert resolved(Resolver(uv, {}, INDEX), ["httpx==1"], "2026-11-20T00:00:00Z", None) == "the lock"
    argv = uv.calls[0][0]
    assert Path(argv[0]).name == "uv"
    assert argv[1:3] == ["pip", "compile"]
    assert uv.option("--python-platform") == "aarch64-manylinux_2_40"
    assert uv.option("--python-version") == "3.13.18"
    assert uv.option("--only-binary") == ":all:"
    assert uv.option("--format") == "pylock.toml"
    assert uv.option("--exclude-newer") == "2026-11-20T00:00:00Z"
    assert {"--no-config", "--no-python-downloads", "--generate-hashes"} <= set(argv)
    assert uv.files == {"wanted": "litellm[proxy]==1.89.0\nprisma\npip>=25.1\n", "limits": "httpx==1\n", "old": ""}


def test_some_projects_have_another_date_and_an_index_without_times_has_none() -> None:
    uv = FakeUv(locked("the lock"))
    resolver, python = Resolver(uv, {}, INDEX), REQUEST.python
    resolver.resolve("x", ["demo"], python, [], "2026-11-20T00:00:00Z", None, {"demo": "2026-11-27T00:00:00Z"})
    assert uv.option("--exclude-newer-package") == "demo=2026-11-27T00:00:00Z"
    resolver.resolve("x", ["demo"], python, [], "", None)
    assert not [word for word in uv.calls[-1][0] if word.startswith("--exclude-newer")]


def test_uvs_platform_is_the_targets_glibc_where_uv_knows_it() -> None:
    uv = FakeUv(locked(""))
    request = Request(**{**vars(REQUEST), "python": Interpreter("3.9.2", "linux-amd64", 31)})
    resolved(Resolver(uv, {}, INDEX), [], "2026-11-20", None, request)
    assert uv.option("--python-platform") == "x86_64-manylinux_2_31"


def test_a_mac_is_told_with_its_oldest_system_whatever_the_caller_has() -> None:
    uv = FakeUv(locked(""))
    request = replace(REQUEST, python=Interpreter("3.13.18", "darwin-arm64", 11))
    resolved(Resolver(uv, {"MACOSX_DEPLOYMENT_TARGET": "15.0"}, INDEX), [], "2026-11-20", None, request)
    assert uv.option("--python-platform") == "aarch64-apple-darwin"
    assert uv.calls[0][1]["MACOSX_DEPLOYMENT_TARGET"] == "11.0"
    resolved(Resolver(uv, {"MACOSX_DEPLOYMENT_TARGET": "15.0"}, INDEX), [], "2026-11-20", None)
    assert "MACOSX_DEPLOYMENT_TARGET" not in uv.calls[1][1]


def test_an_old_lock_is_there_as_preferences() -> None:
    uv = FakeUv(locked("new"))
    assert resolved(Resolver(uv, {}, INDEX), [], "2026-11-20", "old lock") == "new"
    assert uv.files["old"] == "old lock"
    assert Path(uv.output).name == "pylock.toml"
    assert not Path(uv.output).parent.exists()


def test_credentials_are_in_the_environment_and_in_no_argument() -> None:
    uv = FakeUv(locked(""))
    resolver = Resolver(uv, {}, INDEX)
    resolved(resolver, [], "2026-11-20", None)
    resolver.version()
    for argv, env in uv.calls:
        assert env["UV_DEFAULT_INDEX"] == INDEX
        assert not any("secret" in word or "topuser" in word for word in argv)


def test_only_settings_about_reaching_the_index_act() -> None:
    uv = FakeUv(locked(""))
    env = {
        "PATH": "/bin", "HTTPS_PROXY": "http://proxy.test", "SSL_CERT_FILE": "/pem", "PIP_INDEX_URL": "https://b.test",
        "UV_CACHE_DIR": "/cache", "UV_HTTP_TIMEOUT": "9", "UV_OFFLINE": "1", "UV_NATIVE_TLS": "1",
        "UV_INDEX": "https://extra.test", "UV_EXTRA_INDEX_URL": "https://extra.test", "UV_PRERELEASE": "allow",
        "UV_RESOLUTION": "lowest", "UV_EXCLUDE_NEWER": "2020-01-01", "UV_CONSTRAINT": "c.txt", "UV_OVERRIDE": "o.txt",
        "UV_FIND_LINKS": "/w", "UV_NO_BINARY": "1", "UV_CONFIG_FILE": "/uv.toml", "UV_INDEX_STRATEGY": "x",
        "UV_DEFAULT_INDEX": "https://elsewhere.test", "UV_TORCH_BACKEND": "auto", "UV_CUSTOM_COMPILE_COMMAND": "x",
    }  # fmt: skip
    resolved(Resolver(uv, env, INDEX), [], "2026-11-20", None)
    given = uv.calls[0][1]
    assert {name for name in given if name.startswith("UV_")} == {
        "UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_OFFLINE", "UV_NATIVE_TLS", "UV_DEFAULT_INDEX",
    }  # fmt: skip
    assert given["UV_DEFAULT_INDEX"] == INDEX
    assert given["NO_COLOR"] == "1"
    assert {"PATH", "HTTPS_PROXY", "SSL_CERT_FILE"} <= set(given)


def test_the_version_is_two_words_and_asked_for_once() -> None:
    uv = FakeUv()
    resolver = Resolver(uv, {}, INDEX)
    assert [resolver.version(), resolver.version()] == ["uv 0.13.9"] * 2
    assert len(uv.calls) == 1


def test_uvs_reasons_are_told_without_blank_lines_and_without_its_folder() -> None:
    uv = FakeUv(refused("  x No solution found in FOLDER/wanted.txt:\n\n   \n  because a<2\n\n"))
    with pytest.raises(LockError) as caught:
        resolved(Resolver(uv, {}, INDEX), [], "2026-11-20", None)
    assert caught.value.message == (
        "ubuntu-26.04-arm64: cannot be resolved\n  x No solution found in /wanted.txt:\n  because a<2"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("index", "secrets"),
    [
        (INDEX, ["top%2Fsecret", "top/secret", "topuser"]),
        ("https://toptoken@index.test/simple", ["toptoken"]),
        ("https://toptoken:@index.test/simple", ["toptoken"]),
        ("https://__token__:topsecret@index.test/simple", ["topsecret"]),
    ],
)
def test_no_error_shows_the_indexs_credentials(index: str, secrets: list[str]) -> None:
    said = f"error: {index} and {index.rpartition('/')[0]}/files/x.whl; " + "; ".join(f"with {s}" for s in secrets[:2])
    with pytest.raises(LockError) as caught:
        resolved(Resolver(FakeUv(refused(said)), {}, index), [], "2026-11-20", None)
    assert not [secret for secret in secrets if secret in caught.value.message]
    assert "index.test" in caught.value.message
    assert "/files/x.whl" in caught.value.message


def test_an_index_without_credentials_is_shown_as_it_is() -> None:
    uv = FakeUv(refused("error: https://index.test/simple: odd"))
    with pytest.raises(LockError, match=r"https://index\.test/simple: odd"):
        resolved(Resolver(uv, {}, "https://index.test/simple"), [], "2026-11-20", None)


@pytest.mark.parametrize("words", ["Failed to fetch: `x`", "error sending request for url", "Could not connect"])
def test_an_index_out_of_reach_is_told_from_requirements_that_do_not_fit(words: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        resolved(Resolver(FakeUv(refused(f"error: {words}")), {}, INDEX), [], "2026-11-20", None)
    assert caught.value.exit_code == 4
    assert "index" in caught.value.hint
