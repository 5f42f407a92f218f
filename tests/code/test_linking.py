"""Libraries that code asks for: which are found, and which are neither in the tree nor the system's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from bundler.code.linking import missing_libraries
from bundler.code.values import Code, Library, Slice, Tree


def code(*libraries: str, places: Sequence[str] = (), program: bool = False, weak: Sequence[str] = ()) -> Slice:
    asked = (*map(Library, libraries), *(Library(name, weak=True) for name in weak))
    return Slice("arm64", program, 1, (11, 0, 0), asked, tuple(places))


def missing(slices: Mapping[str, Slice], links: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    tree = Tree({path: Code((one,)) for path, one in slices.items()}, links or {})
    return list(missing_libraries(tree, slices, lambda path: path.startswith("/usr/lib/")))


@pytest.mark.parametrize(
    ("name", "places", "found"),
    [
        ("/usr/lib/libSystem.B.dylib", [], True),
        ("/usr/lib/../local/lib/x.dylib", [], False),
        ("/opt/homebrew/lib/libomp.dylib", [], False),
        ("@loader_path/.dylibs/a.dylib", [], True),
        ("@loader_path/../p/.dylibs/a.dylib", [], True),
        ("@loader_path/../../p/.dylibs/a.dylib", [], False),
        ("@loader_path/b.dylib", [], False),
        ("@rpath/a.dylib", [], False),
        ("@rpath/a.dylib", ["@loader_path/.dylibs"], True),
        ("@rpath/a.dylib", ["@loader_path/.dylibs/"], True),
        ("@rpath/.dylibs/a.dylib", ["@loader_path/"], True),
        ("@rpath/a.dylib", ["/nowhere", "@executable_path/../p/.dylibs"], True),
        ("@rpath/libswiftCore.dylib", ["/usr/lib/swift"], True),
        ("@rpath/a.dylib", [".dylibs"], False),
        ("@executable_path/../p/.dylibs/a.dylib", [], True),
        ("p/.dylibs/a.dylib", [], False),
        ("a.dylib", ["@loader_path/.dylibs"], False),
        ("@other/a.dylib", [], False),
        ("@rpath/other.dylib", ["@loader_path/../q"], True),
    ],
)
def test_where_libraries_are_looked_for(name: str, places: Sequence[str], found: bool) -> None:
    slices = {
        "p/x.so": code(name, places=places),
        "p/.dylibs/a.dylib": code(),
        "q/other.dylib": code(),
        "bin/python": code(program=True),
    }
    assert missing(slices) == ([] if found else [("p/x.so", name)])


def test_a_weak_library_may_be_missing() -> None:
    assert missing({"x.so": code(weak=["@rpath/none.dylib"])}) == []


def test_run_paths_of_whatever_loads_a_library_count_for_it_too() -> None:
    slices = {
        "bin/tool": code("@rpath/a.dylib", places=["@executable_path/../lib"], program=True),
        "lib/a.dylib": code("@rpath/b.dylib"),
        "lib/b.dylib": code("@rpath/c.dylib"),
        "lib/c.dylib": code(),
    }
    assert missing(slices) == []
    del slices["bin/tool"]
    assert missing(slices) == [("lib/a.dylib", "@rpath/b.dylib"), ("lib/b.dylib", "@rpath/c.dylib")]


def test_a_programs_own_folder_is_that_of_its_executable_path() -> None:
    slices = {
        "a/tool": code("@executable_path/x.dylib", program=True),
        "b/tool": code(program=True),
        "b/x.dylib": code(),
    }
    assert missing(slices) == [("a/tool", "@executable_path/x.dylib")]


def test_links_are_followed_and_not_in_circles() -> None:
    slices = {"x.so": code("@loader_path/a.dylib"), "lib/a.1.dylib": code()}
    assert missing(slices, {"a.dylib": "lib/a.dylib", "lib/a.dylib": "a.1.dylib"}) == []
    assert missing(slices, {"a.dylib": "b.dylib", "b.dylib": "a.dylib"}) == [("x.so", "@loader_path/a.dylib")]


def test_what_takes_too_many_steps_counts_as_missing() -> None:
    names = [f"@rpath/{number}" for number in range(500)]
    places = [f"@loader_path/{number}" for number in range(500)]
    slices = {f"{number}.so": code(*names, places=places) for number in range(20)}
    started = time.process_time()
    assert len(missing(slices)) == 10_000
    assert time.process_time() - started < 20
