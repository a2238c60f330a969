"""Reads files of channels as others do, and prints what it found as JSON: `read.py KIND FILE`."""

import base64
import csv
import io
import json
import sys
import zipfile
from xml.etree import ElementTree

OFFERS = "{clr-namespace:Cdiscount.Service.OfferIntegration.Pivot;assembly=Cdiscount.Service.OfferIntegration}"
RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"


def table(delimiter):
    def read(data):
        text = data.decode("utf-8")
        assert not text.startswith("\ufeff")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        header = rows[0]
        assert all(len(row) == len(header) for row in rows), "every line has every cell"
        return [dict(zip(header, row)) for row in rows[1:]]

    return read


def archive(data):
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    return opened


def packages(data):
    opened = archive(data)
    if "[Content_Types].xml" in opened.namelist():
        return [package(data)]
    return [package(opened.read(name)) for name in opened.namelist()]


def package(data):
    opened = archive(data)
    types = ElementTree.fromstring(opened.read("[Content_Types].xml"))
    extensions = {part.get("Extension") for part in types.iter(TYPES + "Default")}
    assert extensions == {"rels", "xml"}, extensions
    (relationship,) = ElementTree.fromstring(opened.read("_rels/.rels")).iter(RELATIONSHIP)
    part = relationship.get("Target").lstrip("/")
    assert opened.namelist() == ["[Content_Types].xml", "_rels/.rels", part]
    xml = opened.read(part)
    root = ElementTree.fromstring(xml)
    assert root.tag == OFFERS + "OfferPackage", root.tag
    (collection,) = root.find(OFFERS + "OfferPackage.Offers")
    offers = [dict(offer.attrib) for offer in collection]
    assert int(collection.get("Capacity")) == len(offers)
    return {"attributes": dict(root.attrib), "offers": offers, "xml": xml.decode(), "comment": opened.comment.decode()}


def feeds(data):
    opened = archive(data)
    return {name: json.loads(opened.read(name)) for name in opened.namelist()}


def local_inventory(data):
    from google.protobuf import json_format
    from google.shopping.merchant_inventories_v1.types import InsertLocalInventoryRequest

    found = []
    for line in data.decode("utf-8").rstrip("\n").split("\n"):
        request = json_format.Parse(line, InsertLocalInventoryRequest.pb()())
        assert json_format.MessageToDict(request) == json.loads(line), "printed back as it was"
        product = request.parent.rsplit("/", 1)[1]
        product = base64.urlsafe_b64decode(product + "=" * (-len(product) % 4)).decode("utf-8")
        attributes = request.local_inventory.local_inventory_attributes
        found.append(
            {
                "account": request.parent.split("/")[1],
                "product": product,
                "storeCode": request.local_inventory.store_code,
                "availability": type(attributes).Availability.Name(attributes.availability),
                "quantity": attributes.quantity,
                "micros": attributes.price.amount_micros,
                "currency": attributes.price.currency_code,
            }
        )
    return found


KINDS = {
    "csv": table(","),
    "tsv": table("\t"),
    "semicolon": table(";"),
    "json": json.loads,
    "feeds": feeds,
    "local-inventory": local_inventory,
    "packages": packages,
}

with open(sys.argv[2], "rb") as file:
    json.dump(KINDS[sys.argv[1]](file.read()), sys.stdout)
