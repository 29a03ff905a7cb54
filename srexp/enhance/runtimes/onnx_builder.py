"""An ONNX graph that grows node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.lazy_imports import onnx


class Graph:
    """Nodes and weights of an ONNX graph that grows."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.extended: dict[str, tuple[str, npt.NDArray[np.int64]]] = {}

    def add(self, kind: str, *inputs: str, into: str = "", **attributes: Any) -> str:
        """Add a node; gives the name of its output."""
        name = into or f"{kind.lower()}_{len(self.nodes)}"
        node = onnx.helper.make_node(kind, list(inputs), [name], name=f"node_{len(self.nodes)}", **attributes)
        self.nodes.append(node)
        return name

    def weight(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant; gives its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.ascontiguousarray(np.asarray(values, dtype)), name))
        return name

    def needed(self, output: str) -> list[Any]:
        """Give the nodes that the output depends on, in order."""
        wanted, kept = {output}, []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted |= set(node.input)
                kept.append(node)
        return kept[::-1]
