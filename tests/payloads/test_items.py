"""What each payload and collection tells of itself for an inventory."""

from __future__ import annotations

from bundler.model.inventory import Item
from bundler.payloads.apt.pins import LockedArchive, LockedDeb, LockedIndex, LockedPackages
from bundler.payloads.files import LockedFile, LockedFiles
from bundler.payloads.images.pins import LockedBlob, LockedImage, LockedImages, LockedLayer
from bundler.payloads.npm.locked import LockedNpm, Metadata
from bundler.payloads.npm.pins import LockedPackage
from bundler.payloads.payload import PythonPart
from bundler.payloads.python import Python
from bundler.payloads.repository.pins import LockedFiles as LockedTree
from bundler.payloads.repository.pins import LockedPack, LockedRepositories, LockedRepository

A, B, COMMIT = "a" * 64, "b" * 64, "c" * 40


def test_a_portable_python_is_known_by_what_it_is_taken_from() -> None:
    assert list(Python(PythonPart("3.13.1", "linux-amd64", portable=True, sha256=A)).items()) == [
        Item("pkg:generic/cpython@3.13.1", "python", "cpython", "3.13.1", "packages/python/cpython-3.13.1", sha256=A)
    ]
    assert list(Python(PythonPart("3.13.1", "linux-amd64", portable=False)).items()) == []


def test_a_debian_package_is_of_its_distribution_or_of_its_archive() -> None:
    debs = (
        LockedDeb("git", "1:2.39-1", "amd64", "debian-security", "pool/git.deb", 5, A, B),
        LockedDeb("demo", "2", "all", "theirs", "pool/demo.deb", 6, B, A),
    )
    archives = (LockedArchive("theirs", "https://example.org/"),)
    assert list(LockedPackages(LockedIndex(1, A), (), debs, archives).items()) == [
        Item(
            "pkg:deb/debian/git@1:2.39-1?arch=amd64", "deb", "git", "1:2.39-1", f"packages/apt/{debs[0].filename}", 5, A
        ),
        Item("pkg:deb/theirs/demo@2?arch=all", "deb", "demo", "2", f"packages/apt/{debs[1].filename}", 6, B),
    ]


def test_an_npm_package_that_was_asked_for_needs_what_is_there_for_it() -> None:
    def package(name: str, *roots: str) -> LockedPackage:
        return LockedPackage(name, "1.0.0", f"{name}.tgz", f"sha512-{'A' * 86}==", 5, A, roots)

    packages = (package("@demo/app", "@demo/app"), package("lib", "@demo/app"))
    app, lib = LockedNpm(("@demo/app@1.0.0",), packages, (), Metadata(1, A, A)).items()
    assert (app.purl, app.needs) == ("pkg:npm/%40demo/app@1.0.0", ("pkg:npm/lib@1.0.0",))
    assert (lib.purl, lib.kind, lib.needs, lib.sha256) == ("pkg:npm/lib@1.0.0", "npm", (), A)


def test_a_repository_is_known_by_its_commit() -> None:
    address = "https://github.com/demo/plays.git"
    one = LockedRepository("plays", address, "main", COMMIT, COMMIT, LockedPack(5, A), LockedTree(1, B))
    assert list(LockedRepositories((one,)).items()) == [
        Item(f"pkg:github/demo/plays@{COMMIT}", "repository", "plays", COMMIT, "repos/plays")
    ]


def test_a_file_and_an_image_stand_where_they_stand() -> None:
    file = LockedFile(
        name="vault",
        version="1.2",
        address="https://example.org/v",
        size=5,
        sha256=A,
        path="packages/bin/v",
        executable=True,
    )
    assert list(LockedFiles((file,)).items()) == [
        Item("pkg:generic/vault@1.2", "file", "vault", "1.2", "packages/bin/v", 5, A)
    ]
    image = LockedImage(
        name="db",
        reference="demo/db",
        tag="pg17",
        registry="https://registry.example.org",
        repository="demo/db",
        index=f"sha256:{A}",
        manifest=f"sha256:{B}",
        size=7,
        sha256=A,
        config=LockedBlob(f"sha256:{A}", 1),
        layers=(LockedLayer(f"sha256:{A}", 1, "application/vnd.oci.image.layer.v1.tar"),),
    )
    (item,) = LockedImages((image,)).items()
    assert item.purl == f"pkg:oci/db@sha256:{B}?repository_url=registry.example.org/demo/db&tag=pg17"
    assert (item.kind, item.version, item.path, item.size, item.sha256) == ("image", "pg17", image.path, 7, A)
