"""Members and coverages: who is told what, and which calls are refused."""

import copy

import pytest

from tests.crd import ehr
from tests.crd.rules import breaches, information_of, part, parts, text_of
from tests.hook_calls import assert_outcome

OUTAGE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "timeout"}],
}
PAYORS = "https://massage-cds.example.org/fhir/identifier/payor"


def refused(body, status, *words):
    answer = (
        ehr.app().test_client().post("/cds-services/order-sign-crd", json=body, base_url=ehr.HOST)
    )
    return assert_outcome(answer, status, *words)


def body_of(name, found=None, change=None, **prefetch):
    body = ehr.request_of(name)
    if change:
        change(body["context"]["draftOrders"]["entry"][0]["resource"])
    body["prefetch"] = ehr.prefetch_of(ehr.resources(name) if found is None else found) | prefetch
    return body


def without(name, kind):
    return [one for one in ehr.resources(name) if one["resourceType"] != kind]


def paid_by(name, value, display="Some payer"):
    """Return a record whose coverage is of another payor."""
    found = ehr.resources(name)
    for one in found:
        if one["resourceType"] == "Coverage":
            identifier = {"system": PAYORS, "value": value}
            one["payor"] = [{"identifier": identifier, "display": display}]
    return found


def second_coverage(name="cca-01", payor="KFHPWA"):
    (first,) = ehr.resources(name, "Coverage")
    return {
        **first,
        "id": "second",
        "order": 2,
        "payor": [{"identifier": {"system": PAYORS, "value": payor}, "display": "Second"}],
        "class": [{"type": {"coding": [{"code": "plan"}]}, "value": "KFHPWA-CORE"}],
    }


def named(*references):
    def change(order):
        order["insurance"] = [{"reference": one} for one in references]

    return change


def sign_beside(body, change):
    """Let a body sign a second order, like the first but for a change."""
    entry = copy.deepcopy(body["context"]["draftOrders"]["entry"][0])
    entry["resource"]["id"] = "beside"
    change(entry["resource"])
    body["context"]["draftOrders"]["entry"].append(entry)


def unnamed(order):
    order.pop("insurance", None)


class TestSeveralCoverages:
    FOUND = property(lambda self: [*ehr.resources("cca-01"), second_coverage()])

    def test_those_that_the_order_names_count_with_one_repetition_each(self):
        change = named("Coverage/cca-01-coverage-1", "Coverage/second")
        answer = ehr.call(body_of("cca-01", self.FOUND, change))
        first, second = ehr.information(answer)
        about = [part(one, "coverage")["reference"] for one in (first, second)]
        assert about == ["Coverage/cca-01-coverage-1", "Coverage/second"]
        ids = {part(one, "coverage-assertion-id") for one in (first, second)}
        assert len(ids) == 2

    def test_one_that_the_order_names_counts_alone(self):
        answer = ehr.call(body_of("cca-01", self.FOUND, named("Coverage/second")))
        assert part(ehr.only(answer), "coverage") == {"reference": "Coverage/second"}

    def test_several_and_none_named_is_refused(self):
        refused(body_of("cca-01", self.FOUND, unnamed), 400, "several active coverages")

    def test_one_active_among_lapsed_ones_needs_no_name(self):
        lapsed = second_coverage() | {"status": "cancelled"}
        found = [*ehr.resources("cca-01"), lapsed]
        answer = ehr.call(body_of("cca-01", found, unnamed))
        assert part(ehr.only(answer), "coverage")["reference"] == "Coverage/cca-01-coverage-1"

    def test_one_that_is_not_ours_says_nothing_beside_one_that_is(self):
        found = [*ehr.resources("cca-01"), second_coverage(payor="NOBODY")]
        change = named("Coverage/cca-01-coverage-1", "Coverage/second")
        answer = ehr.call(body_of("cca-01", found, change))
        assert part(ehr.only(answer), "coverage")["reference"] == "Coverage/cca-01-coverage-1"


class TestOneOfTwoOrdersWhoseCoverageIsLost:
    def told(self, *references, version="2.2"):
        """Sign two orders, the second of which names these coverages; return what is told of it."""
        body = body_of("cca-01", change=named("Coverage/cca-01-coverage-1"))
        sign_beside(body, named(*references))
        sent = ehr.updated(ehr.call(body, version=version))
        (about,) = {*sent} - {"beside"}
        (first,) = information_of(sent[about])
        assert part(first, "coverage") == {"reference": "Coverage/cca-01-coverage-1"}
        return information_of(sent["beside"])

    def test_it_is_told_that_nothing_can_be_told(self):
        (told,) = self.told("Coverage/lost")
        assert part(told, "coverage") == {"reference": "Coverage/lost"}
        assert part(told, "covered") == "indeterminate"
        assert parts(told, "reason")[0]["coding"][0]["code"] == "technical"
        assert breaches(told, "2.2") == []

    @pytest.mark.parametrize("version", ["2.0", "both"])
    def test_it_is_conditional_where_the_version_has_no_such_code(self, version):
        (told,) = self.told("Coverage/lost", version=version)
        assert part(told, "covered") == "conditional"
        assert "who pays could not be read" in text_of(told)
        assert breaches(told, version) == []

    def test_a_second_coverage_beside_one_that_was_read_may_be_anybodys(self):
        (told,) = self.told("Coverage/cca-01-coverage-1", "Coverage/lost")
        assert part(told, "coverage") == {"reference": "Coverage/cca-01-coverage-1"}


class TestNoCoverage:
    def test_none_on_file_is_refused(self):
        refused(body_of("cca-01", without("cca-01", "Coverage"), unnamed), 400, "no coverage")

    def test_one_of_a_payer_not_served_is_refused(self):
        refused(body_of("cca-01", paid_by("cca-01", "NOBODY")), 400, "payer")

    def test_one_of_another_patient_is_refused(self):
        found = ehr.resources("cca-01")
        for one in found:
            if one["resourceType"] == "Coverage":
                one["beneficiary"] = {"reference": "Patient/somebody"}
        refused(body_of("cca-01", found, unnamed), 400, "no coverage on file")

    def test_one_of_another_patient_on_the_server_is_refused(self, fhir_server):
        body = body_of("cca-01", change=named("Coverage/cca-03-coverage-1"))
        refused(body | {"fhirServer": fhir_server.url}, 400, "not on file for this patient")

    def test_one_without_an_id_is_refused(self):
        found = ehr.resources("cca-01")
        for one in found:
            if one["resourceType"] == "Coverage":
                del one["id"]
        refused(body_of("cca-01", found, unnamed), 422, "has no id")

    def test_an_order_that_names_an_authorization_alone_is_told_of(self):
        answer = ehr.call(body_of("cca-01", change=named("ClaimResponse/pa-1")))
        assert part(ehr.only(answer), "coverage")["reference"] == "Coverage/cca-01-coverage-1"

    def test_none_to_be_had_is_a_failed_precondition(self):
        body = body_of("cca-01", change=unnamed)
        del body["prefetch"]["coverage"]
        refused(body, 412, "Coverage", "absent")

    def test_an_outage_is_a_failed_precondition(self):
        found = without("cca-01", "Coverage")
        refused(body_of("cca-01", found, unnamed, coverage=OUTAGE), 412, "Coverage")

    def test_a_server_that_answers_nothing_is_a_failed_precondition(self):
        body = body_of("cca-01", change=unnamed) | {"fhirServer": "http://127.0.0.1:9/fhir"}
        del body["prefetch"]["coverage"]
        refused(body, 412, "Coverage")


class TestKnownPayerWithoutPolicy:
    FOUND = property(lambda self: paid_by("cca-01", "STATE-FUND"))

    def test_claims_nothing_but_that_it_cannot_tell(self):
        told = ehr.only(ehr.call(body_of("cca-01", self.FOUND), version="2.2"))
        assert part(told, "covered") == "indeterminate"
        assert part(told, "pa-needed") is None
        assert breaches(told, "2.2") == []

    @pytest.mark.parametrize("version", ["2.0", "both"])
    def test_says_nothing_where_no_code_says_so(self, version):
        answer = ehr.call(body_of("cca-01", self.FOUND), version=version)
        assert answer["systemActions"] == []


NOT_IN_FORCE = {
    "inactive": {"status": "cancelled"},
    "expired": {"period": {"start": "2020-01-01", "end": "2020-12-31"}},
    "still to come": {"period": {"start": "2031-01-01"}},
}


class TestCoverageNotInForce:
    @pytest.mark.parametrize("change", NOT_IN_FORCE.values(), ids=NOT_IN_FORCE)
    @pytest.mark.parametrize("order", [named("Coverage/cca-01-coverage-1"), unnamed])
    def test_is_not_covered(self, change, order):
        found = ehr.resources("cca-01")
        for one in found:
            if one["resourceType"] == "Coverage":
                one.update(change)
        body = body_of("cca-01", found, order)
        told = ehr.only(ehr.call(body, version="2.2"))
        assert part(told, "covered") == "not-covered"
        (reason,) = parts(told, "reason")
        assert [one["code"] for one in reason["coding"]] == ["no-active-coverage"]
        assert "not in force on 2026-03-16" in reason["text"]
        plain = ehr.only(ehr.call(body, version="2.0"))
        assert part(plain, "covered") == "not-covered"
        assert "not in force" in text_of(plain)
        assert breaches(plain, "2.0") == []


class TestMemberNotFound:
    def test_an_answer_that_there_is_none_is_told(self, fhir_server):
        body = body_of("cca-01", without("cca-01", "Patient")) | {"fhirServer": fhir_server.url}
        del body["prefetch"]["patient"]
        body["context"]["patientId"] = "nobody"
        for one in (body["prefetch"]["coverage"]["entry"], body["context"]["draftOrders"]["entry"]):
            for entry in one:
                for key in ("beneficiary", "subject"):
                    if key in entry["resource"]:
                        entry["resource"][key] = {"reference": "Patient/nobody"}
        told = ehr.only(ehr.call(body, version="2.2"))
        assert part(told, "covered") == "not-covered"
        assert parts(told, "reason")[0]["coding"][0]["code"] == "no-member-found"

    def test_a_patient_that_could_not_be_asked_for_is_no_missing_member(self):
        body = body_of("cca-01", without("cca-01", "Patient"))
        del body["prefetch"]["patient"]
        told = ehr.only(ehr.call(body, version="2.2"))
        assert part(told, "covered") != "not-covered"


class TestTechnicalTrouble:
    def body(self):
        return body_of("kp-01", conditions=OUTAGE)

    def test_is_indeterminate_with_its_code(self):
        told = ehr.only(ehr.call(self.body(), version="2.2"))
        assert part(told, "covered") == "indeterminate"
        reason = parts(told, "reason")[0]
        assert reason["coding"][0]["code"] == "technical"
        assert "diagnoses could not be read" in reason["text"]
        assert breaches(told, "2.2") == []

    @pytest.mark.parametrize("version", ["2.0", "both"])
    def test_is_conditional_where_the_version_has_no_such_code(self, version):
        told = ehr.only(ehr.call(self.body(), version=version))
        assert part(told, "covered") == "conditional"
        assert "OTH" in parts(told, "info-needed")
        assert "could not be read" in text_of(told)
        assert breaches(told, version) == []

    def test_does_not_hide_what_is_known(self):
        """A criterion that is not met stays so, whatever else could not be read."""
        told = ehr.only(ehr.call(body_of("kp-03", vitals=OUTAGE), version="2.2"))
        assert part(told, "covered") == "not-covered"

    def test_stands_beside_what_is_missing(self):
        """A criterion without data asks for them; another one could not be looked at."""
        told = ehr.only(ehr.call(body_of("ash-13", conditions=OUTAGE), version="2.2"))
        assert part(told, "covered") == "conditional"
        unread = [one for one in parts(told, "reason") if one["text"].startswith("Not read: ")]
        codes = [coding["code"] for one in unread for coding in one["coding"]]
        assert codes == ["technical"]
        assert breaches(told, "2.2") == []

    def test_no_clinical_data_at_all_is_still_an_answer(self):
        body = ehr.request_of("kp-01")
        found = [*ehr.resources("kp-01", "Coverage"), *ehr.resources("kp-01", "Organization")]
        body["prefetch"] = {"coverage": ehr.bundle(found)}
        told = ehr.only(ehr.call(body, version="2.2"))
        assert part(told, "covered") == "indeterminate"

    def test_a_payer_that_could_not_be_read_is_no_stranger(self):
        found = [one for one in ehr.resources("cca-01") if one["resourceType"] != "Organization"]
        for one in found:
            if one["resourceType"] == "Coverage":
                one["payor"] = [{"reference": "Organization/cca-01-payor-cca"}]
        told = ehr.only(ehr.call(body_of("cca-01", found), version="2.2"))
        assert part(told, "covered") == "indeterminate"
        (reason,) = parts(told, "reason")
        assert reason["coding"][0]["code"] == "technical"
        assert "who pays could not be read" in reason["text"]
        assert breaches(told, "2.2") == []


class TestSafetyStop:
    @pytest.mark.parametrize("name", ["ev-08", "ev-15", "ash-07", "cca-15"])
    def test_alone_is_no_coverage_decision(self, name):
        answer = ehr.sign(name, version="2.2")
        told = ehr.only(answer)
        assert part(told, "covered") == "conditional"
        assert "OTH" in parts(told, "info-needed")
        assert "no coverage decision" in text_of(told)
        topics = [card["source"]["topic"]["code"] for card in answer["cards"]]
        assert "contraindication" in topics

    def test_beside_criteria_that_are_not_met_changes_nothing(self):
        stopping = ehr.resources("ev-08", "Condition")
        found = [*ehr.resources("ev-05")]
        for one in stopping:
            moved = copy.deepcopy(one) | {"id": f"moved-{one['id']}"}
            moved["subject"] = {"reference": "Patient/ev-05-patient"}
            found.append(moved)
        told = ehr.only(ehr.sign("ev-05", found=found, version="2.2"))
        assert part(told, "covered") == "not-covered"


class TestRepetition:
    def again(self, name, change):
        """Sign, let the client change what it was sent, and sign again."""
        first = ehr.sign(name)
        sent = ehr.updated(first)

        def carry(_, order):
            order.clear()
            order.update(copy.deepcopy(sent[next(iter(sent))]))
            change(order)

        return first, ehr.sign(name, carry)

    def test_the_same_facts_have_the_same_id_and_no_action(self):
        first, second = self.again("ev-04", lambda order: None)
        assert second["systemActions"] == []
        fresh = ehr.sign("ev-04")
        ids = [part(ehr.only(one), "coverage-assertion-id") for one in (first, fresh)]
        assert ids[0] == ids[1]

    def test_another_day_is_nothing_new(self):
        def age(order):
            for one in information_of(order)[0]["extension"]:
                if one["url"] == "date":
                    one["valueDate"] = "2026-01-01"

        assert self.again("ev-04", age)[1]["systemActions"] == []

    def test_a_reference_written_out_in_full_is_nothing_new(self):
        def write_out(order):
            named = information_of(order)[0]["extension"][0]["valueReference"]
            named["reference"] = f"https://ehr.example.org/fhir/{named['reference']}"

        assert self.again("ev-04", write_out)[1]["systemActions"] == []

    def test_a_signed_order_is_nothing_new(self):
        def sign(order):
            order["status"] = "active"

        assert self.again("ev-04", sign)[1]["systemActions"] == []

    def test_a_stale_one_is_replaced_and_others_stay(self):
        other = {"url": "http://example.org/other", "valueString": "kept"}
        elsewhere = {
            "url": "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information",
            "extension": [{"url": "coverage", "valueReference": {"reference": "Coverage/other"}}],
        }

        def spoil(order):
            for one in information_of(order)[0]["extension"]:
                if one["url"] == "covered":
                    one["valueCode"] = "covered"
            order["extension"] = [other, *order["extension"], elsewhere]

        first, second = self.again("ev-04", spoil)
        (order,) = ehr.updated(second).values()
        assert order["extension"][:2] == [other, elsewhere]
        assert order["extension"][2:] == [ehr.only(first)]

    def test_other_facts_have_another_id(self):
        ids = {
            part(ehr.only(ehr.sign(name)), "coverage-assertion-id") for name in ("ev-04", "ev-05")
        }
        assert len(ids) == 2


class TestWhichOrders:
    def test_one_that_must_not_be_done_is_not_spoken_of(self):
        def forbid(_, order):
            order["doNotPerform"] = True

        assert ehr.sign("cca-01", forbid)["systemActions"] == []

    def test_one_out_of_scope_needs_no_coverage(self):
        def other(_, order):
            order["code"] = {"coding": [{"system": "http://loinc.org", "code": "2093-3"}]}

        found = without("cca-01", "Coverage")
        answer = ehr.sign("cca-01", other, found=found)
        assert (answer["systemActions"], answer["cards"]) == ([], [])

    def test_one_without_an_id_cannot_be_updated(self):
        body = body_of("cca-01", change=lambda order: order.pop("id"))
        refused(body, 422, "has no id")

    def test_one_whose_code_the_policy_does_not_list_is_told_of(self):
        def recode(order):
            order["code"]["coding"][0]["code"] = "97112"

        body = body_of("kp-01")
        sign_beside(body, recode)
        sent = ehr.updated(ehr.call(body))
        (told,) = information_of(sent["beside"])
        assert part(told, "covered") == "conditional"
        assert "says nothing of this code" in text_of(told)
        assert breaches(told, "both") == []


class TestOrderInWords:
    def words(self, order):
        order["code"] = {"text": "Massage therapy"}

    @pytest.mark.parametrize(
        ("version", "needed"), [("2.2", ["detail-code"]), ("2.0", ["OTH"]), ("both", ["OTH"])]
    )
    def test_is_told_that_it_needs_a_code(self, version, needed):
        told = ehr.only(ehr.call(body_of("cca-01", change=self.words), version=version))
        assert part(told, "covered") == "conditional"
        assert parts(told, "info-needed") == needed
        assert "needs the code" in text_of(told)
        assert breaches(told, version) == []

    def test_is_refused_for_nothing(self):
        found = without("cca-01", "Coverage")

        def nameless(order):
            self.words(order)
            order.pop("insurance")

        assert ehr.call(body_of("cca-01", found, nameless))["systemActions"] == []

    def test_stands_beside_one_with_a_code(self):
        body = body_of("cca-01")
        entry = copy.deepcopy(body["context"]["draftOrders"]["entry"][0])
        entry["resource"] |= {"id": "words", "code": {"text": "Massage"}}
        body["context"]["draftOrders"]["entry"].append(entry)
        sent = ehr.updated(ehr.call(body, version="2.2"))
        covered = {name: part(information_of(one)[0], "covered") for name, one in sent.items()}
        assert covered == {"cca-01-order-1": "covered", "words": "conditional"}


class TestModifierExtension:
    """FHIR lets nobody process an order as if one that changes its meaning were not there."""

    def modified(self, held, version):
        def change(_, order):
            order["modifierExtension"] = held

        answer = ehr.sign("cca-01", change, version=version)
        told = ehr.only(answer)
        assert breaches(told, version) == []
        return part(told, "covered"), text_of(told), answer["cards"]

    @pytest.mark.parametrize("version", ehr.VERSIONS)
    def test_of_an_order_leaves_it_open(self, version):
        held = [{"url": "http://a.example.org/x", "valueBoolean": True}]
        covered, told, cards = self.modified(held, version)
        assert covered == "conditional"
        assert "modifier extension" in told
        assert cards == []

    def test_that_is_none_changes_nothing(self):
        assert self.modified([], "2.2")[0] == "covered"


class TestDocuments:
    """A plan that the coverage does not name asks for an administrative one."""

    def told(self, name, version):
        found = ehr.resources(name)
        for one in found:
            if one["resourceType"] == "Coverage":
                one["class"] = []
        told = ehr.only(ehr.sign(name, found=found, version=version))
        assert breaches(told, version) == []
        return parts(told, "doc-needed")

    @pytest.mark.parametrize(
        ("version", "kinds"),
        [("both", ["clinical"]), ("2.0", ["both"]), ("2.2", ["clinical", "admin"])],
    )
    def test_of_two_kinds_are_told_together_as_the_version_can(self, version, kinds):
        assert self.told("cca-missing-promis", version) == kinds

    @pytest.mark.parametrize("version", ehr.VERSIONS)
    def test_of_one_kind_are_told_as_that_kind(self, version):
        assert self.told("cca-01", version) == ["admin"]


BILLING = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"
SNOMED = {"system": "http://snomed.info/sct", "code": "387854002"}


class TestBillingOptions:
    def option(self, code):
        coding = {"system": "http://www.ama-assn.org/go/cpt", "code": code}
        return {"url": BILLING, "valueCodeableConcept": {"coding": [coding]}}

    def test_are_considered(self):
        def clinical(_, order):
            order["code"] = {"extension": [self.option("97124")], "coding": [SNOMED]}

        answer = ehr.sign("cca-01", clinical)
        (order,) = ehr.updated(answer).values()
        assert order["code"]["coding"] == [SNOMED], "the order was changed"
        codes = [one["code"] for one in parts(ehr.only(answer), "billingCode")]
        assert codes == ["97124"]

    def test_those_that_the_policy_lists_are_told(self):
        def several(_, order):
            options = [self.option("97124"), self.option("99213")]
            order["code"] = {"extension": options, "coding": [SNOMED]}

        codes = [one["code"] for one in parts(ehr.only(ehr.sign("cca-01", several)), "billingCode")]
        assert codes == ["97124"]

    def test_odd_ones_are_passed_over(self):
        def odd(_, order):
            order["code"]["extension"] = [
                {"url": BILLING},
                None,
                {"url": BILLING, "valueCodeableConcept": {"coding": "x"}},
            ]

        assert part(ehr.only(ehr.sign("cca-01", odd)), "covered") == "covered"


class TestLimits:
    def details(self, name, version):
        told = ehr.only(ehr.sign(name, version=version))
        found = {}
        for one in told["extension"]:
            if one["url"] == "detail":
                inner = {p["url"]: p for p in one["extension"]}
                code = inner["code"]["valueCodeableConcept"]["coding"][0]["code"]
                found[code] = inner
        return found

    def test_are_those_of_the_policy(self):
        found = self.details("cca-01", "2.2")
        assert found["allowed-quantity"]["value"]["valueQuantity"] == {
            "value": 12,
            "unit": "visits",
        }
        assert "0 on file" in found["allowed-quantity"]["qualification"]["valueString"]
        period = found["allowed-period"]["value"]["valuePeriod"]
        assert period == {"start": "2026-03-16", "end": "2027-03-15"}

    def test_are_silent_where_more_is_covered(self):
        assert self.details("cca-05", "2.2").keys() <= {"policy-link"}

    def test_a_version_says_them_in_its_own_codes(self):
        assert "category" not in self.details("cca-01", "2.0")["allowed-quantity"]
        assert "category" in self.details("cca-01", "2.2")["allowed-quantity"]


def test_the_assertion_expires_with_coverage_or_policy():
    told = ehr.only(ehr.sign("cca-01", version="2.2"))
    (coverage,) = ehr.resources("cca-01", "Coverage")
    assert part(told, "expiry-date") == coverage["period"]["end"]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("2027-01-01T04:59:59Z", "2026-12-31"),
        ("2026-12-31T23:59:59-08:00", "2026-12-31"),
        ("9999-12-31T23:59:59Z", "9999-12-31"),
        ("2026-12", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_it_expires_on_the_day_at_the_site(end, last):
    found = ehr.resources("cca-01")
    for coverage in (one for one in found if one["resourceType"] == "Coverage"):
        coverage["period"]["end"] = end
    assert part(ehr.only(ehr.sign("cca-01", found=found, version="2.2")), "expiry-date") == last
