from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
import tomli_w
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bundler.errors import LockError
from bundler.kinds.offline.playbook_text import Missing, Text, UnreadableText, read_yaml
from bundler.kinds.offline.role_names import find_names
from bundler.kinds.offline.roles import (
    LeftOut,
    RoleName,
    RoleNames,
    Roles,
    TargetVariables,
    missing_packages,
    unused_exceptions,
)
from bundler.model.target import Target
from bundler.model.toml import parse_toml

BOOKWORM = Target("debian", "12", "amd64", 36, None)
NOBLE = Target("ubuntu", "24.04", "arm64", 39, None)
TASKS = "roles/demo/tasks/main.yml"


def found(files: Mapping[str, str], roles: Roles | None = None, target: Target = BOOKWORM) -> RoleNames:
    roles = roles or Roles("playbooks", folders=("roles/demo",))
    return find_names(roles, {path: text.encode() for path, text in files.items()}, target)


def packages(files: Mapping[str, str] | str, roles: Roles | None = None, target: Target = BOOKWORM) -> list[str]:
    """What a role installs that has these files, or this one of tasks; nothing of it is unknown."""
    names = found({TASKS: files} if isinstance(files, str) else files, roles, target)
    assert names.notes == ()
    return sorted({name.package for name in names.names})


def test_a_name_is_found_with_the_line_where_it_is_written() -> None:
    files = {
        TASKS: "---\n- name: a task\n  ansible.builtin.apt:\n    name: '{{ demo_packages }}'\n    state: present\n"
        "- apt:\n    name:\n      - curl\n      - wget\n",
        "roles/demo/defaults/main.yml": "---\ndemo_packages:\n  - caddy\n",
    }
    assert found(files).names == (
        RoleName("caddy", "roles/demo/defaults/main.yml", 3),
        RoleName("curl", TASKS, 8),
        RoleName("wget", TASKS, 9),
    )


@pytest.mark.parametrize(
    ("task", "installs"),
    [
        ("apt: {name: curl}", ["curl"]),
        ("apt: {pkg: [curl, wget]}", ["curl", "wget"]),
        ("package: {name: 'curl, wget'}", ["curl", "wget"]),
        ("ansible.builtin.package: {name: curl}", ["curl"]),
        ("ansible.legacy.apt: {name: curl}", ["curl"]),
        ("apt: name=curl,wget state=present", ["curl", "wget"]),
        ("apt: name='unclosed", []),
        ("apt: {name: nodejs=24.16.0-1nodesource1}", ["nodejs"]),
        ("apt: {name: 'libc6:arm64'}", ["libc6"]),
        ("apt: {name: demo/bookworm-backports}", ["demo"]),
        ("apt: {name: ''}", []),
        ("apt: {update_cache: true}", []),
        ("apt: {deb: /tmp/demo.deb}", []),
        ("apt: {name: curl, state: absent}", []),
        ("apt: {name: curl, state: '{{ gone }}'}\n  vars: {gone: absent}", []),
        ("apt: {name: '{{ item }}'}\n  loop: [curl, wget]", ["curl", "wget"]),
        ("apt: {name: '{{ item }}'}\n  with_items: '{{ all_of_them }}'\n  vars: {all_of_them: [curl]}", ["curl"]),
        ("apt: {name: '{{ item.name }}'}\n  loop: [{name: curl}, {name: wget}]", ["curl", "wget"]),
        ("apt: {name: 'python{{ item }}-dev'}\n  loop: [3, '3.11']", ["python3-dev", "python3.11-dev"]),
        ("apt: {name: curl}\n  when: ansible_os_family == 'Darwin'", []),
        ("apt: {name: curl}\n  when: ansible_facts.os_family != 'Debian'", []),
        ("apt: {name: curl}\n  when: [nobody_knows.rc != 0, ansible_distribution == 'Ubuntu']", []),
        ("apt: {name: curl}\n  when: [nobody_knows.rc != 0, ansible_distribution == 'Debian']", ["curl"]),
        ("apt: {name: curl}\n  when: ansible_distribution_version is version('12', '>=')", ["curl"]),
        ("apt: {name: \"{{ 'chrome' if ansible_architecture == 'x86_64' else '' }}\"}", ["chrome"]),
        ("command: apt-get install curl", []),
        (
            "block:\n  - apt: {name: curl}\n  rescue:\n  - apt: {name: wget}\n  always:\n  - apt: {name: jq}",
            ["curl", "jq", "wget"],
        ),
        ("block:\n  - block:\n    - apt: {name: curl}\n  when: ansible_system == 'Windows'", []),
    ],
)
def test_a_task_installs_what_ansible_would(task: str, installs: list[str]) -> None:
    assert packages(f"- {task}") == installs


def test_targets_decide() -> None:
    task = "- apt: {name: \"{{ ['chrome'] if ansible_architecture in ['x86_64', 'amd64'] else [] }}\"}\n"
    task += "- apt: {name: noble}\n  when: ansible_distribution_version is version('24.04', '>=')\n"
    task += "- apt: {name: debian}\n  when: ansible_distribution == 'Debian'\n"
    assert packages(task, target=BOOKWORM) == ["chrome", "debian", "noble"]  # of Debian's version, nothing is sure
    assert packages(task, target=NOBLE) == ["noble"]


def test_playbooks_are_followed_to_all_they_import() -> None:
    files = {
        "site.yml": "- import_playbook: sub/second.yml\n- hosts: all\n  vars: {of_play: [wget]}\n  roles:\n"
        "    - role: roles/vhosts/first/\n    - second\n  pre_tasks:\n    - apt: {name: '{{ of_play }}'}\n",
        "sub/second.yml": "- hosts: all\n  handlers:\n    - apt: {name: at-the-end}\n",
        "group_vars/all.yml": "of_group: [jq]\n",
        "roles/vhosts/first/meta/main.yml": "dependencies:\n  - role: common\n  - vhosts/docker\n",
        "roles/vhosts/first/tasks/main.yml": "- include_tasks: '{{ ansible_os_family | lower }}.yml'\n"
        "  vars: {more: [git]}\n- import_role:\n    name: third\n    tasks_from: other.yml\n  vars: {passed: rsync}\n",
        "roles/vhosts/first/tasks/debian.yml": "- apt: {name: '{{ more + of_group }}'}\n",
        "roles/vhosts/first/tasks/never.yml": "- apt: {name: never}\n",
        "roles/vhosts/common/tasks/main.yml": "- apt: {name: fail2ban}\n",
        "roles/vhosts/docker/tasks/main.yml": "- apt: {name: docker.io}\n",
        "roles/second/tasks/main.yaml": "- apt: {name: curl}\n",
        "roles/second/handlers/main.yml": "- apt: {name: unzip}\n",
        "roles/third/tasks/other.yml": "- apt: {name: '{{ passed }}'}\n",
        "roles/third/tasks/main.yml": "- apt: {name: never-either}\n",
        "roles/third/defaults/main.yml": "passed: default\n",
    }
    wanted = ["at-the-end", "curl", "docker.io", "fail2ban", "git", "jq", "rsync", "unzip", "wget"]
    assert packages(files, Roles("playbooks", ("site.yml",))) == wanted


def test_variables_outdo_each_other_as_they_do_in_ansible() -> None:
    files = {
        "site.yml": "- hosts: all\n  vars: {a: play, b: play, c: play}\n  roles: [demo]\n",
        TASKS: "- apt: {name: 'x-{{ a }}-{{ b }}-{{ c }}-{{ d }}-{{ e }}'}\n  vars: {b: task, c: task}\n"
        "- set_fact: {c: fact, d: fact}\n",
        "roles/demo/defaults/main.yml": "{a: default, b: default, d: default, e: default}",
        "roles/demo/vars/main.yml": "{b: role}",
    }
    assert packages(files, Roles("p", ("site.yml",))) == ["x-play-task-task-fact-default"]
    assert packages(files, Roles("p", ("site.yml",), variables={"a": "told", "c": "told"})) == [
        "x-told-task-told-fact-default"
    ]


def test_what_only_a_run_tells_is_noted_and_not_guessed() -> None:
    task = "- command: psql --version\n  register: detected\n"
    task += "- apt:\n    name: postgresql-{{ detected.stdout | trim }}-pgvector\n"
    [note] = found({TASKS: task}).notes
    assert str(note) == (
        f"{TASKS}:3: what is installed, only a run tells: postgresql-{{{{ detected.stdout | trim }}}}-pgvector"
    )
    told = Roles("playbooks", folders=("roles/demo",), variables={"detected": {"stdout": "17"}})
    assert packages(task, told) == ["postgresql-17-pgvector"]


@pytest.mark.parametrize(
    ("task", "note"),
    [
        ("apt: {name: '{{ nobody }}'}", "only a run tells"),
        ("apt: {name: [curl, '{{ nobody }}']}", "only a run tells"),
        ("apt: {name: '{{ item }}'}\n  loop: '{{ nobody }}'", "only a run tells"),
        ("apt: {name: '{{ item }}'}\n  with_fileglob: '*'", "only a run tells"),
        ("apt: {name: !vault abc}", "only a run tells"),
        ("apt: {name: {a: b}}", "no names of packages"),
        ("apt: {name: 'https://example.org/demo.deb'}", "no name of a package: https"),
        ("apt: {name: 'demo*'}", "no name of a package: demo*"),
        ("apt: {name: '../../etc'}", "no name of a package"),
        ("include_tasks: other.yml", "a file of tasks that is not there: other.yml"),
        ("include_tasks: '{{ nobody }}.yml'", "a file of tasks that is not there"),
        ("include_tasks: ../../../../etc/passwd", "a file of tasks that is not there"),
        ("include_role: {name: other}", "a role that is not there: other"),
        ("include_role: {name: '{{ nobody }}'}", "a role that is not there"),
    ],
)
def test_what_cannot_be_followed_is_noted(task: str, note: str) -> None:
    notes = found({TASKS: f"- {task}"}).notes
    assert notes and note in notes[0].text
    assert all(one.file == TASKS and one.line == 1 for one in notes)


def test_what_is_set_in_two_ways_is_not_known() -> None:
    task = "- set_fact: {chosen: a}\n- set_fact: {chosen: b}\n- apt: {name: '{{ chosen }}'}\n"
    assert [note.line for note in found({TASKS: task}).notes] == [3]
    assert packages(task.replace("b}", "a}")) == ["a"]


def test_a_playbook_or_folder_that_is_not_there_is_noted() -> None:
    names = found({}, Roles("playbooks", ("site.yml",), ("roles/demo",)))
    assert len(names.notes) == 2 and names.names == ()


def test_a_file_that_is_no_yaml_counts_only_where_it_would_be_read() -> None:
    broken = {"roles/demo/tasks/windows.yml": '- a: "\\T"\n'}
    include = "- include_tasks: windows.yml\n  when: ansible_os_family == '{}'\n"
    assert packages({TASKS: include.format("Windows"), **broken}) == []
    [note] = found({TASKS: include.format("Debian"), **broken}).notes
    assert str(note) == "roles/demo/tasks/windows.yml:1: cannot be read: not YAML: found unknown escape character"


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LAUGHS.encode(), "more than 50000 values"),
        (b"[" * 100_000, "nested deeper than 40 levels"),
        (b"- " * 100_000, "nested deeper than 40 levels"),
        (b"&a [*a]", "nested deeper than 40 levels"),
        (b"- x\n" * 60_000, "more than 50000 values"),
        (b"x" * (513 << 10), "is larger than 512 KiB"),
        (b"\xff\xfe\xff", "not YAML"),
        (b"a: b: c", "not YAML"),
        (b"--- 1\n--- 2\n", "not YAML"),
    ],
)
def test_a_file_made_to_hurt_is_refused_by_name_and_at_once(content: bytes, reason: str) -> None:
    begun = time.process_time()
    with pytest.raises(UnreadableText, match=f"^roles/x.yml.*{reason}"):
        read_yaml(content, "roles/x.yml")
    assert time.process_time() - begun < 5


def test_tasks_that_include_each_other_end_with_the_files_name() -> None:
    with pytest.raises(LockError, match=f"^{TASKS}: the playbooks include each other more than 30 deep"):
        found({TASKS: "- include_tasks: main.yml\n"})
    with pytest.raises(LockError, match=r"^site.yml: .*30 deep"):
        found({"site.yml": "- import_playbook: site.yml\n"}, Roles("playbooks", ("site.yml",)))
    with pytest.raises(LockError, match="30 deep"):
        found({"roles/demo/meta/main.yml": "dependencies: [demo]", TASKS: "[]"})
    twice = {f"roles/demo/tasks/{n}.yml": f"- include_tasks: {n + 1}.yml\n" * 2 for n in range(25)}
    begun = time.process_time()
    with pytest.raises(LockError, match="more than 20000 tasks"):
        found({TASKS: "- include_tasks: 0.yml\n", **twice})
    assert time.process_time() - begun < 20


def test_templates_that_take_long_end_with_the_files_name() -> None:
    defaults = "big: [" + "x, " * 900 + "x]\n"
    tasks = "- apt: {name: '{{ big + big + big }}'}\n" * 2000
    with pytest.raises(LockError, match=f"^{TASKS}:.*takes too long"):
        found({TASKS: tasks, "roles/demo/defaults/main.yml": defaults})


def test_aliases_and_merged_keys_mean_what_they_do_in_yaml() -> None:
    text = "- &one {a: 1, b: [x]}\n- {<<: *one, a: 2}\n- *one\n- {a: !vault |\n    secret\n  }\n"
    text = "- &one {a: 1, b: [x]}\n- {<<: *one, a: 2}\n- *one\n- a: !vault |\n    secret\n- 2024-01-01\n- 1_0\n"
    assert read_yaml(text.encode(), "x") == [
        {"a": 1, "b": ["x"]},
        {"a": 2, "b": ["x"]},
        {"a": 1, "b": ["x"]},
        {"a": Missing.UNKNOWN},
        "2024-01-01",
        10,
    ]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc: -#'{}[]", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_a_file_holds_is_what_yaml_says(value: object) -> None:
    assert read_yaml(yaml.safe_dump(value).encode(), "x") == value


NAME = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,8}", fullmatch=True)


@given(st.lists(NAME, max_size=4), st.lists(NAME, max_size=4), st.integers(0, 4))
def test_names_come_through_variables_blocks_and_loops(first: list[str], second: list[str], blocks: int) -> None:
    task: object = {"apt": {"name": "{{ first + second }}"}}
    for _ in range(blocks):
        task = {"block": [task, {"apt": {"name": "{{ item }}"}, "loop": "{{ second }}"}]}
    files = {
        TASKS: yaml.safe_dump([task]),
        "roles/demo/defaults/main.yml": yaml.safe_dump({"first": first, "second": second}),
    }
    assert packages(files) == sorted({*first, *second})


@given(st.text("abcnmelowh:-{}[]'\" \n|>&*!", max_size=60))
def test_any_text_is_a_role_or_a_note(text: str) -> None:
    found({TASKS: f"- apt: {{name: curl}}\n{text}", "roles/demo/defaults/main.yml": text})


def test_what_the_roles_install_and_is_not_bundled_is_named_with_its_place() -> None:
    names = found({TASKS: "- apt: {name: [curl, yarn, jq]}\n- apt: {name: yarn}\n- apt: {name: texlive}\n"})
    roles = Roles("playbooks", folders=("roles/demo",), leave_out=(LeftOut(("texlive", "gone"), "only if asked for"),))
    assert list(missing_packages(roles, names, {"curl", "jq"}, BOOKWORM)) == [
        f"playbooks {TASKS}:1 and 1 more installs yarn, which is not bundled"
    ]
    assert list(missing_packages(roles, names, {"curl", "jq", "yarn"}, BOOKWORM)) == []
    assert list(unused_exceptions(roles, names, BOOKWORM)) == ["leave-out: gone: no role of playbooks installs it"]


def test_what_one_target_does_without_others_may_not() -> None:
    names = found({TASKS: "- apt: {name: chrome}\n"})
    roles = Roles("playbooks", folders=("roles/demo",), leave_out=(LeftOut(("chrome",), "not built", ("arm64",)),))
    assert list(missing_packages(roles, names, set(), NOBLE)) == []
    assert list(missing_packages(roles, names, set(), BOOKWORM)) != []
    assert list(unused_exceptions(roles, RoleNames(), NOBLE)) != []
    assert list(unused_exceptions(roles, RoleNames(), BOOKWORM)) == []


def test_variables_may_be_others_on_some_targets() -> None:
    roles = Roles(
        "playbooks",
        folders=("roles/demo",),
        variables={"detected": "15", "other": "x"},
        overrides=(TargetVariables(("ubuntu-24.04",), {"detected": "16"}),),
    )
    task = "- apt: {name: 'postgresql-{{ detected }}-{{ other }}'}"
    assert packages(task, roles) == ["postgresql-15-x"]
    assert packages(task, roles, NOBLE) == ["postgresql-16-x"]


def test_roles_that_say_nothing_or_name_no_target_are_problems() -> None:
    assert list(Roles("playbooks").problems([BOOKWORM])) == ["roles: neither playbooks nor folders"]
    left_out = (LeftOut(("curl",), "so", ("debain",)),)
    overrides = (TargetVariables(("ubunut",), {"a": "b"}),)
    roles = Roles("playbooks", ("site.yml",), leave_out=left_out, overrides=overrides)
    assert [problem.split(";")[0] for problem in roles.problems([BOOKWORM])] == [
        "roles: unknown target 'debain'",
        "roles: unknown target 'ubunut'",
    ]


def test_what_was_found_comes_back_from_a_lock() -> None:
    names = found({TASKS: "- apt: {name: curl}\n- apt: {name: \"a\\e[2J\\u202e{{ nobody }}\"}\n- apt: {name: 'é*'}\n"})
    adapter = TypeAdapter(RoleNames)
    text = tomli_w.dumps(adapter.dump_python(names, mode="json"))
    assert adapter.validate_python(parse_toml(text)) == names
    assert len(names.notes) == 2 and not any("\x1b" in note.text for note in names.notes)


def test_a_text_remembers_where_it_stands() -> None:
    value = read_yaml(b"\na:\n  - b\n", "x.yml")
    assert isinstance(value, dict) and isinstance(value["a"], list)
    [text] = value["a"]
    assert isinstance(text, Text) and (text, text.file, text.line) == ("b", "x.yml", 3)


@pytest.mark.parametrize("number", ["9" * 6000, f"0x{'f' * 6000}"], ids=["decimal", "hexadecimal"])
def test_a_number_too_long_for_python_to_write_is_told(number: str) -> None:
    names = found({TASKS: f"- apt: {{name: {number}}}\n"})
    assert names.names == ()
    assert [note.text.partition(":")[0] for note in names.notes] == ["no name of a package"]
