"""Every value in YAML, JSON and Terraform files, one a line with the way to it: what other people's parsers see in them."""

import json
import sys

import hcl2
import yaml


class Loader(yaml.SafeLoader):
    """Short tags of CloudFormation's functions are read as mappings."""


def tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", tagged)


def leaves(way, value):
    if isinstance(value, dict):
        for key, inner in value.items():
            leaves(f"{way}/{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            leaves(f"{way}/{index}", inner)
    else:
        print(f"{way} = {value!r}")


for name in sys.argv[1:]:
    with open(name, encoding="utf-8", newline="") as file:
        if name.endswith((".tf", ".tfvars")):
            leaves(name, hcl2.load(file))
        elif name.endswith(".json"):
            leaves(name, json.load(file))
        else:
            leaves(name, yaml.load(file, Loader))
