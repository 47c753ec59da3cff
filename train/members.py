#!/usr/bin/env python3
"""Takes a network that `fer-train join --as-int8` wrote apart: its members, each on floats with a manifest of its own.

    members.py models/fer.yaml FOLDER      writes FOLDER/NAME-1.onnx, NAME-1.yaml, NAME-2.onnx ...

Weights are those that 8 bits could hold, activations are no longer rounded; `fer-train join --as-int8` rounds the
weights to the very same numbers again. Needs the packages onnx and numpy.
"""

import argparse
import hashlib
import pathlib
import re

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Whole:
    """The joined network."""

    def __init__(self, path):
        self.model = onnx.load(path)
        self.graph = self.model.graph
        self.constants = {constant.name: numpy_helper.to_array(constant) for constant in self.graph.initializer}
        self.makers = {output: node for node in self.graph.node for output in node.output}

    def members(self):
        """The names of the members' logits."""
        last = self.makers[self.graph.output[0].name]
        if last.op_type != "Mean":
            raise SystemExit(f"the last node is {last.op_type}; expected Mean, which `fer-train join` writes")
        return list(last.input)

    def nodes_of(self, logits):
        """The nodes that these logits are made by, in the file's order."""
        needed, left = set(), [logits]
        while left:
            node = self.makers.get(left.pop())
            if node is not None and id(node) not in needed:
                needed.add(id(node))
                left.extend(node.input)
        return [node for node in self.graph.node if id(node) in needed]

    def weight(self, node):
        """What DequantizeLinear makes of a constant."""
        values, scale, zero = (self.constants[name] for name in node.input)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        shape = [1] * values.ndim
        if scale.ndim > 0:
            shape[axis] = -1
        return ((values.astype(np.float32) - zero.astype(np.float32).reshape(shape)) * scale.reshape(shape)).astype(np.float32)

    def member(self, logits):
        """One member as a network of its own."""
        same, weights, kept = {}, {}, []
        for node in self.nodes_of(logits):
            if node.op_type == "QuantizeLinear":
                same[node.output[0]] = node.input[0]
            elif node.op_type == "DequantizeLinear" and node.input[0] in self.constants:
                weights[node.output[0]] = self.weight(node)
            elif node.op_type == "DequantizeLinear":
                same[node.output[0]] = node.input[0]
            else:
                kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
        for node in kept:
            for index, name in enumerate(node.input):
                while name in same:
                    name = same[name]
                node.input[index] = name
            node.output[:] = [self.graph.output[0].name if name == logits else name for name in node.output]
        used = {name for node in kept for name in node.input}
        weights |= {name: value for name, value in self.constants.items() if name in used}
        constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        graph = helper.make_graph(kept, self.graph.name, self.graph.input, self.graph.output, constants)
        model = helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        model.producer_name = self.model.producer_name
        onnx.checker.check_model(model)
        return model.SerializeToString()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    manifest = arguments.manifest.read_text()
    field = lambda key: re.search(rf"(?m)^{key}: (.+)$", manifest)[1]
    whole = Whole(arguments.manifest.with_name(field("file")))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    # "mean of 2: A (sha256 …), trained …; B (sha256 …), trained …"
    sources = field("source").strip("'").partition(": ")[2].split("; ")
    for number, logits in enumerate(whole.members(), 1):
        data = whole.member(logits)
        name = f"{field('name')}-{number}"
        (arguments.folder / f"{name}.onnx").write_bytes(data)
        own = manifest
        for key, value in (("name", name), ("file", f"{name}.onnx"), ("sha256", hashlib.sha256(data).hexdigest())):
            own = re.sub(rf"(?m)^{key}: .+$", f"{key}: {value}", own)
        # What was fitted to the whole and measured of it is not of a member; `join` fits a temperature anew.
        own = re.sub(r"(?m)^  temperature: .+$", "  temperature: 1.0  # none was fitted to this member", own)
        own = re.sub(r"(?ms)^metrics:.*?(?=^[a-z]|\Z)", "", own)
        own = re.sub(r"(?m)^source: .+$", lambda _: f"source: '8 bits a weight of {sources[number - 1]}'", own)
        (arguments.folder / f"{name}.yaml").write_text(own)
        print(f"{name}.onnx: {len(data)} bytes")


if __name__ == "__main__":
    main()
