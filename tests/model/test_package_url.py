from __future__ import annotations

from bundler.model.package_url import npm_url, package_url, repository_url, wheel_url


def test_each_ecosystem_has_its_form() -> None:
    assert wheel_url("Some.App", "1.0+aiws.1") == "pkg:pypi/some-app@1.0%2Baiws.1"
    assert npm_url("@demo/app", "1.0.0-rc.1") == "pkg:npm/%40demo/app@1.0.0-rc.1"
    assert package_url("deb", "git", "1:2.39-1", "debian", ("arch=amd64", "distro=")) == (
        "pkg:deb/debian/git@1:2.39-1?arch=amd64"
    )


def test_a_repository_is_known_by_its_host() -> None:
    commit = "c" * 40
    assert repository_url("https://github.com/Owner/Repo.git", commit) == f"pkg:github/owner/repo@{commit}"
    assert repository_url("https://example.org/a/b.git", commit) == (
        f"pkg:generic/b@{commit}?vcs_url=git%2Bhttps://example.org/a/b.git%40{commit}"
    )
