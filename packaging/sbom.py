#!/usr/bin/python3
"""Writes the bill of materials of the programs that are built from Cargo.lock, as CycloneDX 1.5 JSON.

    cargo metadata --locked --format-version 1 | packaging/sbom.py VERSION EPOCH [Cargo.lock] > casedrop.cdx.json

Leaves out what only tests use; includes what only one system uses. The same input gives the same bytes:
EPOCH (seconds since 1970) is the time written into it, and the serial number comes from the content.
"""

import json
import sys
import tomllib
import uuid
from datetime import datetime, timezone

NAMESPACE = uuid.UUID("c5bd8a3c-61b4-4f0e-9a7e-0d0d4f6f2a41")


def shipped(metadata):
    """Package ids that end up in the program or take part in building it, with their dependencies.

    The program's own crates are part of it rather than components; their dependencies count as its own.
    """
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    own = set(metadata["workspace_members"])

    def needs(package):
        for dep in nodes[package]["deps"]:
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
                yield from needs(dep["pkg"]) if dep["pkg"] in own else [dep["pkg"]]

    wanted, found = [metadata["resolve"]["root"]], {}
    while wanted:
        package = wanted.pop()
        if package not in found:
            found[package] = sorted(set(needs(package)))
            wanted += found[package]
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums, kind):
    entry = {
        "type": kind,
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package.get("description"):
        entry["description"] = " ".join(package["description"].split())
    if package.get("license"):
        # Cargo once wrote `MIT/Apache-2.0`; SPDX writes OR.
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def bill(metadata, lock, version, epoch):
    packages = {package["id"]: package for package in metadata["packages"]}
    checksums = {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}
    graph = shipped(metadata)
    root = metadata["resolve"]["root"]
    packages[root] = {**packages[root], "version": version}
    others = sorted((packages[id] for id in graph if id != root), key=lambda p: (p["name"], p["version"]))
    components = [component(package, checksums, "library") for package in others]
    dependencies = sorted(
        ({"ref": purl(packages[id]), "dependsOn": sorted(purl(packages[d]) for d in deps)} for id, deps in graph.items()),
        key=lambda entry: entry["ref"],
    )
    serial = uuid.uuid5(NAMESPACE, json.dumps([version, components, dependencies], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": component(packages[root], checksums, "application"),
        },
        "components": components,
        "dependencies": dependencies,
    }


def check(document):
    """The faults of a bill: whatever its readers rely on and it lacks."""
    faults = []
    refs = [entry["bom-ref"] for entry in document["components"]]
    root = document["metadata"]["component"]["bom-ref"]
    known = {root, *refs}
    if document["bomFormat"] != "CycloneDX" or document["specVersion"] != "1.5":
        faults.append("it is not CycloneDX 1.5")
    if len(known) != len(refs) + 1:
        faults.append("a component stands in it twice")
    for entry in document["components"]:
        if not entry.get("hashes") or len(entry["hashes"][0]["content"]) != 64:
            faults.append(f"{entry['bom-ref']} has no SHA-256")
        if not entry.get("licenses"):
            faults.append(f"{entry['bom-ref']} names no licence")
    listed = {entry["ref"] for entry in document["dependencies"]}
    if listed != known:
        faults.append(f"dependencies of {sorted(listed ^ known)} are not told")
    for entry in document["dependencies"]:
        faults += [f"{entry['ref']} needs {d}, which is not listed" for d in entry["dependsOn"] if d not in known]
    return faults


def main():
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as file:
            document = json.load(file)
        faults = check(document)
        print("\n".join(faults) or f"{len(document['components'])} components")
        return 1 if faults else 0
    version, epoch = sys.argv[1], int(sys.argv[2])
    with open(sys.argv[3] if len(sys.argv) > 3 else "Cargo.lock", "rb") as file:
        lock = tomllib.load(file)
    json.dump(bill(json.load(sys.stdin), lock, version, epoch), sys.stdout, indent=1, sort_keys=True)
    print()
    return 0


sys.exit(main())
