"""An IMS content package: a zip with a manifest, the same bytes for the same questions."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

CONTENT = "http://www.imsglobal.org/xsd/imscp_v1p1"
SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
register_namespace("xsi", SCHEMA_INSTANCE)


@dataclass(frozen=True)
class Resource:
    """A file of the package, its type as the manifest names it, and the resources that it refers to."""

    identifier: str
    type: str
    path: str
    content: bytes
    needs: tuple[str, ...] = ()


def document(root: Element, namespace: str, schema: str) -> bytes:
    """The element with its namespace and the address of its schema, as a file."""
    root.set("xmlns", namespace)
    root.set(f"{{{SCHEMA_INSTANCE}}}schemaLocation", f"{namespace} {schema}")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="utf-8")


def packed(identifier: str, resources: Sequence[Resource], schema: tuple[str, str] | None = None) -> bytes:
    """The package. schema: what the manifest says of its metadata, name and version."""
    manifest = Element("manifest", identifier=identifier)
    metadata = SubElement(manifest, "metadata")
    for name, value in zip(("schema", "schemaversion"), schema or ()):
        SubElement(metadata, name).text = value
    SubElement(manifest, "organizations")
    listed = SubElement(manifest, "resources")
    for resource in resources:
        entry = SubElement(listed, "resource", identifier=resource.identifier, type=resource.type, href=resource.path)
        SubElement(entry, "file", href=resource.path)
        for needed in resource.needs:
            SubElement(entry, "dependency", identifierref=needed)
    files = {"imsmanifest.xml": document(manifest, CONTENT, f"{CONTENT}.xsd")}
    return _zipped(files | {resource.path: resource.content for resource in resources})


def _zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)  # its date is 1980, so that nothing depends on the clock
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()
