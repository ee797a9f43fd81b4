"""A plan as manifests: a claim for the weights, a deployment with probes, and a service inside the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator

from landline.planner.outcome import Plan
from landline.planner.served import CACHE_FOLDER, IMAGE, MODEL_FOLDER, TEMPLATE_FOLDER, fetching, in_container
from landline.planner.text import commented, described
from landline.planner.vllm_line import PORT

# A service named vllm would set VLLM_PORT in its namespace, which vLLM reads as its own setting and dies of.
NAME = "model-server"
TEMPLATE_MAP = "model-server-template"
_LEAST_CLAIM_GIB = 50


def as_kubernetes(plan: Plan, *, explain: bool) -> str:
    head = [commented(described(plan, explain=explain)), *_before(plan), ""]
    return "\n".join([*head, *_claim(plan), "---", *_deployment(plan), "---", *_service()])


def _before(plan: Plan) -> Iterator[str]:
    yield "#"
    yield "# The service has no key: whoever reaches it in the cluster may use it. Put landline in front of it."
    if plan.template is not None:
        yield "# Before it is applied:"
        yield from (f"#   {line}" for line in fetching(plan.template))
        yield f"#   kubectl create configmap {TEMPLATE_MAP} --from-file={plan.template.name}"


def _claim(plan: Plan) -> Iterator[str]:
    weights = next(one.value for one in plan.numbers if one.name == "weights per card") * plan.cards
    size = max(_LEAST_CLAIM_GIB, int(weights * 1.3 / 10 + 1) * 10)
    yield from ("apiVersion: v1", "kind: PersistentVolumeClaim", "metadata:", f"  name: {NAME}-weights", "spec:")
    yield from ("  accessModes: [ReadWriteOnce]", "  resources:", "    requests:", f"      storage: {size}Gi")


def _deployment(plan: Plan) -> Iterator[str]:
    inside = in_container(plan)
    yield from ("apiVersion: apps/v1", "kind: Deployment", "metadata:", f"  name: {NAME}", "spec:", "  replicas: 1")
    yield from ("  strategy:", "    type: Recreate  # there are no cards for two at once")
    yield from ("  selector:", "    matchLabels:", f"      app: {NAME}")
    yield from ("  template:", "    metadata:", "      labels:", f"        app: {NAME}")
    yield from (
        "    spec:",
        "      enableServiceLinks: false",
        "      containers:",
        f"        - name: {NAME}",
        f"          image: {IMAGE}:v{plan.release}",
    )
    yield from ('          command: ["vllm", "serve"]', "          args:")
    yield from (f"            - {quoted(word)}" for word in inside.arguments)
    yield from _environment(plan)
    yield from ("          ports:", f"            - containerPort: {PORT}")
    yield from ("          resources:", "            limits:", f'              nvidia.com/gpu: "{plan.cards}"')
    yield from _probe("startupProbe", period_s=10, failures=720)
    yield from _probe("readinessProbe", period_s=5, failures=2)
    yield from _probe("livenessProbe", period_s=20, failures=6)
    yield from _volumes(plan, inside.folder)


def _environment(plan: Plan) -> Iterator[str]:
    yield "          env:"
    for one in plan.environment:
        yield from (f"            - name: {one.name}", f"              value: {quoted(one.value)}")
    yield from ("            - name: HF_HOME", f"              value: {CACHE_FOLDER}")
    yield from ("            - name: HF_TOKEN", "              valueFrom:", "                secretKeyRef:")
    yield from (
        "                  name: huggingface",
        "                  key: token",
        "                  optional: true",
    )


def _probe(name: str, *, period_s: int, failures: int) -> Iterator[str]:
    yield from (
        f"          {name}:",
        "            httpGet:",
        "              path: /health",
        f"              port: {PORT}",
    )
    yield from (f"            periodSeconds: {period_s}", "            timeoutSeconds: 5")
    yield f"            failureThreshold: {failures}"


def _volumes(plan: Plan, folder: str) -> Iterator[str]:
    mounts = [("weights", CACHE_FOLDER), ("shm", "/dev/shm")]  # noqa: S108 (a mount in the container)
    sources = [
        f"        - name: weights\n          persistentVolumeClaim:\n            claimName: {NAME}-weights",
        "        - name: shm\n          emptyDir:\n            medium: Memory\n            sizeLimit: 16Gi",
    ]
    if folder:
        mounts.append(("model", MODEL_FOLDER))
        sources.append(f"        - name: model\n          hostPath:\n            path: {quoted(folder)}")
    if plan.template is not None:
        mounts.append(("template", TEMPLATE_FOLDER))
        sources.append(f"        - name: template\n          configMap:\n            name: {TEMPLATE_MAP}")
    yield "          volumeMounts:"
    for name, path in mounts:
        yield from (f"            - name: {name}", f"              mountPath: {path}")
    yield "      volumes:"
    yield from sources


def _service() -> Iterator[str]:
    yield from ("apiVersion: v1", "kind: Service", "metadata:", f"  name: {NAME}", "spec:", "  selector:")
    yield from (f"    app: {NAME}", "  ports:", f"    - port: {PORT}", f"      targetPort: {PORT}")


def quoted(word: str) -> str:
    """Kubernetes fills in $(NAME): a dollar is written twice. JSON's strings are YAML's."""
    return json.dumps(word.replace("$(", "$$("), ensure_ascii=False)
