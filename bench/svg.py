"""A drawing as it can stand inside a page: its looks are the page's. Pure; knows no drawing library.

What a drawing library writes brings its own style sheet, style attributes, fonts and colours. A page with a strict policy heeds no style
attribute, and a reader may prefer dark: so style attributes become plain ones, fonts are left to the page, and a colour becomes a
variable of the page's sheet.
"""

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SIZE = re.compile(r"[0-9.]+px")


def inline(drawing: str, *, key: str, label: str, colours: Mapping[str, str]) -> str:
    """`drawing`: of a trusted drawing library; `key`: makes its ids the only ones of a page; `label`: for those who do not see it;
    `colours`: by hex code, what stands in its place."""
    root = ET.fromstring(drawing)  # noqa: S314 - not from outside
    for parent in list(root.iter()):
        for child in list(parent):
            if _name(child) in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        _plain(element, colours)
    _rename_ids(root, key)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label, "class": "chart"}
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _plain(element: ET.Element, colours: Mapping[str, str]) -> None:
    """The style as attributes of their own. The font's family is left out: it is the page's."""
    for name, value in _declarations(element.attrib.pop("style", "")):
        if name == "font":
            size = _SIZE.search(value)
            if size is not None:
                element.set("font-size", size[0])
        elif name != "font-family":
            element.set(name, value)
    for name in ("fill", "stroke"):
        colour = element.get(name)
        if colour is not None:
            element.set(name, colours.get(colour, colour))


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _rename_ids(root: ET.Element, key: str) -> None:
    """Ids that nothing refers to go, for two drawings of a page have the same ones."""
    links = f"{{{_XLINK}}}href"
    for element in root.iter():
        if (link := element.attrib.pop(links, None)) is not None:
            element.set("href", f"#{key}-{link.removeprefix('#')}")
        for name, value in element.items():
            element.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", value))
    used = {target for element in root.iter() for value in element.attrib.values() for target in _targets(value)}
    for element in root.iter():
        if (own := element.attrib.pop("id", None)) is not None and f"{key}-{own}" in used:
            element.set("id", f"{key}-{own}")


def _targets(value: str) -> list[str]:
    return [value[1:]] if value.startswith("#") else _REFERENCE.findall(value)


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
