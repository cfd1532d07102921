#!/usr/bin/python3
"""Checks an RO-Crate by SHACL shapes that others publish, with Apache Jena's validator; no network.

validate.py CRATE SHAPES CONTEXT: SHAPES is a directory of Turtle files, CONTEXT the document that the crate's @context names.
It prints a line for each error: the entity, and the message of its shape. Status 1 if there is any, 2 if
nothing could be checked.

First it applies the rules of the shapes (SHACL Advanced Features, sh:TripleRule), which Jena lacks: they only add types to
entities. It leaves out a rule with a condition.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import rdflib
from rdflib.namespace import OWL, RDF, RDFS, SH
from rdflib.plugins.sparql import prepareQuery

CRATE = "file:///crate/"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"
JENA = ["arq", "base", "core", "iri", "shacl", "cmds"]
BESIDE = ["commons-cli", "commons-codec", "commons-compress", "commons-csv", "commons-io", "commons-lang3", "dexx.collection",
          "guava", "jackson-core", "jackson-databind", "jackson-annotations", "jsonld-java", "slf4j-api",
          "slf4j-nop", "protobuf", "thrift", "titanium-json-ld", "gson", "jakarta.json-api"]


def read_crate(path, context):
    """Returns the graph of the metadata, without fetching its context."""
    with open(os.path.join(path, "ro-crate-metadata.json"), encoding="utf-8") as f:
        metadata = json.load(f)
    with open(context, encoding="utf-8") as f:
        words = json.load(f)["@context"]
    if metadata["@context"] != CONTEXT:
        sys.exit(f"validate.py: the context is {metadata['@context']}, and not {CONTEXT}")
    metadata["@context"] = words
    return rdflib.Graph().parse(data=json.dumps(metadata), format="json-ld", base=CRATE, publicID=CRATE)


def read_shapes(directory):
    shapes = rdflib.Graph()
    for name in sorted(glob.glob(os.path.join(directory, "**", "*.ttl"), recursive=True)):
        shapes.parse(name, format="turtle", publicID=CRATE)
    # (some queries use the prefixes of their file, which its authors' validator allows)
    used = {word for text in shapes.objects(None, SH.select) for word in re.findall(r"\b([a-z-]+):", text)}
    for owner in set(shapes.subjects(SH.declare)):
        declared = {str(shapes.value(one, SH.prefix)) for one in shapes.objects(owner, SH.declare)}
        for prefix, namespace in shapes.namespaces():
            if prefix in used - declared:
                one = rdflib.BNode()
                shapes.add((owner, SH.declare, one))
                shapes.add((one, SH.prefix, rdflib.Literal(prefix)))
                shapes.add((one, SH.namespace, rdflib.Literal(namespace, datatype=rdflib.XSD.anyURI)))
    return shapes


def prepare(shapes):
    """Returns the queries for the targets of rules, by target: rdflib is slow to read one."""
    found = {}
    for target in {t for shape in shapes.subjects(SH.rule) for t in shapes.objects(shape, SH.target)}:
        prefixes = {str(shapes.value(one, SH.prefix)): str(shapes.value(one, SH.namespace))
                    for owner in shapes.objects(target, SH.prefixes) for one in shapes.objects(owner, SH.declare)}
        found[target] = prepareQuery(str(shapes.value(target, SH.select)), initNs=prefixes)
    return found


def targets(shapes, queries, data, shape):
    """Returns the entities that a shape is about."""
    found = set()
    for cls in shapes.objects(shape, SH.targetClass):
        found.update(data.subjects(RDF.type, cls))
    for way in shapes.objects(shape, SH.targetObjectsOf):
        found.update(data.objects(None, way))
    for target in shapes.objects(shape, SH.target):
        found.update(row[0] for row in data.query(queries[target]))
    return found


def apply_rules(shapes, data):
    """Repeats until nothing is new."""
    queries, size = prepare(shapes), -1
    while size != len(data):
        size = len(data)
        for shape, rule in shapes.subject_objects(SH.rule):
            if (rule, SH.condition, None) in shapes:
                continue
            for this in targets(shapes, queries, data, shape):
                triple = [this if part == SH.this else part for part in
                          (shapes.value(rule, SH[p]) for p in ("subject", "predicate", "object"))]
                if not isinstance(triple[0], rdflib.Literal):
                    data.add(triple)


def jars(work):
    """Returns the class path. Debian's package lacks a file with Jena's error messages, without which Jena does not start."""
    words = os.path.join(work, "xerces/impl/xpath/regex")
    os.makedirs(words)
    with open(os.path.join(words, "message.properties"), "w", encoding="ascii"):
        pass
    return ":".join([work] + [f"/usr/share/java/{j}.jar" for j in [f"jena-{n}" for n in JENA] + BESIDE])


def validate(shapes, data):
    with tempfile.TemporaryDirectory() as work:
        for name, graph in (("shapes", shapes), ("data", data)):
            graph.serialize(os.path.join(work, name + ".nt"), format="nt", encoding="utf-8")
        done = subprocess.run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", jars(work), "shacl.shacl", "validate", "--shapes",
                               work + "/shapes.nt", "--data", work + "/data.nt"], stdout=subprocess.PIPE, check=False, timeout=120)
    report = rdflib.Graph()
    report.parse(data=done.stdout, format="turtle")
    if (None, SH.conforms, None) not in report:
        sys.exit("validate.py: the validator gave no report")
    return report


def main():
    crate, directory, context = sys.argv[1:]
    shapes, data = read_shapes(directory), read_crate(crate, context)
    if len(shapes) == 0:
        sys.exit("validate.py: there are no shapes")
    for triple in shapes.triples((None, RDFS.subClassOf, None)):
        data.add(triple)
    for one, same in shapes.subject_objects(OWL.equivalentClass):
        for this in list(data.subjects(RDF.type, one)):
            data.add((this, RDF.type, same))
    apply_rules(shapes, data)
    report, lines = validate(shapes, data), set()
    for result in report.subjects(RDF.type, SH.ValidationResult):
        entity = str(report.value(result, SH.focusNode)).replace(CRATE, "")
        lines.add(f"{entity or './'}: {' '.join(str(report.value(result, SH.resultMessage)).split())}")
    print("\n".join(sorted(lines)))
    sys.exit(1 if lines else 0)


main()
