#!/usr/bin/env python3
"""Trims the published definitions of the Kubernetes API to what the manifest of a batch/v1 Job can hold, for the check of
manifests in train/sweep: no descriptions, no status, no probes; every other key is refused.

    scripts/job_schema.py DEFINITIONS >train/sweep/testdata/job.schema.json

DEFINITIONS is kubernetes-json-schema/v1.37.0-local-strict/_definitions.json of kubernetes-validate 1.37.0 (PyPI), which is
Kubernetes' own api/openapi-spec/swagger.json as a JSON schema.
"""

import json
import sys

# What no manifest of ours has a use for, with all that hangs on it.
DROPPED = {
    "Job": {"status"},
    "JobSpec": {"scheduling", "managedBy", "manualSelector", "selector", "successPolicy"},
    "ObjectMeta": {"managedFields", "ownerReferences", "creationTimestamp", "deletionTimestamp", "uid", "resourceVersion", "selfLink", "generation"},
    "PodSpec": {
        "affinity", "initContainers", "ephemeralContainers", "topologySpreadConstraints", "securityContext", "evictionResponders",
        "resourceClaims", "schedulingGates", "schedulingGroup", "readinessGates", "hostAliases", "dnsConfig", "os", "workloadRef",
    },
    "Container": {
        "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "securityContext", "resizePolicy", "restartPolicyRules",
        "envFrom", "ports", "volumeDevices",
    },
    "EnvVar": {"valueFrom"},
    "ResourceRequirements": {"claims"},
}
VOLUMES = {"name", "persistentVolumeClaim", "hostPath", "nfs", "emptyDir"}

# Values and keys that the API server asks for, of which the published definitions only speak (k8s.io/api/batch/v1 and
# core/v1, types.go).
VALUES = {
    ("JobSpec", "completionMode"): ["Indexed", "NonIndexed"],
    ("JobSpec", "podReplacementPolicy"): ["Failed", "TerminatingOrFailed"],
    ("PodFailurePolicyRule", "action"): ["Count", "FailIndex", "FailJob", "Ignore"],
    ("PodFailurePolicyOnExitCodesRequirement", "operator"): ["In", "NotIn"],
    ("PodSpec", "restartPolicy"): ["Never", "OnFailure"],
}
REQUIRED = {"Job": ["apiVersion", "kind", "metadata", "spec"], "PodSpec": ["containers", "restartPolicy"], "Container": ["image", "name"]}


def short(reference):
    return reference.rsplit("/", 1)[1].rsplit(".", 1)[1]


def trim(node, name=""):
    """A definition with what is kept of it."""
    if "$ref" in node:
        return {"$ref": "#/definitions/" + short(node["$ref"])}
    if "oneOf" in node:
        return {"type": ["number", "string"]}
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next(k for k in kind if k != "null")
    out = {"type": kind}
    if "enum" in node:
        out["enum"] = [v for v in node["enum"] if v is not None]
    if "items" in node:
        out["items"] = trim(node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = trim(node["additionalProperties"])
    elif kind == "object":
        kept = {k: trim(v) for k, v in node.get("properties", {}).items() if k not in DROPPED.get(name, ())}
        if name == "Volume":
            kept = {k: v for k, v in kept.items() if k in VOLUMES}
        for key, value in kept.items():
            if (name, key) in VALUES:
                value["enum"] = VALUES[name, key]
        out.update(properties=kept, additionalProperties=False)
        out["required"] = sorted({*node.get("required", ()), *REQUIRED.get(name, ())})
    return out


def references(node):
    """The names of the definitions that a node refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1]
        for value in node.values():
            yield from references(value)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        published = json.load(f)["$defs"]
    parts = ("io.k8s.api.batch.v1.", "io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.")
    definitions = {k.rsplit(".", 1)[1]: v for k, v in published.items() if k.startswith(parts)}
    kept, missing = {}, ["Job"]
    while missing:
        name = missing.pop()
        if name not in kept:
            kept[name] = trim(definitions[name], name)
            missing.extend(references(kept[name]))
    lines = (f'  "{name}": {json.dumps(kept[name], sort_keys=True)}' for name in sorted(kept))
    print('{\n "$ref": "#/definitions/Job",\n "definitions": {\n' + ",\n".join(lines) + "\n }\n}")


main()
