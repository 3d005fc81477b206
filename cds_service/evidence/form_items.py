"""Items of forms by the names we know them by, also where a site gives them its own."""

from __future__ import annotations

from cds_service.evidence import fields
from cds_service.evidence.forms import Form
from cds_service.record.model import Resource
from cds_service.terminology import promis

Items = list[tuple[str, Resource]]
"""Items of a form in reading order, each with the linkId by which we know it."""


def known_items(form: Form) -> Items:
    """Return the items of a form by the linkIds that we know."""
    return [(link_of(form, item), item) for item in form.items]


def item_answers(items: Items) -> dict[str, Resource]:
    """Return the first answer of each item by its linkId, where any item is scored by a sum."""
    if not promis.any_item(link for link, _ in items):
        return {}
    answered = ((link, fields.items(item, "answer")) for link, item in items if link)
    return {link: answers[0] for link, answers in answered if answers}


def via_item(form: Form, item: Resource) -> str | None:
    """Say which mapping of the site an item goes through; None when through none."""
    site = form.facts.terminology.site
    if site is None:
        return None
    canonical = fields.text(form.resource, "questionnaire") or ""
    return site.via_item(canonical, fields.text(item, "linkId") or "")


def via_items(form: Form) -> str | None:
    """Say which mappings the single items of a form go through; None when through none."""
    if form.facts.terminology.site is None:
        return None
    items = (item for item in form.items if promis.is_item(link_of(form, item)))
    said = (via_item(form, item) for item in items)
    return "; ".join(dict.fromkeys(one for one in said if one)) or None


def link_of(form: Form, item: Resource) -> str:
    """Return the linkId by which we know an item.

    Forms made from LOINC panels write the path of an item (/62337-1/61583-1) in place of its code.
    """
    link = fields.text(item, "linkId") or ""
    site = form.facts.terminology.site
    known = site.item(fields.text(form.resource, "questionnaire") or "", link) if site else link
    return known.rpartition("/")[2] if known.startswith("/") else known
