"""The Helm chart, rendered and linted by Helm's own packages and read strictly by Kubernetes' own types (test/verifiers/go/chart). The first time
that program takes minutes to compile: `make chart` does it, and without it these tests are skipped."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from harness.command import tenterhook
from harness.server import ROOT

CHART = ROOT / "packaging" / "helm" / "tenterhook"
PROGRAM = os.environ.get("TENTERHOOK_CHART") or str(ROOT / "build" / "chart" / "chart")
helm = pytest.mark.skipif(not os.path.exists(PROGRAM), reason=f"{PROGRAM} is not built (make chart)")

SHARED = ["store.kind=postgres", "store.address=postgres://t@db:5432/t", "replicas=3", "secrets.storePassword=password"]
EVERYTHING = SHARED + ["secrets.tracesHeaders=headers", "config.event_types.validate=refuse", "ingress.enabled=true", "ingress.host=hooks.example.com", "ingress.tlsSecret=tls",
                       "serviceMonitor.enabled=true", "config.retention=7d", "config.traces.endpoint=http://collector:4318",
                       "nodeSelector.disk=fast", "store.lease=20s", "image.pullSecrets={registry}", "podAnnotations.team=hooks", "podLabels.tier=backend",
                       "priorityClassName=high", "service.annotations.of=service", "ingress.annotations.of=ingress"]


def run(what, *values, chart=CHART):
    return subprocess.run([PROGRAM, what, str(chart), *values], capture_output=True, text=True, timeout=60)


def render(*values):
    made = run("render", *values)
    assert made.returncode == 0, made.stderr
    return {f"{d['kind']}": d for d in yaml.safe_load_all(made.stdout) if d}


@helm
@pytest.mark.parametrize("values", [[], SHARED, EVERYTHING, SHARED + ["autoscaling.enabled=true"]])
def test_it_is_linted_and_its_configuration_is_one(values, tmp_path):
    linted = run("lint", *values)
    assert linted.returncode == 0, linted.stdout
    objects = render(*values)
    (tmp_path / "c.yaml").write_text(objects["ConfigMap"]["data"]["tenterhook.yaml"])
    (tmp_path / "password").write_text("secret")
    checked = tenterhook("config", "check", "--config", str(tmp_path / "c.yaml"), env={"TENTERHOOK_STORE_PASSWORD_FILE": str(tmp_path / "password")})
    assert checked.status == 0, checked.err


@helm
@pytest.mark.parametrize("values", [[], EVERYTHING])
def test_the_pod_may_nothing_that_it_does_not_need(values):
    objects = render(*values)
    pod = (objects.get("Deployment") or objects["StatefulSet"])["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] is False and {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    # secrets are files of a Secret that exists, never values
    assert container["env"] and all("value" in e and e["value"].startswith("/run/secrets/") for e in container["env"])
    assert [v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v] == ["tenterhook"]
    blocked = objects["NetworkPolicy"]["spec"]["egress"][1]["to"][0]["ipBlock"]["except"]
    assert "169.254.0.0/16" in blocked and "10.0.0.0/8" in blocked
    assert pod["terminationGracePeriodSeconds"] > 30


@helm
def test_one_pod_with_sqlite_several_with_postgres():
    one, several = render(), render(*EVERYTHING)
    assert one["StatefulSet"]["spec"]["replicas"] == 1 and one["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert "PodDisruptionBudget" not in one and "Deployment" not in one
    assert several["Deployment"]["spec"]["replicas"] == 3 and several["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert several["ServiceMonitor"]["spec"]["endpoints"][0]["path"] == "/metrics"
    assert yaml.safe_load(several["ConfigMap"]["data"]["tenterhook.yaml"])["store"] == {
        "address": "postgres://t@db:5432/t", "lease": "20s", "share": "on"}
    scaled = render(*SHARED, "autoscaling.enabled=true")
    assert "replicas" not in scaled["Deployment"]["spec"] and scaled["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 6


@helm
@pytest.mark.parametrize("values,words", [(["replicas=2"], "postgres"), (["store.kind=mysql"], "sqlite or postgres"),
                                          (["store.kind=postgres"], "store.address is missing"),
                                          (["store.kind=postgres", "store.address=postgres://a:b@c/d"], "must not have a password")])
def test_what_cannot_work_is_refused_with_the_reason(values, words):
    made = run("render", *values)
    assert made.returncode == 1 and words in made.stderr


@helm
@pytest.mark.parametrize("value", ["replica=2", "store.kin=sqlite", "replicas=two", "service.port=0", "networkPolicy.except={nothing}", "store.size=10"])
def test_a_value_that_is_none_is_refused(value):
    made = run("render", value)
    assert made.returncode == 1 and value.partition("=")[0].rpartition(".")[2] in made.stderr, made.stderr


@helm
def test_what_is_set_of_pods_is_there():
    objects = render(*EVERYTHING)
    template = objects["Deployment"]["spec"]["template"]
    assert template["metadata"]["annotations"]["team"] == "hooks" and template["metadata"]["labels"]["tier"] == "backend"
    assert template["spec"]["imagePullSecrets"] == [{"name": "registry"}] and template["spec"]["priorityClassName"] == "high"
    assert template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert objects["Service"]["metadata"]["annotations"] == {"of": "service"} and objects["Ingress"]["metadata"]["annotations"] == {"of": "ingress"}


def test_every_value_has_its_place_in_schema_and_readme():
    values, schema = yaml.safe_load((CHART / "values.yaml").read_text()), json.loads((CHART / "values.schema.json").read_text())
    readme = (CHART / "README.md").read_text()

    def compare(values, schema, path):
        if "properties" not in schema:
            return
        assert set(values) == set(schema["properties"]) - {"global"}, path
        for name, value in values.items():
            assert f"`{path}{name}`" in readme or f"`.{name}`" in readme or (isinstance(value, dict) and f"`{path}{name}." in readme), path + name
            if isinstance(value, dict):
                compare(value, schema["properties"][name], f"{path}{name}.")
    compare(values, schema, "")


@helm
def test_a_misspelt_field_is_found(tmp_path):
    chart = tmp_path / "tenterhook"
    shutil.copytree(CHART, chart)
    helpers = pathlib.Path(chart / "templates" / "_helpers.tpl")
    helpers.write_text(helpers.read_text().replace("runAsNonRoot", "runAsNonRoott"))
    made = run("render", chart=chart)
    assert made.returncode == 1 and "runAsNonRoott" in made.stderr


@helm
def test_the_compose_file_is_what_docker_compose_takes(tmp_path):
    """By compose's own package."""
    program, file = pathlib.Path(PROGRAM).with_name("compose"), ROOT / "packaging" / "image" / "compose.yaml"
    made = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert made.returncode == 0 and made.stderr == "", made.stderr
    service = yaml.safe_load(made.stdout)["services"]["tenterhook"]
    assert service["read_only"] and service["ports"][0]["host_ip"] == "127.0.0.1" and service["depends_on"]["database"]["condition"] == "service_healthy"
    for wrong, word in (("read_only:", "readonly:"), ("secrets: [admin_key,", "secrets: [admin_keys,")):
        text = file.read_text()
        assert wrong in text
        (tmp_path / "compose.yaml").write_text(text.replace(wrong, word))
        made = subprocess.run([program, tmp_path / "compose.yaml"], capture_output=True, text=True, check=False)
        assert made.returncode == 1 and made.stderr, word


def test_versions_agree():
    """Of the program, the chart, the compose file, the changelogs, the clients and the API's description."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tenterhook("version").out.split()[1]
    assert chart["appVersion"] == chart["version"] == version
    compose = yaml.safe_load((ROOT / "packaging" / "image" / "compose.yaml").read_text())
    service = compose["services"]["tenterhook"]
    assert service["image"] == f"tenterhook:{version}"
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert re_version() == version
    said = {"packaging/debian/changelog": r"^tenterhook \((\S+)\)", "clients/python/pyproject.toml": r'^version = "(\S+)"', "clients/java/pom.xml": r"<version>(\S+?)</version>",
            "clients/typescript/package.json": r'"version": "(\S+)"', "clients/openapi.json": r'"version": "(\S+)"', "packaging/bridge/tenterhook-bridge.1": r'"Tenterhook (\S+)"'}
    for file, pattern in said.items():
        assert re.search(pattern, (ROOT / file).read_text(), re.M)[1] == version, file


def test_the_changelog_is_one():
    """A heading for each version, the newest first, in the numbers of SemVer; each with something in it."""
    parts = re.split(r"^## (.*)\n", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1:]
    versions = [tuple(int(n) for n in re.fullmatch(r"(\d+)\.(\d+)\.(\d+)( \(.*\))?", head).groups()[:3]) for head in parts[::2]]
    assert versions and versions == sorted(set(versions), reverse=True)
    assert all(re.search(r"^### (New|Changed|Mended|Take care)\n\n- ", part, re.M) for part in parts[1::2])


def re_version():
    """Of the newest entry of the changelog."""
    line = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    return line.split()[1]
