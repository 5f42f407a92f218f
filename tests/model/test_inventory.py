from __future__ import annotations

from bundler.model.closure import Wheel
from bundler.model.inventory import Item, joined
from bundler.model.wheel_items import wheel_items


def test_what_two_tell_of_one_thing_is_one_item() -> None:
    first = Item("pkg:pypi/a@1", "wheel", "a", "1", "packages/pip/a.whl", 5, "a" * 64, needs=("pkg:pypi/c@1",))
    second = Item("pkg:pypi/a@1", "wheel", "a", "1", "elsewhere", 6, licences=("MIT",), needs=("pkg:pypi/b@1",))
    other = Item("pkg:pypi/0@1", "wheel", "0", "1")
    assert joined([first, second, other]) == (
        other,
        Item(
            "pkg:pypi/a@1",
            "wheel",
            "a",
            "1",
            "packages/pip/a.whl",
            5,
            "a" * 64,
            ("MIT",),
            ("pkg:pypi/b@1", "pkg:pypi/c@1"),
        ),
    )


def test_wheels_need_what_the_proof_found() -> None:
    wheels = [
        Wheel("Demo-1.0-py3-none-any.whl", licences=("MIT",), sboms=("x/sboms/a",)),
        Wheel("lib-2-py3-none-any.whl"),
    ]
    demo, lib = wheel_items(wheels, {"demo": {"lib", "demo", "absent"}})
    assert (demo.purl, demo.path, demo.licences, demo.sboms) == (
        "pkg:pypi/demo@1.0",
        "packages/pip/Demo-1.0-py3-none-any.whl",
        ("MIT",),
        ("x/sboms/a",),
    )
    assert demo.needs == (lib.purl,) == ("pkg:pypi/lib@2",)
