"""export and import: tenants and endpoints as a file."""
import pytest

from harness.command import tenterhook


def test_export_and_import_make_a_second_installation_like_the_first(cli, server, receiver, tmp_path):
    target = receiver()
    cli("tenants", "put", "acme", "--name", 'Acme "Inc": #1', "--dialect", "taskboard", "--attribute", "a=1").expect(0)
    cli("endpoints", "create", target.url(), "--tenant", "acme", "--event", "task.created").expect(0)
    cli("endpoints", "create", target.url(), "--description", "zwei: # 'x'\n- y", "--header", "X-A=true", "--metadata", "n=007",
        "--rate-limit", "2.5", "--event", "a.*").expect(0)
    file = tmp_path / "all.yaml"
    cli("export", "--to", file, "--secrets").expect(0)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in cli("export").expect(0).out
    assert "nothing was changed" in cli("import", file, "--dry-run").expect(0).out
    assert "0 to create, 0 to change" in cli("import", file).expect(0).out
    other = server()
    env = {"TENTERHOOK_URL": f"http://127.0.0.1:{other.port}", "TENTERHOOK_KEY": other.admin_key}
    assert "3 to create" in tenterhook("import", file, "--dry-run", env=env).expect(0).out
    assert other.api.get("/v1/webhooks").json["data"] == []
    tenterhook("import", file, env=env).expect(0)
    assert "0 to create, 0 to change" in tenterhook("import", "-", env=env, stdin=file.read_text()).expect(0).out
    assert tenterhook("export", "--secrets", env=env).expect(0).out == file.read_text()


def test_import_changes_only_what_differs(cli, receiver, tmp_path):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--description", "old", "--json").json
    (tmp_path / "f.yaml").write_text(f"tenants:\n  - id: default\n    endpoints:\n      - url: {target.url()}\n        description: new\n"
                                     f"      - url: {target.url()}2\n        active: false\n")
    ran = cli("import", tmp_path / "f.yaml").expect(0)
    assert "~ endpoint" in ran.out and "description" in ran.out and "+ endpoint" in ran.out
    assert cli("endpoints", "show", made["id"], "--json").json["description"] == "new"
    assert len(cli("endpoints", "--json").json["data"]) == 2


@pytest.mark.parametrize("text, word", [
    ("tenants: [", "f.yaml"), ("tenant: []", "unknown key"), ("tenants: []\nx: 1", "f.yaml:2"), ("tenants:\n  - name: x", "without id"),
    ("tenants:\n  - id: default\n    endpoints:\n      - events: []", "f.yaml:4"),
])
def test_import_says_what_is_wrong_with_a_file(cli, tmp_path, text, word):
    (tmp_path / "f.yaml").write_text(text)
    assert word in cli("import", tmp_path / "f.yaml").expect(65).err
