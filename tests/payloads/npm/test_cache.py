"""The format of npm's cache, against what npm 11 itself wrote."""

from __future__ import annotations

import hashlib
import json

from bundler.payloads.npm.cache import content_path, index_file, integrity

ADDRESS = "https://npm.test/@a%2fb"


def test_a_file_lies_under_its_sha512() -> None:
    digest = hashlib.sha512(b"x").hexdigest()
    pin = integrity(hashlib.sha512(b"x").digest())
    assert content_path(pin) == f"_cacache/content-v2/sha512/{digest[:2]}/{digest[2:4]}/{digest[4:]}"


def test_an_index_file_lies_under_its_keys_sha256_and_each_line_begins_with_its_own_sha1() -> None:
    path, content = index_file(ADDRESS, "sha512-x", 7, "application/json", ("*/*", ""))
    key = f"make-fetch-happen:request-cache:{ADDRESS}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert path == f"_cacache/index-v5/{digest[:2]}/{digest[2:4]}/{digest[4:]}"
    empty, *lines = content.decode().split("\n")
    assert empty == "" and len(lines) == 2
    for line in lines:
        checksum, _, text = line.partition("\t")
        assert checksum == hashlib.sha1(text.encode()).hexdigest()
        entry = json.loads(text)
        assert (entry["key"], entry["size"], entry["metadata"]["url"]) == (key, 7, ADDRESS)
    assert [json.loads(line.split("\t")[1])["metadata"]["reqHeaders"] for line in lines] == [{"accept": "*/*"}, {}]
